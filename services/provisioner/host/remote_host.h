// A host as the steps of a provision see it: something that runs shell scripts.
#ifndef SERVICES_PROVISIONER_HOST_REMOTE_HOST_H_
#define SERVICES_PROVISIONER_HOST_REMOTE_HOST_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/common/rpc/call_scope.h"
#include "services/common/ssh/ssh.h"

namespace machine::provisioner {

/// Who a script runs as.
enum class RunAs {
  kLogin,  ///< The login user.
  kSudo,   ///< root by `sudo -n`; for login users that may.
};

/// A POSIX shell script. It travels over standard input, never in a command line, so it may hold
/// secrets; its own commands read from /dev/null.
struct HostScript {
  RunAs run_as = RunAs::kLogin;
  std::string text;
  /// Each line of standard output as it arrives, on the calling thread. May be empty.
  std::function<void(absl::string_view line)> on_line;
};

/// Runs scripts on one host for one call. Not thread-safe.
class RemoteHost {
 public:
  virtual ~RemoteHost() = default;

  /// Blocks until the script has ended. OK whatever its exit code. Otherwise UNAVAILABLE
  /// SSH_UNREACHABLE, DEADLINE_EXCEEDED STEP_TIMEOUT or CANCELLED. A script that was cut off on its
  /// way does not run at all.
  virtual absl::StatusOr<common::CommandResult> Run(common::CallScope& call,
                                                    const HostScript& script) = 0;

  /// Commands run so far.
  virtual int commands_run() const = 0;
  /// SHA-256 of the host's ssh key, base64 without padding.
  virtual std::string host_key_sha256() const = 0;
  /// The login name.
  virtual std::string user() const = 0;
};

/// A host over ssh.
class SshHost final : public RemoteHost {
 public:
  SshHost(std::shared_ptr<common::SshConnection> connection, absl::string_view user);

  absl::StatusOr<common::CommandResult> Run(common::CallScope& call,
                                            const HostScript& script) override;
  int commands_run() const override { return commands_run_; }
  std::string host_key_sha256() const override { return connection_->host_key_sha256(); }
  std::string user() const override { return user_; }

 private:
  const std::shared_ptr<common::SshConnection> connection_;
  const std::string user_;
  int commands_run_ = 0;
};

/// The limits of `call` for the ssh layer.
common::CallLimits LimitsOf(const common::CallScope& call);

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_HOST_REMOTE_HOST_H_
