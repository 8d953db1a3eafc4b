// Making ssh connections, as a dependency.
#ifndef SERVICES_PROVISIONER_SERVICE_SSH_DIALER_H_
#define SERVICES_PROVISIONER_SERVICE_SSH_DIALER_H_

#include <memory>

#include "absl/status/statusor.h"
#include "services/common/ssh/ssh.h"
#include "services/common/ssh/wait_for_ssh.h"

namespace machine::provisioner {

/// Thread-safe. Both block.
class SshDialer {
 public:
  virtual ~SshDialer() = default;

  /// One try; as SshLoop::Connect().
  virtual absl::StatusOr<std::shared_ptr<common::SshConnection>> Connect(
      const common::SshTarget& target, const common::CallLimits& limits) = 0;

  /// Tries until the time is up; as common::WaitForSsh().
  virtual absl::StatusOr<std::shared_ptr<common::SshConnection>> Wait(
      const common::SshTarget& target, const common::WaitForSshOptions& options) = 0;
};

/// The real one.
class LoopSshDialer final : public SshDialer {
 public:
  absl::StatusOr<std::shared_ptr<common::SshConnection>> Connect(
      const common::SshTarget& target, const common::CallLimits& limits) override {
    return loop_.Connect(target, limits);
  }

  absl::StatusOr<std::shared_ptr<common::SshConnection>> Wait(
      const common::SshTarget& target, const common::WaitForSshOptions& options) override {
    return common::WaitForSsh(loop_, target, options);
  }

 private:
  common::SshLoop loop_;
};

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_SERVICE_SSH_DIALER_H_
