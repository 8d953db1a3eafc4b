#include "drivers/hypervisor/image_store.h"

#include <optional>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "services/common/crypto/digest.h"
#include "services/common/status/status.h"

namespace machine::driver::hypervisor {
namespace {

// One call of curl fetches for so long; between two, progress is shown and a cancel obeyed.
constexpr absl::Duration kTurn = absl::Seconds(10);
// In a row, without a byte.
constexpr int kMostFruitless = 5;
constexpr size_t kMostDigests = 4 << 20;
// Exit codes of curl(1).
constexpr int kCurlTimeIsUp = 28;
constexpr int kCurlHttpError = 22;
constexpr int kCurlNoFile = 37;
constexpr int kCurlNoRanges = 33;

// Runs the rest alone on this cache, where the host has flock(1): the curl of a driver that was
// killed, or another driver's, may write to the same file.
constexpr char kAlone[] =
    "command -v \"$1\" >/dev/null || exit 127; "
    "if command -v flock >/dev/null; then exec flock \"$0\" \"$@\"; else exec \"$@\"; fi";

bool IsHex(absl::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdef") == absl::string_view::npos;
}

// Of a list "HEX  NAME" or "HEX *NAME", one a line.
std::string FindDigest(absl::string_view list, absl::string_view name) {
  for (const absl::string_view line : absl::StrSplit(list, '\n')) {
    const std::pair<absl::string_view, absl::string_view> words =
        absl::StrSplit(line, absl::MaxSplits(' ', 1));
    absl::string_view file = absl::StripAsciiWhitespace(words.second);
    absl::ConsumePrefix(&file, "*");
    absl::ConsumePrefix(&file, "./");
    if (file == name) return absl::AsciiStrToLower(words.first);
  }
  return "";
}

absl::StatusOr<int64_t> SizeOf(ToolHost& host, common::CallScope& call, const std::string& path) {
  DM_ASSIGN_OR_RETURN(const ToolOutput counted,
                      host.Run(call, {"sh", "-c", "wc -c <\"$1\"", "sh", path}));
  int64_t size = 0;
  if (!counted.ok() || !absl::SimpleAtoi(absl::StripAsciiWhitespace(counted.out), &size)) return 0;
  return size;
}

// What the server says that the whole has; no value where it says nothing.
absl::StatusOr<std::optional<int64_t>> LengthOf(ToolHost& host, common::CallScope& call,
                                                const std::string& url) {
  DM_ASSIGN_OR_RETURN(const ToolOutput head,
                      host.Run(call, {"curl", "--silent", "--location", "--head", "--fail",
                                      "--max-time", "20", "--", url}));
  std::optional<int64_t> length;
  for (absl::string_view line : absl::StrSplit(absl::AsciiStrToLower(head.out), '\n')) {
    int64_t value = 0;
    // After a redirect, the last answer counts.
    if (absl::ConsumePrefix(&line, "content-length:") &&
        absl::SimpleAtoi(absl::StripAsciiWhitespace(line), &value) && value > 0) {
      length = value;
    }
  }
  return length;
}

absl::Status CurlError(const std::string& url, const ToolOutput& output) {
  const std::string said(absl::StripAsciiWhitespace(output.err));
  const std::string message = absl::StrCat("fetching ", url, ": ", said);
  if (output.exit_code == 127) {
    return absl::NotFoundError("curl is not installed on the hypervisor's host");
  }
  if (output.exit_code == kCurlNoFile ||
      (output.exit_code == kCurlHttpError && absl::StrContains(said, "404"))) {
    return absl::NotFoundError(message);
  }
  return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN,
                       message);
}

}  // namespace

std::string BaseName(absl::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  std::string name;
  for (const char c : url.substr(url.rfind('/') + 1)) {
    const bool plain = absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-';
    name.push_back(plain ? c : '_');
  }
  return name;
}

std::string CacheName(const ImageSource& source) {
  return absl::StrCat(
      common::Sha256Hex(absl::StrCat(source.url, "\n", source.checksum)).substr(0, 16), "-",
      BaseName(source.url));
}

std::string DigestInList(absl::string_view list, absl::string_view name) {
  const std::string digest = FindDigest(list, name);
  if (!IsHex(digest)) return "";
  constexpr size_t kSha512Digits = 128;
  return absl::StrCat(digest.size() == kSha512Digits ? "sha512:" : "sha256:", digest);
}

absl::StatusOr<std::string> ImageStore::Fetch(common::CallScope& call, const ImageSource& source) {
  if (absl::StartsWith(source.url, "/")) {
    DM_ASSIGN_OR_RETURN(const bool there, Exists(host_, call, source.url));
    if (there) return source.url;
    return absl::NotFoundError(
        absl::StrCat(source.url, ": there is no such file on ", host_.name()));
  }
  // The digest is part of the name: what was right for another one is fetched anew.
  const std::string name = CacheName(source);
  const std::string path = absl::StrCat(cache_, "/", name);

  std::shared_ptr<Turn> turn;
  {
    absl::MutexLock lock(&mu_);
    auto& slot = turns_[name];
    if (slot == nullptr) slot = std::make_shared<Turn>();
    turn = slot;
    while (turn->taken) {
      const auto free = [&turn] { return !turn->taken; };
      mu_.AwaitWithTimeout(absl::Condition(&free), absl::Milliseconds(200));
      DM_RETURN_IF_ERROR(call.Check());
    }
    turn->taken = true;
  }
  const absl::Cleanup done = [&] {
    absl::MutexLock lock(&mu_);
    turn->taken = false;
  };

  DM_ASSIGN_OR_RETURN(const bool there, Exists(host_, call, path));
  if (there) return path;
  DM_RETURN_IF_ERROR(MakeFolder(host_, call, cache_));
  DM_ASSIGN_OR_RETURN(const std::string digest, ExpectedDigest(call, source));
  const std::string part = path + ".part";
  const auto finish = [&]() -> absl::Status {
    DM_RETURN_IF_ERROR(Download(call, source.url, part));
    DM_RETURN_IF_ERROR(CheckDigest(call, digest, part, source.url));
    return RunTool(host_, call, {"mv", "-f", "--", part, path}).status();
  };
  const absl::Status finished = finish();
  if (finished.ok()) return path;
  // Another driver may have taken the file to where it belongs.
  DM_RETURN_IF_ERROR(call.Check());
  DM_ASSIGN_OR_RETURN(const bool taken, Exists(host_, call, path));
  if (taken) return path;
  return finished;
}

