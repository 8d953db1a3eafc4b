#include "services/common/version/build_id.h"

#include <link.h>

#include <cstring>

namespace machine::common {
namespace {

constexpr size_t kDigits = 7;

// A note: name size, descriptor size, type, then both, each padded to four bytes (gABI, "Note
// Section").
std::string FindBuildId(const char* note, size_t size) {
  constexpr size_t kHeader = sizeof(ElfW(Nhdr));
  const auto padded = [](size_t length) { return (length + 3) & ~size_t{3}; };
  while (size >= kHeader) {
    ElfW(Nhdr) header;
    std::memcpy(&header, note, kHeader);
    const size_t total = kHeader + padded(header.n_namesz) + padded(header.n_descsz);
    if (total > size) break;
    const char* name = note + kHeader;
    if (header.n_type == NT_GNU_BUILD_ID && header.n_namesz == 4 &&
        std::memcmp(name, "GNU", 4) == 0) {
      return std::string(name + padded(header.n_namesz), header.n_descsz);
    }
    note += total;
    size -= total;
  }
  return "";
}

// The first object is the program itself.
int VisitProgram(dl_phdr_info* info, size_t, void* result) {
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_NOTE) continue;
    std::string id = FindBuildId(reinterpret_cast<const char*>(info->dlpi_addr + segment.p_vaddr),
                                 segment.p_memsz);
    if (!id.empty()) *static_cast<std::string*>(result) = id;
  }
  return 1;
}

}  // namespace

std::string BuildId() {
  std::string id;
  dl_iterate_phdr(VisitProgram, &id);
  if (id.empty()) return "unknown";
  std::string digits;
  for (const char c : id) {
    constexpr char kHex[] = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    digits += kHex[byte >> 4];
    digits += kHex[byte & 15];
  }
  return digits.substr(0, kDigits);
}

}  // namespace machine::common
