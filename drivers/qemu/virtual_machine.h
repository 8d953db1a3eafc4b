// A machine's QEMU: whether it runs, starting it, and power.
#ifndef DRIVERS_QEMU_VIRTUAL_MACHINE_H_
#define DRIVERS_QEMU_VIRTUAL_MACHINE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "drivers/sdk/driver.h"
#include "services/common/rpc/call_scope.h"

namespace machine::driver::qemu {

/// QEMU runs beside the driver and outlives it; it is found by the file `pid` in the machine's
/// folder, and spoken to by the socket `qmp` there. Cheap to make. One action at a time.
class VirtualMachine {
 public:
  VirtualMachine(std::string name, std::string uid, std::string folder)
      : name_(std::move(name)), uid_(std::move(uid)), folder_(std::move(folder)) {}

  /// STOPPED where no QEMU runs, else by what it says of itself.
  /// Errors: UNAVAILABLE when it runs and does not answer.
  absl::StatusOr<MachineState> State(const common::CallScope& call) const;
  /// The same, once it is another than STARTING.
  absl::StatusOr<MachineState> SettledState(common::CallScope& call) const;

  /// Starts QEMU by QemuCommand(); OK also when another attempt's is there first.
  /// Errors: FAILED_PRECONDITION HOST_COMMAND_FAILED with QEMU's words.
  absl::Status Launch(common::CallScope& call, const std::vector<std::string>& command) const;

  /// Lets a paused machine go on; OK when it is not paused.
  absl::Status Continue(const common::CallScope& call) const;

  /// Presses the power button until the machine is off. Errors: DEADLINE_EXCEEDED STEP_TIMEOUT
  /// after `grace`; it goes on running then.
  absl::Status PowerOff(const common::CallScope& call, absl::Duration grace) const;

  /// Ends QEMU, by force where it does not answer.
  absl::Status Quit(const common::CallScope& call) const;

 private:
  struct Process {
    pid_t pid = 0;
    int64_t start_time = 0;
  };

  // The machine's QEMU; NOT_FOUND when it does not run.
  absl::StatusOr<Process> Find() const;
  absl::Status Command(const common::CallScope& call, absl::string_view command) const;
  // Whether it has ended by then: not only its pid file is gone, but its locks and ports, too.
  static absl::StatusOr<bool> EndsWithin(const common::CallScope& call, const Process& process,
                                         absl::Duration limit);

  const std::string name_;
  const std::string uid_;
  const std::string folder_;
};

/// Whether QEMU could not start because a port of the host is taken.
bool PortIsTaken(const absl::Status& status);

/// The state of a machine whose QEMU has `status` (RunState of QMP).
MachineState StateOf(absl::string_view status);

}  // namespace machine::driver::qemu

#endif  // DRIVERS_QEMU_VIRTUAL_MACHINE_H_
