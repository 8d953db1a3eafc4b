#ifndef DRIVERS_VIRTUALBOX_VBOX_MANAGE_H_
#define DRIVERS_VIRTUALBOX_VBOX_MANAGE_H_

#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "drivers/hypervisor/serial_gate.h"
#include "drivers/hypervisor/tool_host.h"
#include "drivers/virtualbox/outputs.h"

namespace machine::driver::virtualbox {

/// VirtualBox's tool on one host. What changes something runs one at a time. Thread-safe.
class VBoxManage {
 public:
  /// `host` outlives it.
  explicit VBoxManage(hypervisor::ToolHost& host) : host_(host) {}

  hypervisor::ToolHost& host() { return host_; }

  /// Version, asked for once. Errors: FAILED_PRECONDITION when it is not installed; or those of
  /// ToolHost::Run().
  absl::StatusOr<Version> GetVersion(common::CallScope& call);

  /// Standard output of a command that changes nothing. Errors: NOT_FOUND for an object that
  /// VirtualBox does not know, ALREADY_EXISTS, ABORTED when it stays locked, else
  /// FAILED_PRECONDITION HOST_COMMAND_FAILED with VBoxManage's words; or those of ToolHost::Run().
  absl::StatusOr<std::string> Read(common::CallScope& call, std::vector<std::string> args);

  /// The same of a command that changes something. For some seconds it is tried again while the
  /// machine is locked, as it is shortly after each power off.
  absl::StatusOr<std::string> Write(common::CallScope& call, std::vector<std::string> args,
                                    const hypervisor::ToolInput& input = {});

  /// Several of both, not interrupted by others' changes.
  hypervisor::SerialGate& gate() { return setup_; }

 private:
  absl::StatusOr<std::string> Program(common::CallScope& call);
  absl::StatusOr<std::string> Run(common::CallScope& call, std::vector<std::string> args,
                                  const hypervisor::ToolInput& input);

  hypervisor::ToolHost& host_;
  hypervisor::SerialGate writes_;
  hypervisor::SerialGate setup_;
  absl::Mutex mu_;
  // Both empty until they were found.
  std::string program_ ABSL_GUARDED_BY(mu_);
  Version version_ ABSL_GUARDED_BY(mu_);
};

/// What VBoxManage's standard error says, without progress and technical lines.
std::string ErrorWords(absl::string_view standard_error);

}  // namespace machine::driver::virtualbox

#endif  // DRIVERS_VIRTUALBOX_VBOX_MANAGE_H_
