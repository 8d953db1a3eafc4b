#include "drivers/hyper-v/images.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "drivers/hyper-v/scripts.h"
#include "drivers/hypervisor/disk_format.h"
#include "drivers/sdk/errors.h"
#include "services/common/status/status.h"

namespace machine::driver::hyperv {
namespace {

using Json = nlohmann::json;

constexpr absl::Duration kLongestCopy = absl::Minutes(30);
// One call of curl fetches for so long; between two, progress is shown and a cancel obeyed.
constexpr int kTurnSeconds = 10;
// In a row, without a byte.
constexpr int kMostFruitless = 5;
// More than a turn of another driver, or its look at the digest, takes.
constexpr int kLockSeconds = 300;
constexpr int kCurlHttpError = 22;
constexpr int kCurlTimeIsUp = 28;
constexpr int64_t kMib = int64_t{1} << 20;
constexpr size_t kSector = 512;
// Beside an image: what is there of it before it is whole, and the lock of those who fetch it.
constexpr char kPart[] = ".part";
constexpr char kLock[] = ".lock";

template <typename T>
T Field(const Json& rows, const char* key, T otherwise) {
  if (rows.empty() || !rows[0].is_object()) return otherwise;
  const auto it = rows[0].find(key);
  if (it == rows[0].end()) return otherwise;
  if constexpr (std::is_same_v<T, std::string>) {
    return it->is_string() ? it->template get<T>() : otherwise;
  } else if constexpr (std::is_same_v<T, bool>) {
    return it->is_boolean() ? it->template get<T>() : otherwise;
  } else {
    return it->is_number() ? it->template get<T>() : otherwise;
  }
}

void PutBigEndian(std::string& bytes, size_t place, uint64_t value, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    bytes[place + size - 1 - i] = static_cast<char>(value >> (8 * i) & 0xff);
  }
}

// The specification's own division of a disk into cylinders, heads and sectors.
uint64_t Geometry(uint64_t size) {
  constexpr uint64_t kMostSectors = 65535ULL * 16 * 255;
  const uint64_t total = std::min<uint64_t>(size / kSector, kMostSectors);
  uint64_t sectors = 255;
  uint64_t heads = 16;
  uint64_t tracks = total / sectors;
  if (total < 65535ULL * 16 * 63) {
    sectors = 17;
    tracks = total / sectors;
    heads = std::max<uint64_t>((tracks + 1023) / 1024, 4);
    if (tracks >= heads * 1024 || heads > 16) {
      sectors = 31;
      heads = 16;
      tracks = total / sectors;
    }
    if (tracks >= heads * 1024) {
      sectors = 63;
      heads = 16;
      tracks = total / sectors;
    }
  }
  return (tracks / heads) << 16 | heads << 8 | sectors;
}

}  // namespace

std::string VhdFooter(uint64_t size) {
  std::string footer(kSector, '\0');
  footer.replace(0, 8, "conectix");
  PutBigEndian(footer, 8, 2, 4);              // Features: reserved, always set.
  PutBigEndian(footer, 12, 0x00010000, 4);    // Version of the format.
  PutBigEndian(footer, 16, ~uint64_t{0}, 8);  // No further header: a fixed disk.
  footer.replace(28, 4, "dm  ");
  PutBigEndian(footer, 32, 0x00010000, 4);
  footer.replace(36, 4, "Wi2k");
  PutBigEndian(footer, 40, size, 8);
  PutBigEndian(footer, 48, size, 8);
  PutBigEndian(footer, 56, Geometry(size), 4);
  PutBigEndian(footer, 60, 2, 4);  // Fixed.
  // Nothing looks a disk up by its id, and it is converted at once.
  footer.replace(68, 16, "docker-machine--");
  uint32_t sum = 0;
  for (const char c : footer) sum += static_cast<unsigned char>(c);
  PutBigEndian(footer, 64, ~sum, 4);
  return footer;
}

