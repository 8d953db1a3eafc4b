#include "services/provisioner/host/remote_host.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace machine::provisioner {
namespace {

// Some shells read a script from standard input in blocks, so commands of the script must not share
// it. And as a function it is parsed to its end before its first command runs.
std::string AsFunction(absl::string_view script) {
  return absl::StrCat("machine_script() {\n", script, "\n}\nmachine_script </dev/null\nexit $?\n");
}

}  // namespace

SshHost::SshHost(std::shared_ptr<common::SshConnection> connection, absl::string_view user)
    : connection_(std::move(connection)), user_(user) {}

absl::StatusOr<common::CommandResult> SshHost::Run(common::CallScope& call,
                                                   const HostScript& script) {
  if (absl::Status status = call.Check(); !status.ok()) return status;
  ++commands_run_;
  common::CommandOptions options;
  options.stdin_data = AsFunction(script.text);
  options.limits = LimitsOf(call);
  options.max_output_bytes = 1 << 20;
  options.on_stdout_line = script.on_line;
  return connection_->Run(script.run_as == RunAs::kSudo ? "sudo -n sh -s" : "sh -s",
                          std::move(options));
}

common::CallLimits LimitsOf(const common::CallScope& call) {
  common::CallLimits limits;
  limits.deadline = call.deadline();
  limits.cancelled = [cancellation = call.cancellation()] { return cancellation->cancelled(); };
  return limits;
}

}  // namespace machine::provisioner
