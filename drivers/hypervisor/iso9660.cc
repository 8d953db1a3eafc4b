// ECMA-119 (ISO 9660) with a Joliet tree beside the plain one; section numbers are ECMA-119's.
#include <algorithm>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "drivers/hypervisor/seed_iso.h"

namespace machine::driver::hypervisor {
namespace {

constexpr size_t kSector = 2048;
// Where things are, in sectors. The first 16 belong to the system.
constexpr uint32_t kPrimary = 16;
constexpr uint32_t kJoliet = 17;
constexpr uint32_t kTerminator = 18;
constexpr uint32_t kPathTable = 19;        // Little-endian, then big-endian.
constexpr uint32_t kJolietPathTable = 21;  // Likewise.
constexpr uint32_t kRoot = 23;
constexpr uint32_t kJolietRoot = 24;
constexpr uint32_t kFiles = 25;
constexpr uint32_t kPathTableBytes = 10;
constexpr char kRootName[] = {0};
constexpr char kParentName[] = {1};

std::string Little(uint32_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text.push_back(static_cast<char>(value >> (8 * i)));
  return text;
}

std::string Big(uint32_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text.push_back(static_cast<char>(value >> (8 * i)));
  return text;
}

std::string Both(uint32_t value, int bytes) { return Little(value, bytes) + Big(value, bytes); }

std::string Padded(std::string text, size_t size, char with) {
  text.resize(size, with);
  return text;
}

// UCS-2, big-endian, of ASCII text.
std::string Wide(absl::string_view text) {
  std::string wide;
  for (const char c : text) {
    wide.push_back('\0');
    wide.push_back(c);
  }
  return wide;
}

uint32_t Sectors(size_t bytes) { return static_cast<uint32_t>((bytes + kSector - 1) / kSector); }

// 9.1
std::string DirectoryRecord(absl::string_view name, uint32_t sector, uint32_t bytes,
                            bool is_folder) {
  constexpr size_t kFixedBytes = 33;
  const size_t size = kFixedBytes + name.size() + (name.size() % 2 == 0 ? 1 : 0);
  std::string record;
  record.push_back(static_cast<char>(size));
  record.push_back(0);
  record += Both(sector, 4) + Both(bytes, 4);
  record += std::string("\x50\x01\x01\x00\x00\x00\x00", 7);  // 1980-01-01, the same in each image.
  record.push_back(is_folder ? 2 : 0);
  record += std::string(2, '\0') + Both(1, 2);
  record.push_back(static_cast<char>(name.size()));
  record += std::string(name);
  return Padded(std::move(record), size, '\0');
}

// 9.4
std::string PathTable(uint32_t root, bool big) {
  const auto number = [&](uint32_t value, int bytes) {
    return big ? Big(value, bytes) : Little(value, bytes);
  };
  return std::string("\x01\x00", 2) + number(root, 4) + number(1, 2) + std::string(2, '\0');
}

// 8.4 and, with wide text, 8.5
std::string VolumeDescriptor(bool joliet, absl::string_view label, uint32_t sectors) {
  const auto text = [&](absl::string_view value, size_t size) {
    if (!joliet) return Padded(std::string(value), size, ' ');
    std::string wide = Wide(value);
    while (wide.size() + 1 < size) wide += Wide(" ");
    return Padded(std::move(wide), size, '\0');
  };
  const uint32_t root = joliet ? kJolietRoot : kRoot;
  const uint32_t path_table = joliet ? kJolietPathTable : kPathTable;
  std::string sector;
  sector.push_back(joliet ? 2 : 1);
  sector += std::string("CD001\x01\x00", 7);
  sector += text("", 32) + text(label, 32);
  sector += std::string(8, '\0') + Both(sectors, 4);
  sector += Padded(joliet ? "%/E" : "", 32, '\0');
  sector += Both(1, 2) + Both(1, 2) + Both(kSector, 2) + Both(kPathTableBytes, 4);
  sector += Little(path_table, 4) + Little(0, 4) + Big(path_table + 1, 4) + Big(0, 4);
  sector += DirectoryRecord(absl::string_view(kRootName, 1), root, kSector, true);
  sector += text("", 128) + text("", 128) + text("", 128) + text("", 128);
  sector += text("", 37) + text("", 37) + text("", 37);
  // Four times that are not given.
  for (int i = 0; i < 4; ++i) sector += std::string(16, '0') + std::string(1, '\0');
  sector.push_back(1);
  return Padded(std::move(sector), kSector, '\0');
}

std::string RootFolder(bool joliet, const std::vector<IsoFile>& files) {
  const uint32_t root = joliet ? kJolietRoot : kRoot;
  std::string folder = DirectoryRecord(absl::string_view(kRootName, 1), root, kSector, true) +
                       DirectoryRecord(absl::string_view(kParentName, 1), root, kSector, true);
  uint32_t sector = kFiles;
  for (const IsoFile& file : files) {
    const std::string name =
        joliet ? Wide(file.name) : absl::StrCat(absl::AsciiStrToUpper(file.name), ";1");
    folder += DirectoryRecord(name, sector, static_cast<uint32_t>(file.contents.size()), false);
    sector += Sectors(file.contents.size());
  }
  return Padded(std::move(folder), kSector, '\0');
}

}  // namespace

std::string MakeIso(absl::string_view label, std::vector<IsoFile> files) {
  // 9.3: a folder's records are in order.
  std::sort(files.begin(), files.end(),
            [](const IsoFile& a, const IsoFile& b) { return a.name < b.name; });
  uint32_t sectors = kFiles;
  for (const IsoFile& file : files) sectors += Sectors(file.contents.size());
  std::string image(kPrimary * kSector, '\0');
  image.reserve(sectors * kSector);
  image += VolumeDescriptor(/*joliet=*/false, label, sectors);
  image += VolumeDescriptor(/*joliet=*/true, label, sectors);
  image += Padded(std::string("\xff"
                              "CD001\x01",
                              7),
                  kSector, '\0');
  for (const uint32_t root : {kRoot, kJolietRoot}) {
    for (const bool big : {false, true}) image += Padded(PathTable(root, big), kSector, '\0');
  }
  image += RootFolder(/*joliet=*/false, files);
  image += RootFolder(/*joliet=*/true, files);
  for (const IsoFile& file : files) {
    image += Padded(file.contents, Sectors(file.contents.size()) * kSector, '\0');
  }
  static_assert(kJoliet == kPrimary + 1 && kTerminator == kJoliet + 1);
  return image;
}

}  // namespace machine::driver::hypervisor
