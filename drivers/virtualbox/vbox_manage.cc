#include "drivers/virtualbox/vbox_manage.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "services/common/status/status.h"

namespace machine::driver::virtualbox {
namespace {

// A lock is let go of within a second or two after the machine's end.
constexpr absl::Duration kLockPoll = absl::Milliseconds(200);
constexpr int kMostLockPolls = 50;

// Where installers put it; shells that are no login shells may not look there.
constexpr char kFind[] =
    "for p in VBoxManage /usr/local/bin/VBoxManage /opt/VirtualBox/VBoxManage "
    "/Applications/VirtualBox.app/Contents/MacOS/VBoxManage; do "
    "command -v \"$p\" && exit 0; done; exit 127";

absl::Status CommandError(const std::string& command, const hypervisor::ToolOutput& output) {
  std::string words = ErrorWords(output.err);
  if (words.empty()) words = ErrorWords(output.out);
  if (words.empty()) words = absl::StrCat("exit status ", output.exit_code);
  const std::string message = absl::StrCat("VBoxManage ", command, ": ", words);
  // The words may be translated, the codes are not.
  if (absl::StrContains(output.err, "VBOX_E_OBJECT_NOT_FOUND")) {
    return absl::NotFoundError(message);
  }
  if (absl::StrContains(output.err, "VBOX_E_INVALID_OBJECT_STATE") ||
      absl::StrContains(output.err, "VBOX_E_OBJECT_IN_USE")) {
    return absl::AbortedError(message);
  }
  if (absl::StrContains(words, "already exists")) return absl::AlreadyExistsError(message);
  return common::Error(absl::StatusCode::kFailedPrecondition,
                       machine::v1::ERROR_REASON_HOST_COMMAND_FAILED, message);
}

}  // namespace

std::string ErrorWords(absl::string_view standard_error) {
  std::vector<absl::string_view> said;
  for (absl::string_view line : absl::StrSplit(standard_error, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (!absl::ConsumePrefix(&line, "VBoxManage: error: ") &&
        !absl::ConsumePrefix(&line, "VBoxManage.exe: error: ")) {
      continue;
    }
    if (absl::StartsWith(line, "Details:") || absl::StartsWith(line, "Context:")) continue;
    said.push_back(line);
  }
  return absl::StrJoin(said, " ");
}

absl::StatusOr<std::string> VBoxManage::Program(common::CallScope& call) {
  {
    absl::MutexLock lock(&mu_);
    if (!program_.empty()) return program_;
  }
  DM_ASSIGN_OR_RETURN(const hypervisor::ToolOutput found, host_.Run(call, {"sh", "-c", kFind}));
  const std::string path(absl::StripAsciiWhitespace(found.out));
  if (!found.ok() || path.empty()) {
    return common::Error(
        absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_PRECREATE_CHECK_FAILED,
        absl::StrCat("VBoxManage is not installed on ", host_.name(),
                     ": install VirtualBox 6.1 or later, or name a host that has it by "
                     "--virtualbox-host"));
  }
  absl::MutexLock lock(&mu_);
  program_ = path;
  return path;
}

absl::StatusOr<std::string> VBoxManage::Run(common::CallScope& call, std::vector<std::string> args,
                                            const hypervisor::ToolInput& input) {
  DM_RETURN_IF_ERROR(call.Check());
  DM_ASSIGN_OR_RETURN(std::string program, Program(call));
  const std::string command = args.front();
  // Its words are read, and some of them may be translated otherwise.
  args.insert(args.begin(), {"env", "LC_ALL=C.UTF-8", std::move(program)});
  DM_ASSIGN_OR_RETURN(hypervisor::ToolOutput output, host_.Run(call, args, input));
  if (!output.ok()) return CommandError(command, output);
  return std::move(output.out);
}

absl::StatusOr<Version> VBoxManage::GetVersion(common::CallScope& call) {
  {
    absl::MutexLock lock(&mu_);
    if (version_.major != 0) return version_;
  }
  DM_ASSIGN_OR_RETURN(const std::string text, Run(call, {"--version"}, {}));
  DM_ASSIGN_OR_RETURN(const Version version, ParseVersion(text));
  absl::MutexLock lock(&mu_);
  version_ = version;
  return version;
}

absl::StatusOr<std::string> VBoxManage::Read(common::CallScope& call,
                                             std::vector<std::string> args) {
  return Run(call, std::move(args), {});
}

absl::StatusOr<std::string> VBoxManage::Write(common::CallScope& call,
                                              std::vector<std::string> args,
                                              const hypervisor::ToolInput& input) {
  for (int attempt = 1;; ++attempt) {
    absl::StatusOr<std::string> done = std::string();
    DM_RETURN_IF_ERROR(writes_.Run(call, [&] {
      done = Run(call, args, input);
      return absl::OkStatus();
    }));
    if (!absl::IsAborted(done.status()) || attempt == kMostLockPolls) return done;
    DM_RETURN_IF_ERROR(call.Sleep(kLockPoll));
  }
}

}  // namespace machine::driver::virtualbox
