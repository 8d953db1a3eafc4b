#include "drivers/hypervisor/tool_host.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"

namespace machine::driver::hypervisor {
namespace {

// Of what a tool printed: enough for a reader, not a whole log.
constexpr size_t kMostSaid = 1000;

std::string Last(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  if (text.size() <= kMostSaid) return std::string(text);
  return absl::StrCat("…", text.substr(text.size() - kMostSaid));
}

}  // namespace

absl::Status ToolError(absl::string_view what, const ToolOutput& output) {
  if (output.ok()) return absl::OkStatus();
  std::string said = Last(output.err);
  if (said.empty()) said = Last(output.out);
  if (said.empty()) said = absl::StrCat("exit status ", output.exit_code);
  return absl::FailedPreconditionError(absl::StrCat(what, ": ", said));
}

absl::StatusOr<std::string> RunTool(ToolHost& host, common::CallScope& call,
                                    const std::vector<std::string>& argv, const ToolInput& input) {
  DM_ASSIGN_OR_RETURN(ToolOutput output, host.Run(call, argv, input));
  DM_RETURN_IF_ERROR(ToolError(argv.front(), output));
  return std::move(output.out);
}

absl::Status MakeFolder(ToolHost& host, common::CallScope& call, absl::string_view path) {
  return RunTool(host, call,
                 {"sh", "-c", "umask 077 && exec mkdir -p -- \"$1\"", "sh", std::string(path)})
      .status();
}

absl::Status RemoveTree(ToolHost& host, common::CallScope& call, absl::string_view path) {
  return RunTool(host, call, {"rm", "-rf", "--", std::string(path)}).status();
}

absl::StatusOr<bool> Exists(ToolHost& host, common::CallScope& call, absl::string_view path) {
  DM_ASSIGN_OR_RETURN(const ToolOutput output, host.Run(call, {"test", "-e", std::string(path)}));
  if (output.exit_code > 1) return ToolError("test", output);
  return output.ok();
}

}  // namespace machine::driver::hypervisor