absl::StatusOr<int64_t> Images::SizeOf(common::CallScope& call, const std::string& path,
                                       std::string* head) {
  DM_ASSIGN_OR_RETURN(const Json seen, powershell_.Run(call, kStatScript, {{"path", path}}));
  if (head != nullptr) absl::Base64Unescape(Field<std::string>(seen, "head", ""), head);
  return Field<int64_t>(seen, "size", -1);
}

absl::StatusOr<std::string> Images::Fetch(common::CallScope& call,
                                          const hypervisor::ImageSource& source) {
  const bool is_url =
      absl::StartsWith(source.url, "https://") || absl::StartsWith(source.url, "http://");
  const std::string path =
      is_url ? absl::StrCat(folder_, "\\cache\\", hypervisor::CacheName(source)) : source.url;
  DM_RETURN_IF_ERROR(gate_.Run(call, [&]() -> absl::Status {
    DM_ASSIGN_OR_RETURN(const int64_t size, SizeOf(call, path, nullptr));
    if (size >= 0) return absl::OkStatus();
    if (!is_url) {
      return absl::NotFoundError(
          absl::StrCat(path, ": there is no such file on ", powershell_.host().name()));
    }
    DM_RETURN_IF_ERROR(
        powershell_.Run(call, kWriteScript, {{"folder", folder_ + "\\cache"}}).status());
    const absl::Status finished = Finish(call, source, path);
    if (finished.ok()) return finished;
    // Another driver may have taken the file to where it belongs.
    DM_RETURN_IF_ERROR(call.Check());
    DM_ASSIGN_OR_RETURN(const int64_t taken, SizeOf(call, path, nullptr));
    return taken >= 0 ? absl::OkStatus() : finished;
  }));
  return path;
}

absl::Status Images::Finish(common::CallScope& call, const hypervisor::ImageSource& source,
                            const std::string& path) {
  DM_RETURN_IF_ERROR(Download(call, source, path));
  DM_RETURN_IF_ERROR(CheckDigest(call, source, path));
  return powershell_
      .Run(call, kMoveScript,
           {{"path", path + kPart}, {"to", path}, {"lock", path + kLock}, {"wait", kLockSeconds}},
           kLongestCopy)
      .status();
}

absl::Status Images::Download(common::CallScope& call, const hypervisor::ImageSource& source,
                              const std::string& path) {
  const std::string what = absl::StrCat("Downloading ", hypervisor::BaseName(source.url), "...");
  call.Info(what);
  int64_t before = 0;
  for (int fruitless = 0;;) {
    DM_ASSIGN_OR_RETURN(const Json fetched, powershell_.Run(call, kFetchScript,
                                                            {{"url", source.url},
                                                             {"path", path + kPart},
                                                             {"to", path},
                                                             {"lock", path + kLock},
                                                             {"wait", kTurnSeconds},
                                                             {"seconds", kTurnSeconds}}));
    if (Field<bool>(fetched, "busy", false)) {
      call.Progress(absl::StrCat(what, " by another driver"));
      continue;
    }
    const int code = Field<int>(fetched, "code", -1);
    if (code == 0) return absl::OkStatus();
    const int64_t now = Field<int64_t>(fetched, "size", 0);
    fruitless = now > before ? 0 : fruitless + 1;
    before = now;
    const std::string words = absl::StrCat(
        "fetching ", source.url, ": ",
        absl::StripAsciiWhitespace(Field<std::string>(fetched, "words", "no curl.exe")));
    // Nothing is left to ask for: an earlier run, or another driver, has got the rest.
    if (code == kCurlHttpError && now > 0 && absl::StrContains(words, "416")) {
      return absl::OkStatus();
    }
    if (code == kCurlHttpError && absl::StrContains(words, "404")) {
      return absl::NotFoundError(words);
    }
    if (code == kCurlHttpError || fruitless >= kMostFruitless) {
      return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN,
                           words);
    }
    if (code != kCurlTimeIsUp) DM_RETURN_IF_ERROR(call.Sleep(absl::Seconds(1)));
    call.Progress(absl::StrCat(what, " ", now / kMib, " MiB"));
  }
}

