// Waiting until a booting host takes connections.
#ifndef SERVICES_COMMON_SSH_WAIT_FOR_SSH_H_
#define SERVICES_COMMON_SSH_WAIT_FOR_SSH_H_

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/common/ssh/ssh.h"

namespace machine::common {

struct WaitForSshOptions {
  /// When to give up, and whether it is still wanted.
  CallLimits limits;
  /// How long a refused key is tried again: a booting cloud image may get its keys late. At most
  /// 10 s, counted from the first refusal; zero makes the first refusal final.
  absl::Duration key_refused_grace = absl::ZeroDuration();
  /// After each failed try, on the calling thread.
  std::function<void(const absl::Status& status)> on_attempt;
};

/// Connects, and tries again after 0.1 s, growing to 1 s, while the host cannot be reached. Errors
/// are those of SshLoop::Connect(), of which SSH_UNREACHABLE says how long was waited and the last
/// cause: "waiting for SSH on 10.0.0.1:22 for 60 s: connecting to 10.0.0.1:22: Connection refused".
absl::StatusOr<std::shared_ptr<SshConnection>> WaitForSsh(SshLoop& loop, const SshTarget& target,
                                                          const WaitForSshOptions& options);

}  // namespace machine::common

#endif  // SERVICES_COMMON_SSH_WAIT_FOR_SSH_H_
