#include "services/provisioner/steps/host_script.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "services/common/status/status.h"
#include "services/provisioner/host/shell_text.h"

namespace machine::provisioner {
namespace {

using ::machine::common::Error;

constexpr char kHeadScript[] =
#include "services/provisioner/host/head.sh.inc"
    ;

// The first boot of a cloud image with updates takes minutes; beyond this somebody should look.
constexpr absl::Duration kLongestWait = absl::Minutes(10);

struct Failure {
  std::string what;
  std::string status;
  std::vector<std::string> output;
};

Failure ReadFailure(absl::string_view stdout_data) {
  Failure failure;
  for (absl::string_view line : absl::StrSplit(stdout_data, '\n')) {
    if (absl::ConsumePrefix(&line, "@failed ")) {
      failure = Failure();  // Only the last one counts.
      failure.what = PrintableText(line);
    } else if (absl::ConsumePrefix(&line, "@status ")) {
      failure.status = PrintableText(line, 10);
    } else if (absl::ConsumePrefix(&line, "@output ")) {
      failure.output.push_back(PrintableText(line, 500));
    }
  }
  return failure;
}

absl::Status FailureStatus(const common::CommandResult& result, absl::string_view step) {
  Failure failure = ReadFailure(result.stdout_data);
  if (failure.what.empty()) {
    failure.what = step == "install" ? "installing the engine" : absl::StrCat("step ", step);
    failure.status = absl::StrCat(result.exit_code);
  }
  if (failure.output.empty()) {
    const std::string words =
        PrintableText(absl::StripAsciiWhitespace(result.stderr_data), /*max_bytes=*/1000);
    if (!words.empty()) failure.output.push_back(words);
  }
  std::string message = absl::StrCat(failure.what, " failed on the host");
  if (!result.signal.empty()) absl::StrAppend(&message, " by signal ", result.signal);
  if (!failure.output.empty()) absl::StrAppend(&message, ": ", absl::StrJoin(failure.output, "\n"));
  return Error(absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_HOST_COMMAND_FAILED,
               message, {{"step", std::string(step)}, {"exit_code", failure.status}});
}

}  // namespace

absl::StatusOr<ScriptOutcome> RunHostScript(common::CallScope& call, RemoteHost& host, RunAs run_as,
                                            absl::string_view step, absl::string_view text) {
  HostScript script;
  script.run_as = run_as;
  // Time is left for the work itself.
  const absl::Duration wait = std::min(call.Remaining() / 2, kLongestWait);
  script.text = absl::StrCat(
      ShellVariable("wait_seconds", absl::StrCat(absl::ToInt64Seconds(wait))), kHeadScript, text);
  script.on_line = [&call](absl::string_view line) {
    if (absl::ConsumePrefix(&line, "@say ")) {
      call.Progress(PrintableText(line, 300));
    } else if (absl::ConsumePrefix(&line, "@at ")) {
      call.Debug(PrintableText(line, 300));
    }
  };
  DM_ASSIGN_OR_RETURN(common::CommandResult result, host.Run(call, script));
  if (!result.ok()) return FailureStatus(result, step);
  ScriptOutcome outcome;
  outcome.changed = absl::StrContains(result.stdout_data, "@changed\n");
  outcome.output = std::move(result.stdout_data);
  return outcome;
}

}  // namespace machine::provisioner
