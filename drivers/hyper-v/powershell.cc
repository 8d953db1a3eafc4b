#include "drivers/hyper-v/powershell.h"

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "drivers/hyper-v/scripts.h"
#include "services/common/status/status.h"

namespace machine::driver::hyperv {
namespace {

using Json = nlohmann::json;

std::string Text(const Json& json, const char* key) {
  const auto it = json.find(key);
  return it != json.end() && it->is_string() ? it->get<std::string>() : std::string();
}

bool IsMissing(const absl::StatusOr<hypervisor::ToolOutput>& output) {
  // 9009 of cmd.exe, of which ssh passes eight bits or all.
  constexpr int kPosix = 127;
  constexpr int kWindows = 9009;
  return absl::IsNotFound(output.status()) ||
         (output.ok() && (output->exit_code == kPosix || output->exit_code == kWindows));
}

}  // namespace

absl::StatusOr<Json> ParseAnswer(absl::string_view printed) {
  for (absl::string_view line : absl::StrSplit(printed, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (!absl::StartsWith(line, "{")) continue;
    const Json answer = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!answer.is_object() || !answer.contains("ok") || !answer["ok"].is_boolean()) continue;
    if (answer["ok"].get<bool>()) {
      const auto value = answer.find("value");
      if (value == answer.end() || value->is_null()) return Json::array();
      return value->is_array() ? *value : Json::array({*value});
    }
    const std::string words = absl::StrCat("Hyper-V: ", Text(answer, "error"));
    // Ids of errors are not translated.
    const std::string id = Text(answer, "id");
    if (absl::StartsWith(id, "ObjectNotFound") || absl::StartsWith(id, "PathNotFound")) {
      return absl::NotFoundError(words);
    }
    return common::Error(absl::StatusCode::kFailedPrecondition,
                         machine::v1::ERROR_REASON_HOST_COMMAND_FAILED, words);
  }
  return absl::FailedPreconditionError(
      absl::StrCat("PowerShell printed no answer: \"", printed.substr(0, 300), "\""));
}

absl::StatusOr<Json> PowerShell::Run(common::CallScope& call, absl::string_view script,
                                     const Json& arguments, absl::Duration timeout) {
  DM_RETURN_IF_ERROR(call.Check());
  const std::string command = EncodedCommand(WholeScript(script));
  // ASCII, as PowerShell would read anything else by the host's code page.
  const hypervisor::ToolInput input = {
      .stdin_data = arguments.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace),
      .timeout = timeout};
  for (const bool last : {false, true}) {
    std::string program;
    {
      absl::MutexLock lock(&mu_);
      program = program_;
    }
    const auto output = host_.Run(call,
                                  {program, "-NoProfile", "-NonInteractive", "-ExecutionPolicy",
                                   "Bypass", "-OutputFormat", "Text", "-EncodedCommand", command},
                                  input);
    if (IsMissing(output) && !last) {
      absl::MutexLock lock(&mu_);
      program_ = program == "pwsh" ? "powershell.exe" : "pwsh";
      continue;
    }
    if (IsMissing(output)) {
      return common::Error(
          absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_PRECREATE_CHECK_FAILED,
          absl::StrCat("PowerShell is not installed on ", host_.name(),
                       ": name a Windows host with Hyper-V by --hyper-v-host ssh://USER@HOST"));
    }
    DM_RETURN_IF_ERROR(output.status());
    absl::StatusOr<Json> answer = ParseAnswer(output->out);
    if (answer.ok() || output->ok() || absl::StrContains(output->out, "\"ok\"")) return answer;
    return hypervisor::ToolError("PowerShell", *output);
  }
  return absl::InternalError("PowerShell was looked for in vain");
}

}  // namespace machine::driver::hyperv
