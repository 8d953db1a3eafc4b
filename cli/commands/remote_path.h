// "[[user@]machine:]path", as `scp` and `mount` take it.
#ifndef CLI_COMMANDS_REMOTE_PATH_H_
#define CLI_COMMANDS_REMOTE_PATH_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace machine::cli {

struct RemotePath {
  /// Empty for a path on this host.
  std::string machine;
  /// Empty for the machine's own login.
  std::string user;
  std::string path;

  bool remote() const { return !machine.empty(); }
  /// As scp, rsync and sshfs take it, where "ssh MACHINE" reaches the machine.
  std::string ToString() const;
};

/// Reads `text`; "localhost:" means this host, and so does a text whose first '/' comes before a
/// colon. INVALID_ARGUMENT for a text with two colons.
absl::StatusOr<RemotePath> ParseRemotePath(absl::string_view text);

}  // namespace machine::cli

#endif  // CLI_COMMANDS_REMOTE_PATH_H_