absl::Status ImageStore::Download(common::CallScope& call, const std::string& url,
                                  const std::string& part) {
  const std::string what = absl::StrCat("Downloading ", BaseName(url), "...");
  call.Info(what);
  DM_ASSIGN_OR_RETURN(const std::optional<int64_t> length, LengthOf(host_, call, url));
  DM_ASSIGN_OR_RETURN(int64_t before, SizeOf(host_, call, part));
  // A whole one from a run that was cut off before the check; asking for more would be an error.
  if (length.has_value() && before == *length) return absl::OkStatus();
  bool in_turns = true;
  int fruitless = 0;
  for (;;) {
    std::vector<std::string> argv = {"sh",       "-c",           kAlone,   cache_,       "curl",
                                     "--silent", "--show-error", "--fail", "--location", "--output",
                                     part};
    if (in_turns) {
      argv.insert(argv.end(),
                  {"--continue-at", "-", "--max-time", absl::StrCat(absl::ToInt64Seconds(kTurn))});
    }
    argv.insert(argv.end(), {"--", url});
    DM_ASSIGN_OR_RETURN(const ToolOutput fetched,
                        host_.Run(call, argv, {.timeout = absl::InfiniteDuration()}));
    if (fetched.ok()) return absl::OkStatus();
    if (fetched.exit_code == kCurlNoRanges && in_turns) {  // Then all in one go.
      in_turns = false;
      continue;
    }
    DM_ASSIGN_OR_RETURN(const int64_t now, SizeOf(host_, call, part));
    fruitless = now > before ? 0 : fruitless + 1;
    before = now;
    // Another has got the rest while this one waited; asking for more was the error.
    if (fetched.exit_code == kCurlHttpError && length.has_value() && now == *length) {
      return absl::OkStatus();
    }
    const absl::Status error = CurlError(url, fetched);
    const bool final = absl::IsNotFound(error) || fetched.exit_code == kCurlHttpError;
    if (final || fruitless >= kMostFruitless) return error;
    if (fetched.exit_code != kCurlTimeIsUp) DM_RETURN_IF_ERROR(call.Sleep(absl::Seconds(1)));
    const int percent =
        length.has_value() ? static_cast<int>(std::min<int64_t>(100 * now / *length, 100)) : -1;
    call.Progress(absl::StrCat(what, " ", now >> 20, " MiB"), percent);
  }
}

absl::StatusOr<std::string> ImageStore::ExpectedDigest(common::CallScope& call,
                                                       const ImageSource& source) {
  if (source.checksum.empty()) return std::string();
  for (const absl::string_view kind : {"sha256:", "sha512:"}) {
    if (!absl::StartsWith(source.checksum, kind)) continue;
    const std::string digest = absl::AsciiStrToLower(source.checksum);
    if (IsHex(digest.substr(kind.size()))) return digest;
    return absl::InvalidArgumentError(
        absl::StrCat("\"", source.checksum, "\" is no ", kind, "HEX"));
  }
  DM_ASSIGN_OR_RETURN(
      const ToolOutput list,
      host_.Run(call, {"curl", "--silent", "--show-error", "--fail", "--location", "--max-time",
                       "60", "--max-filesize", absl::StrCat(kMostDigests), "--", source.checksum}));
  if (!list.ok()) return CurlError(source.checksum, list);
  std::string digest = DigestInList(list.out, BaseName(source.url));
  if (!digest.empty()) return digest;
  return absl::FailedPreconditionError(
      absl::StrCat(source.checksum, " has no digest of ", BaseName(source.url)));
}

absl::Status ImageStore::CheckDigest(common::CallScope& call, const std::string& expected,
                                     const std::string& path, const std::string& url) {
  if (expected.empty()) return absl::OkStatus();
  const std::pair<std::string, std::string> parts = absl::StrSplit(expected, ':');
  const std::string bits = parts.first.substr(3);
  call.Progress("Checking the image...");
  // Linux has the one, macOS the other.
  DM_ASSIGN_OR_RETURN(const std::string printed,
                      RunTool(host_, call,
                              {"sh", "-c",
                               "if command -v \"sha$1sum\" >/dev/null; then \"sha$1sum\" \"$2\"; "
                               "else shasum -a \"$1\" \"$2\"; fi",
                               "sh", bits, path},
                              {.timeout = absl::Minutes(10)}));
  const std::string digest(printed.substr(0, printed.find(' ')));
  if (digest == parts.second) return absl::OkStatus();
  DM_RETURN_IF_ERROR(RemoveTree(host_, call, path));
  return absl::FailedPreconditionError(
      absl::StrCat(url, " has another digest than expected: ", parts.first, ":", digest,
                   " instead of ", expected, "; it was deleted"));
}

}  // namespace machine::driver::hypervisor
