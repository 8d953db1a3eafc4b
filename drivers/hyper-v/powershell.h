#ifndef DRIVERS_HYPER_V_POWERSHELL_H_
#define DRIVERS_HYPER_V_POWERSHELL_H_

#include <nlohmann/json.hpp>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "drivers/hypervisor/serial_gate.h"
#include "drivers/hypervisor/tool_host.h"

namespace machine::driver::hyperv {

/// What PowerShell printed, taken apart: the script's value, as an array. What comes before its
/// line is passed over. Errors: NOT_FOUND, or FAILED_PRECONDITION HOST_COMMAND_FAILED, with the
/// words of the error; FAILED_PRECONDITION when there is no such line.
absl::StatusOr<nlohmann::json> ParseAnswer(absl::string_view printed);

/// PowerShell on one host. Thread-safe.
class PowerShell {
 public:
  /// `host` outlives it.
  explicit PowerShell(hypervisor::ToolHost& host) : host_(host) {}

  hypervisor::ToolHost& host() { return host_; }

  /// Runs one of scripts.h with `arguments` as its $a. Errors: as ParseAnswer() or ToolHost::Run();
  /// FAILED_PRECONDITION PRECREATE_CHECK_FAILED when there is no PowerShell.
  absl::StatusOr<nlohmann::json> Run(common::CallScope& call, absl::string_view script,
                                     const nlohmann::json& arguments,
                                     absl::Duration timeout = absl::Minutes(2));

  /// For what Hyper-V does not do twice at once.
  hypervisor::SerialGate& gate() { return gate_; }

 private:
  hypervisor::ToolHost& host_;
  hypervisor::SerialGate gate_;
  absl::Mutex mu_;
  std::string program_ ABSL_GUARDED_BY(mu_) = "powershell.exe";
};

}  // namespace machine::driver::hyperv

#endif  // DRIVERS_HYPER_V_POWERSHELL_H_
