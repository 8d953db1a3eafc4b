#include "drivers/sdk/ustar.h"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"

namespace machine::driver {
namespace {

constexpr size_t kBlock = 512;
constexpr size_t kPathSize = 100;
constexpr size_t kSizeOffset = 124;
constexpr size_t kSizeLength = 12;
constexpr size_t kChecksumOffset = 148;
constexpr size_t kChecksumLength = 8;
constexpr size_t kTypeOffset = 156;
constexpr size_t kMagicOffset = 257;
constexpr char kFile = '0';
constexpr char kOldFile = '\0';
constexpr char kFolder = '5';

void Put(std::string& block, size_t offset, absl::string_view text) {
  std::copy(text.begin(), text.end(), block.begin() + static_cast<std::ptrdiff_t>(offset));
}

// The sum of all bytes of a header, with spaces in place of the sum itself.
uint32_t Checksum(absl::string_view block) {
  uint32_t sum = 0;
  for (size_t i = 0; i < kBlock; ++i) {
    const bool in_sum = i >= kChecksumOffset && i < kChecksumOffset + kChecksumLength;
    sum += in_sum ? ' ' : static_cast<unsigned char>(block[i]);
  }
  return sum;
}

std::string Header(const TarEntry& entry) {
  std::string block(kBlock, '\0');
  Put(block, 0, absl::string_view(entry.path).substr(0, kPathSize - 1));
  Put(block, 100, absl::StrFormat("%07o", entry.mode));
  Put(block, 108, absl::StrFormat("%07o", entry.uid));
  Put(block, 116, absl::StrFormat("%07o", entry.gid));
  Put(block, kSizeOffset, absl::StrFormat("%011o", entry.contents.size()));
  // Time 0: what is sent depends on nothing but the entries.
  Put(block, 136, "00000000000");
  block[kTypeOffset] = absl::EndsWith(entry.path, "/") ? kFolder : kFile;
  Put(block, kMagicOffset, absl::string_view("ustar\00000", 8));
  Put(block, kChecksumOffset, absl::StrFormat("%06o", Checksum(block)));
  block[kChecksumOffset + 7] = ' ';
  return block;
}

size_t Padded(size_t size) { return (size + kBlock - 1) / kBlock * kBlock; }

// Reads octal digits up to a space, a NUL or the end; no value for anything else.
std::optional<uint64_t> Octal(absl::string_view field) {
  uint64_t value = 0;
  bool any = false;
  for (const char c : field) {
    if (c == ' ' && !any) continue;
    if (c == ' ' || c == '\0') break;
    if (c < '0' || c > '7') return std::nullopt;
    value = value * 8 + static_cast<uint64_t>(c - '0');
    any = true;
  }
  return any ? std::optional<uint64_t>(value) : std::nullopt;
}

}  // namespace

std::string WriteTar(absl::Span<const TarEntry> entries) {
  std::string archive;
  for (const TarEntry& entry : entries) {
    archive += Header(entry);
    archive += entry.contents;
    archive.resize(Padded(archive.size()), '\0');
  }
  archive.append(2 * kBlock, '\0');
  return archive;
}

absl::StatusOr<std::string> FirstFileOfTar(absl::string_view archive) {
  while (archive.size() >= kBlock) {
    const absl::string_view header = archive.substr(0, kBlock);
    if (header.find_first_not_of('\0') == absl::string_view::npos) break;
    const std::optional<uint64_t> sum = Octal(header.substr(kChecksumOffset, kChecksumLength));
    const std::optional<uint64_t> size = Octal(header.substr(kSizeOffset, kSizeLength));
    if (sum != Checksum(header) || !size.has_value() || *size > archive.size() - kBlock) {
      return absl::DataLossError("not a tar archive, or a damaged one");
    }
    const char type = header[kTypeOffset];
    if (type == kFile || type == kOldFile) return std::string(archive.substr(kBlock, *size));
    archive.remove_prefix(std::min(archive.size(), kBlock + Padded(*size)));
  }
  return absl::DataLossError("no file in the tar archive");
}

}  // namespace machine::driver
