// A reboot of a host over ssh, and the proof that it happened.
#ifndef DRIVERS_GENERIC_REMOTE_REBOOT_H_
#define DRIVERS_GENERIC_REMOTE_REBOOT_H_

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/sdk/driver_call.h"
#include "services/common/clock/clock.h"
#include "services/common/ssh/ssh.h"

namespace machine::driver::generic {

struct RebootRequest {
  common::SshTarget target;
  /// The host's boot when an earlier attempt was about to ask for this reboot; empty when there was
  /// none. A host that has booted since is not rebooted again, and one that does not answer may be
  /// on its way.
  std::string asked_in_boot;
  /// Takes the host's boot before the reboot is asked for, to be given back as `asked_in_boot`.
  std::function<void(const std::string& boot_id)> remember;
};

/// Reboots hosts. Thread-safe.
class Rebooter {
 public:
  virtual ~Rebooter() = default;

  /// Reboots and waits, within the call's deadline, until the host answers ssh after the boot.
  /// Errors: those of ssh; FAILED_PRECONDITION HOST_COMMAND_FAILED when the host refuses to;
  /// DEADLINE_EXCEEDED STEP_TIMEOUT with what was waited for last.
  virtual absl::Status Reboot(DriverCall& call, const RebootRequest& request) = 0;
};

/// Times of an SshRebooter.
struct RebootTimes {
  /// How long a host may take to go down and come back, where the call allows it.
  absl::Duration limit = absl::Minutes(5);
  absl::Duration poll = absl::Milliseconds(500);
};

class SshRebooter final : public Rebooter {
 public:
  /// @param commands  what to try on the host, in turn, until one succeeds; as root or by sudo.
  explicit SshRebooter(std::vector<std::string> commands = {"systemctl reboot", "shutdown -r now"},
                       RebootTimes times = {}, const common::Clock& clock = common::Clock::Real())
      : commands_(std::move(commands)), times_(times), clock_(clock) {}

  absl::Status Reboot(DriverCall& call, const RebootRequest& request) override;

 private:
  /// A host that answers.
  struct Visit {
    std::shared_ptr<common::SshConnection> ssh;
    std::string boot_id;
  };

  common::SshLoop& Loop();
  absl::StatusOr<Visit> Look(DriverCall& call, const common::SshTarget& target);
  /// Looks until `done` says so of a visit, at most until `end` on the clock.
  absl::StatusOr<Visit> Await(DriverCall& call, const common::SshTarget& target, absl::Duration end,
                              const std::function<bool(const Visit&)>& done);

  std::once_flag loop_once_;
  std::unique_ptr<common::SshLoop> loop_;  // Made when first needed, because it has a thread.
  const std::vector<std::string> commands_;
  const RebootTimes times_;
  const common::Clock& clock_;
};

/// What changes with each boot, from the output of kBootIdCommand: the kernel's boot id and the
/// start of process 1. The second tells boots apart where the kernel is shared, as in a container.
/// INTERNAL when `output` holds none.
absl::StatusOr<std::string> ParseBootId(absl::string_view output);

inline constexpr char kBootIdCommand[] = "cat /proc/sys/kernel/random/boot_id /proc/1/stat";

}  // namespace machine::driver::generic

#endif  // DRIVERS_GENERIC_REMOTE_REBOOT_H_
