#include "drivers/hypervisor/local_tool_host.h"

#include <algorithm>

#include "services/common/file/file.h"
#include "services/common/process/run.h"
#include "services/common/status/status.h"

namespace machine::driver::hypervisor {

absl::StatusOr<ToolOutput> LocalToolHost::Run(common::CallScope& call,
                                              const std::vector<std::string>& argv,
                                              const ToolInput& input) {
  DM_RETURN_IF_ERROR(call.Check());
  auto ran = common::RunProgram(argv, {.stdin_data = input.stdin_data,
                                       .timeout = std::min(input.timeout, call.Remaining()),
                                       .cancelled = [&call] { return call.cancelled(); }});
  if (absl::IsNotFound(ran.status())) {
    return common::Annotate(ran.status(), argv.front() + " is not installed on this host");
  }
  DM_RETURN_IF_ERROR(ran.status());
  return ToolOutput{.exit_code = ran->signal == 0 ? ran->exit_code : 128 + ran->signal,
                    .out = std::move(ran->stdout_data),
                    .err = std::move(ran->stderr_data)};
}

absl::Status LocalToolHost::WriteFile(common::CallScope& call, absl::string_view path, mode_t mode,
                                      absl::string_view contents) {
  DM_RETURN_IF_ERROR(call.Check());
  return common::WriteFileAtomically(path, contents, mode);
}

absl::StatusOr<std::string> LocalToolHost::ReadFile(common::CallScope& call, absl::string_view path,
                                                    size_t max_bytes) {
  DM_RETURN_IF_ERROR(call.Check());
  return common::ReadFile(path, static_cast<int64_t>(max_bytes));
}

}  // namespace machine::driver::hypervisor
