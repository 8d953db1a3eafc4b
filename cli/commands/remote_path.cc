#include "cli/commands/remote_path.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace machine::cli {

absl::StatusOr<RemotePath> ParseRemotePath(absl::string_view text) {
  const size_t colon = text.find(':');
  if (colon == absl::string_view::npos || text.find('/') < colon) {
    return RemotePath{.machine = "", .user = "", .path = std::string(text)};
  }
  absl::string_view host = text.substr(0, colon);
  RemotePath parsed;
  parsed.path = std::string(text.substr(colon + 1));
  if (absl::StrContains(parsed.path, ':')) {
    return absl::InvalidArgumentError("The input was malformed");
  }
  if (host == "localhost") return parsed;
  if (const size_t at = host.rfind('@'); at != absl::string_view::npos) {
    parsed.user = std::string(host.substr(0, at));
    host.remove_prefix(at + 1);
  }
  if (host.empty()) return absl::InvalidArgumentError("The input was malformed");
  parsed.machine = std::string(host);
  return parsed;
}

std::string RemotePath::ToString() const {
  // With "./" a name with a colon is not taken for a host's.
  if (!remote())
    return absl::StrContains(path, ':') && path[0] != '/' ? absl::StrCat("./", path) : path;
  return absl::StrCat(user, user.empty() ? "" : "@", machine, ":", path);
}

}  // namespace machine::cli