absl::Status Images::CheckDigest(common::CallScope& call, const hypervisor::ImageSource& source,
                                 const std::string& path) {
  if (source.checksum.empty()) return absl::OkStatus();
  std::string expected = absl::AsciiStrToLower(source.checksum);
  if (!absl::StartsWith(expected, "sha256:") && !absl::StartsWith(expected, "sha512:")) {
    DM_ASSIGN_OR_RETURN(const Json list,
                        powershell_.Run(call, kTextScript, {{"url", source.checksum}}));
    expected = hypervisor::DigestInList(Field<std::string>(list, "text", ""),
                                        hypervisor::BaseName(source.url));
    if (expected.empty()) {
      return absl::FailedPreconditionError(
          absl::StrCat(source.checksum, " has no digest of ", hypervisor::BaseName(source.url)));
    }
  }
  call.Progress("Checking the image...");
  const std::pair<std::string, std::string> parts = absl::StrSplit(expected, ':');
  DM_ASSIGN_OR_RETURN(const Json seen,
                      powershell_.Run(call, kDigestScript,
                                      {{"path", path + kPart},
                                       {"algorithm", absl::AsciiStrToUpper(parts.first)},
                                       {"lock", path + kLock},
                                       {"wait", kLockSeconds}},
                                      kLongestCopy));
  const std::string digest =
      !seen.empty() && seen[0].is_string() ? seen[0].get<std::string>() : std::string();
  if (digest == parts.second) return absl::OkStatus();
  DM_RETURN_IF_ERROR(
      powershell_
          .Run(call, kMoveScript,
               {{"path", path + kPart}, {"lock", path + kLock}, {"wait", kLockSeconds}},
               kLongestCopy)
          .status());
  return absl::FailedPreconditionError(
      absl::StrCat(source.url, " has another digest than expected: ", parts.first, ":", digest,
                   " instead of ", expected, "; it was deleted"));
}

absl::Status Images::MakeDisk(common::CallScope& call, const std::string& path,
                              const std::string& disk, int64_t size_mib) {
  std::string head;
  DM_ASSIGN_OR_RETURN(const int64_t size, SizeOf(call, path, &head));
  const hypervisor::DiskFormat format = hypervisor::FormatOf(head);
  Json arguments = {{"image", path},
                    {"disk", disk},
                    {"part", disk + ".part.vhd"},
                    {"footer", ""},
                    {"size", size_mib * kMib}};
  if (format == hypervisor::DiskFormat::kRaw) {
    if (size <= 0 || size % kSector != 0) {
      return BadOption(kImageFlag, absl::StrCat(path, " is no image of a disk"));
    }
    // A fixed VHD begins as raw, too, and goes by its name.
    if (!absl::EndsWithIgnoreCase(path, ".vhd")) {
      arguments["footer"] = absl::Base64Escape(VhdFooter(static_cast<uint64_t>(size)));
    }
  } else if (format != hypervisor::DiskFormat::kVhd && format != hypervisor::DiskFormat::kVhdx) {
    return BadOption(kImageFlag,
                     absl::StrCat(path, " is in format ", hypervisor::FormatName(format),
                                  ", which Hyper-V cannot read: convert it by qemu-img convert -O "
                                  "vhdx -o subformat=dynamic"));
  }
  DM_ASSIGN_OR_RETURN(const Json made, powershell_.Run(call, kDiskScript, arguments, kLongestCopy));
  const int64_t image_mib = (Field<int64_t>(made, "size", 0) + kMib - 1) / kMib;
  if (image_mib <= size_mib) return absl::OkStatus();
  return BadOption(kDiskFlag,
                   absl::StrCat("is less than the image has, which is ", image_mib, " MiB"));
}

}  // namespace machine::driver::hyperv
