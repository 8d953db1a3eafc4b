#include "drivers/generic/remote_reboot.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "services/common/status/status.h"

namespace machine::driver::generic {
namespace {

using common::CallLimits;
using common::CommandOptions;
using common::SshConnection;

// One try to connect or to run a command. A host that goes down may stop answering in mid-command.
constexpr absl::Duration kTryTimeout = absl::Seconds(10);
constexpr char kNotDown[] = "it has not gone down yet";
constexpr size_t kBootIdLength = 36;        // A UUID.
constexpr size_t kStartTimeAfterComm = 19;  // proc(5): field 22, counted after "(comm) ".

CallLimits LimitsOfTry(const DriverCall& call) {
  return {.deadline = absl::Now() + std::min(kTryTimeout, call.Remaining()),
          .cancelled = [&call] { return call.cancelled(); }};
}

absl::StatusOr<std::string> ReadBootId(SshConnection& ssh, const CallLimits& limits) {
  CommandOptions options;
  options.limits = limits;
  DM_ASSIGN_OR_RETURN(const auto result, ssh.Run(kBootIdCommand, options));
  // /proc/1 may be hidden from the user; the boot id alone then has to do.
  return ParseBootId(result.stdout_data);
}

absl::Status RunReboot(DriverCall& call, SshConnection& ssh, absl::string_view prefix,
                       const std::vector<std::string>& commands) {
  std::vector<std::string> failures;
  for (const std::string& command : commands) {
    DM_RETURN_IF_ERROR(call.Check());
    CommandOptions options;
    options.limits = LimitsOfTry(call);
    const auto result = ssh.Run(absl::StrCat(prefix, command), options);
    // A host that went down took the answer with it.
    if (!result.ok()) return call.Check();
    if (result->ok() || !result->signal.empty()) return absl::OkStatus();
    failures.push_back(absl::StrCat(prefix, command, ": exit status ", result->exit_code, ": ",
                                    absl::StripAsciiWhitespace(result->stderr_data)));
  }
  return common::Error(
      absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_HOST_COMMAND_FAILED,
      absl::StrCat("the host cannot be rebooted: ", absl::StrJoin(failures, "; ")));
}

}  // namespace

absl::StatusOr<std::string> ParseBootId(absl::string_view output) {
  const size_t line_end = output.find('\n');
  const absl::string_view boot_id = output.substr(0, line_end);
  if (boot_id.size() != kBootIdLength) {
    return absl::InternalError("the host did not tell its boot id");
  }
  const size_t comm_end = output.rfind(") ");
  if (comm_end == absl::string_view::npos) return std::string(boot_id);
  const std::vector<absl::string_view> fields = absl::StrSplit(output.substr(comm_end + 2), ' ');
  if (fields.size() <= kStartTimeAfterComm) return std::string(boot_id);
  return absl::StrCat(boot_id, "/", fields[kStartTimeAfterComm]);
}

common::SshLoop& SshRebooter::Loop() {
  std::call_once(loop_once_, [this] { loop_ = std::make_unique<common::SshLoop>(); });
  return *loop_;
}

absl::StatusOr<SshRebooter::Visit> SshRebooter::Look(DriverCall& call,
                                                     const common::SshTarget& target) {
  Visit visit;
  DM_ASSIGN_OR_RETURN(visit.ssh, Loop().Connect(target, LimitsOfTry(call)));
  DM_ASSIGN_OR_RETURN(visit.boot_id, ReadBootId(*visit.ssh, LimitsOfTry(call)));
  return visit;
}

absl::StatusOr<SshRebooter::Visit> SshRebooter::Await(
    DriverCall& call, const common::SshTarget& target, absl::Duration end,
    const std::function<bool(const Visit&)>& done) {
  absl::Status last;
  do {
    DM_RETURN_IF_ERROR(call.Check());
    absl::StatusOr<Visit> visit = Look(call, target);
    if (visit.ok() && done(*visit)) return visit;
    last = visit.ok() ? absl::UnavailableError(kNotDown) : visit.status();
    // Another host key is no matter of time.
    if (absl::IsPermissionDenied(last)) return last;
    call.Sleep(times_.poll).IgnoreError();
  } while (clock_.Steady() < end && call.Remaining() > absl::ZeroDuration());
  DM_RETURN_IF_ERROR(call.Check());
  return common::Error(absl::StatusCode::kDeadlineExceeded, machine::v1::ERROR_REASON_STEP_TIMEOUT,
                       absl::StrCat("waiting for the host to reboot: ", last.message()));
}

absl::Status SshRebooter::Reboot(DriverCall& call, const RebootRequest& request) {
  const absl::Duration end = clock_.Steady() + times_.limit;
  absl::StatusOr<Visit> visit = Look(call, request.target);
  if (!request.asked_in_boot.empty() && absl::IsUnavailable(visit.status())) {
    call.Progress("waiting for the host, which may be rebooting");
    visit = Await(call, request.target, end, [](const Visit&) { return true; });
  }
  DM_RETURN_IF_ERROR(visit.status());
  const std::string before = visit->boot_id;
  if (!request.asked_in_boot.empty() && before != request.asked_in_boot) return absl::OkStatus();
  // The boot must not change who answers: the key seen now is the only one accepted after it.
  common::SshTarget same_host = request.target;
  same_host.host_key_sha256 = visit->ssh->host_key_sha256();
  DM_RETURN_IF_ERROR(call.Check());
  request.remember(before);
  call.Progress("rebooting the host");
  DM_RETURN_IF_ERROR(
      RunReboot(call, *visit->ssh, same_host.user == "root" ? "" : "sudo -n ", commands_));
  visit->ssh.reset();

  call.Progress("waiting for the host to come back");
  return Await(call, same_host, end, [&](const Visit& after) { return after.boot_id != before; })
      .status();
}

}  // namespace machine::driver::generic
