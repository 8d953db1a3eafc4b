// One machine in VirtualBox: what it is, power, and its end.
#ifndef DRIVERS_VIRTUALBOX_VIRTUAL_MACHINE_H_
#define DRIVERS_VIRTUALBOX_VIRTUAL_MACHINE_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "drivers/sdk/driver.h"
#include "drivers/virtualbox/outputs.h"
#include "drivers/virtualbox/vbox_manage.h"

namespace machine::driver::virtualbox {

/// The state of a machine of which showvminfo says VMState="`state`".
MachineState StateOf(absl::string_view state);

/// A port of VirtualBox's host that leads into a machine.
struct ForwardedPort {
  std::string address;
  int host = 0;
  int guest = 0;
};

/// What showvminfo says of a machine.
class VmInfo {
 public:
  explicit VmInfo(Fields fields) : fields_(std::move(fields)) {}

  const std::string& Get(absl::string_view key) const { return FieldOf(fields_, key); }
  MachineState state() const { return StateOf(Get("VMState")); }
  /// The port with the rule `name`; no value when there is no such rule.
  std::optional<ForwardedPort> Forwarded(absl::string_view name) const;
  /// Path of what is in port `port` of the controller SATA; empty for nothing.
  std::string Medium(int port) const;
  bool HasController() const { return Get("storagecontrollername0") == "SATA"; }
  /// Whether a shared folder is named so.
  bool HasShare(absl::string_view name) const;
  /// The hardware address of network interface `number`, "08:00:27:…"; empty for none.
  std::string Mac(int number) const;

 private:
  Fields fields_;
};

/// Cheap to make. One action at a time.
class VirtualMachine {
 public:
  /// `id` is the UUID, or the name of a machine that was imported; `name` is for messages.
  VirtualMachine(VBoxManage& vbox, std::string id, std::string name)
      : vbox_(vbox), id_(std::move(id)), name_(std::move(name)) {}

  const std::string& id() const { return id_; }

  /// No value when VirtualBox does not know it.
  absl::StatusOr<std::optional<VmInfo>> Look(common::CallScope& call) const;

  /// Has it run, whatever it did before, shown as `ui` says.
  absl::Status PowerOn(common::CallScope& call, const std::string& ui) const;

  /// What becomes of a guest that does not shut down in time.
  enum class Disobedient { kGoesOn, kIsPoweredOff };

  /// Presses the power button until it is off. A machine whose memory is on disk is left as it is.
  /// Errors: DEADLINE_EXCEEDED STEP_TIMEOUT after `grace` when it is to go on then.
  absl::Status PowerOff(common::CallScope& call, absl::Duration grace,
                        Disobedient disobedient) const;

  /// Powers off at once, and drops memory that is on disk.
  absl::Status Kill(common::CallScope& call) const;

  /// Removes it with its disks, running or not; OK when it is not there.
  absl::Status Delete(common::CallScope& call) const;

 private:
  absl::StatusOr<VmInfo> Require(common::CallScope& call) const;
  // Waits until it is in no state that passes.
  absl::StatusOr<VmInfo> Settled(common::CallScope& call) const;
  absl::Status Control(common::CallScope& call, const std::string& verb) const;

  VBoxManage& vbox_;
  const std::string id_;
  const std::string name_;
};

}  // namespace machine::driver::virtualbox

#endif  // DRIVERS_VIRTUALBOX_VIRTUAL_MACHINE_H_
