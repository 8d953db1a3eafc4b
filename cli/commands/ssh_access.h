// What OpenSSH's programs need to reach machines: an ssh configuration with each machine's address,
// key and pinned host key.
#ifndef CLI_COMMANDS_SSH_ACCESS_H_
#define CLI_COMMANDS_SSH_ACCESS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/commands/command.h"

namespace machine::cli {

/// How to log in to one machine.
struct SshAccess {
  std::string machine;
  std::string host;
  int port = 22;
  std::string user;
  /// Private key, readable by this user only; empty means the user's agent and own keys.
  std::string key_path;
  /// As ssh prints it after "SHA256:"; empty before the first contact.
  std::string host_key_sha256;
  /// The host cannot be reached from here, so the way leads through the orchestrator.
  bool through_orchestrator = false;
  /// ssh is given a connection that this program makes, which sends at once: ssh's own waits for an
  /// acknowledgement three times in a short command, 40 ms each. Not for a call in which an option
  /// of the user's may ask for another way to the host.
  bool dial_for_ssh = false;
};

/// Asks for the access to `machine` and has its key in place. The error to print when there is
/// none, with reason MACHINE_NOT_RUNNING where the machine has no address.
absl::StatusOr<SshAccess> GetSshAccess(CommandContext& context, absl::string_view machine);

/// As GetSshAccess(), and an error when no host key is pinned.
absl::StatusOr<SshAccess> GetPinnedSshAccess(CommandContext& context, const std::string& machine);

/// The lines of an ssh configuration after which "ssh MACHINE" reaches each of `machines`. Only the
/// pinned host key is accepted, and no file of the user's is read or written.
std::string SshConfig(const CommandContext& context, const std::vector<SshAccess>& machines);

/// A file with SshConfig(), removed at the end.
class SshConfigFile {
 public:
  static absl::StatusOr<SshConfigFile> Make(const CommandContext& context,
                                            const std::vector<SshAccess>& machines);
  SshConfigFile(SshConfigFile&& other) noexcept;
  SshConfigFile& operator=(SshConfigFile&&) = delete;
  ~SshConfigFile();

  const std::string& path() const { return path_; }

 private:
  explicit SshConfigFile(std::string path) : path_(std::move(path)) {}

  std::string path_;
};

}  // namespace machine::cli

#endif  // CLI_COMMANDS_SSH_ACCESS_H_
