#include "drivers/qemu/virtual_machine.h"

#include <signal.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "drivers/qemu/qemu_command.h"
#include "drivers/qemu/qmp.h"
#include "services/common/file/file.h"
#include "services/common/process/process_id.h"
#include "services/common/process/run.h"
#include "services/common/status/status.h"

namespace machine::driver::qemu {
namespace {

// QEMU answers at once unless its host is overloaded.
constexpr absl::Duration kAnswer = absl::Seconds(5);
constexpr absl::Duration kPoll = absl::Milliseconds(100);
// A guest that is still booting does not listen to its power button.
constexpr absl::Duration kPressAgain = absl::Seconds(5);
constexpr absl::Duration kQuit = absl::Seconds(10);
constexpr absl::Duration kLaunch = absl::Minutes(1);
constexpr absl::Duration kLockedFor = absl::Seconds(10);

absl::Time Deadline(const common::CallScope& call) {
  return absl::Now() + std::min(kAnswer, call.Remaining());
}

absl::Status Failed(absl::string_view message) {
  return common::Error(absl::StatusCode::kFailedPrecondition,
                       machine::v1::ERROR_REASON_HOST_COMMAND_FAILED, message);
}

std::vector<std::string> ArgumentsOf(pid_t pid) {
  // Not by ReadFile(): what is in /proc has no length.
  std::ifstream file(absl::StrCat("/proc/", pid, "/cmdline"));
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return absl::StrSplit(text, '\0');
}

}  // namespace

bool PortIsTaken(const absl::Status& status) {
  return absl::StrContains(status.message(), "Could not set up host forwarding rule");
}

MachineState StateOf(absl::string_view status) {
  if (status == "running") return machine::v1::MACHINE_STATE_RUNNING;
  for (const absl::string_view paused :
       {"paused", "suspended", "debug", "save-vm", "restore-vm", "finish-migrate", "postmigrate"}) {
    if (status == paused) return machine::v1::MACHINE_STATE_PAUSED;
  }
  if (status == "prelaunch" || status == "inmigrate") return machine::v1::MACHINE_STATE_STARTING;
  if (status == "shutdown") return machine::v1::MACHINE_STATE_STOPPING;
  // It can only be killed then.
  for (const absl::string_view broken :
       {"io-error", "internal-error", "guest-panicked", "watchdog"}) {
    if (status == broken) return machine::v1::MACHINE_STATE_ERROR;
  }
  return machine::v1::MACHINE_STATE_UNSPECIFIED;
}

absl::StatusOr<VirtualMachine::Process> VirtualMachine::Find() const {
  const std::string path = absl::StrCat(folder_, "/", kPidFile);
  DM_ASSIGN_OR_RETURN(const std::string text, common::ReadFile(path));
  Process process;
  if (!absl::SimpleAtoi(absl::StripAsciiWhitespace(text), &process.pid)) {
    return absl::NotFoundError("no process yet");
  }
  DM_ASSIGN_OR_RETURN(process.start_time, common::ProcessStartTime(process.pid));
  // The number may be another process's by now, after a crash or since the host was booted.
  const std::vector<std::string> arguments = ArgumentsOf(process.pid);
  const bool ours = std::find(arguments.begin(), arguments.end(), path) != arguments.end() &&
                    std::find(arguments.begin(), arguments.end(), uid_) != arguments.end();
  if (ours && common::IsAlive(process.pid, process.start_time)) return process;
  return absl::NotFoundError("it has ended");
}

absl::StatusOr<MachineState> VirtualMachine::State(const common::CallScope& call) const {
  const absl::StatusOr<Process> process = Find();
  if (absl::IsNotFound(process.status())) return machine::v1::MACHINE_STATE_STOPPED;
  DM_RETURN_IF_ERROR(process.status());
  const absl::Time deadline = Deadline(call);
  absl::Status failure;
  absl::StatusOr<Qmp> qmp = Qmp::Connect(folder_, deadline);
  if (qmp.ok()) {
    const absl::StatusOr<nlohmann::json> answer = qmp->Execute("query-status", deadline);
    if (answer.ok() && answer->is_object()) return StateOf(answer->value("status", ""));
    failure = answer.status();
  } else {
    failure = qmp.status();
  }
  // It may have ended while it was asked.
  if (!common::IsAlive(process->pid, process->start_time)) {
    return machine::v1::MACHINE_STATE_STOPPED;
  }
  if (absl::IsNotFound(failure)) return machine::v1::MACHINE_STATE_STARTING;
  DM_RETURN_IF_ERROR(call.Check());
  return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN,
                       absl::StrCat("QEMU of machine ", name_, " (process ", process->pid,
                                    ") does not answer: ", failure.message()));
}

absl::StatusOr<MachineState> VirtualMachine::SettledState(common::CallScope& call) const {
  while (true) {
    DM_ASSIGN_OR_RETURN(const MachineState state, State(call));
    if (state != machine::v1::MACHINE_STATE_STARTING) return state;
    DM_RETURN_IF_ERROR(call.Sleep(kPoll));
  }
}

absl::Status VirtualMachine::Launch(common::CallScope& call,
                                    const std::vector<std::string>& command) const {
  const absl::Time deadline = absl::Now() + kLockedFor;
  while (true) {
    DM_RETURN_IF_ERROR(call.Check());
    const absl::StatusOr<common::RunResult> ran =
        common::RunProgram(command, {.timeout = std::min(kLaunch, call.Remaining()),
                                     .cwd = folder_,
                                     .cancelled = [&call] { return call.cancelled(); }});
    if (absl::IsNotFound(ran.status())) {
      return Failed(absl::StrCat(command.front(), " is not installed on this host"));
    }
    DM_RETURN_IF_ERROR(common::Annotate(ran.status(), "starting QEMU"));
    if (ran->ok()) return absl::OkStatus();
    // QEMU locks its pid file: of two attempts, one of them cut off, the second ends here. One that
    // failed is found by that file, too, until it is gone.
    DM_ASSIGN_OR_RETURN(const MachineState state, SettledState(call));
    if (state != machine::v1::MACHINE_STATE_STOPPED) return absl::OkStatus();
    const std::string said(absl::StripAsciiWhitespace(ran->stderr_data));
    // One that is about to end has given up its pid file, but not all of its locks.
    if (!absl::StrContains(said, "lock") || absl::Now() >= deadline) {
      return Failed(absl::StrCat("QEMU of machine ", name_,
                                 " did not start: ", said.empty() ? ran->ExitText() : said));
    }
    DM_RETURN_IF_ERROR(call.Sleep(kPoll));
  }
}

absl::Status VirtualMachine::Command(const common::CallScope& call,
                                     absl::string_view command) const {
  DM_RETURN_IF_ERROR(call.Check());
  const absl::Time deadline = Deadline(call);
  DM_ASSIGN_OR_RETURN(Qmp qmp, Qmp::Connect(folder_, deadline));
  return qmp.Execute(command, deadline).status();
}

absl::Status VirtualMachine::Continue(const common::CallScope& call) const {
  DM_ASSIGN_OR_RETURN(const MachineState state, State(call));
  if (state != machine::v1::MACHINE_STATE_PAUSED) return absl::OkStatus();
  // One of the two fits: the host has stopped the guest, or the guest has put itself to sleep.
  Command(call, "system_wakeup").IgnoreError();
  return Command(call, "cont");
}

absl::StatusOr<bool> VirtualMachine::EndsWithin(const common::CallScope& call,
                                                const Process& process, absl::Duration limit) {
  const absl::Time deadline = absl::Now() + limit;
  while (common::IsAlive(process.pid, process.start_time)) {
    if (absl::Now() >= deadline) return false;
    DM_RETURN_IF_ERROR(call.Sleep(kPoll));
  }
  return true;
}

absl::Status VirtualMachine::PowerOff(const common::CallScope& call, absl::Duration grace) const {
  const absl::StatusOr<Process> process = Find();
  if (absl::IsNotFound(process.status())) return absl::OkStatus();
  DM_RETURN_IF_ERROR(process.status());
  const absl::Time deadline = absl::Now() + grace;
  while (true) {
    DM_RETURN_IF_ERROR(Continue(call));
    const absl::Status pressed = Command(call, "system_powerdown");
    // Gone already, or at this moment.
    if (!pressed.ok() && !absl::IsNotFound(pressed) && !absl::IsUnavailable(pressed)) {
      return pressed;
    }
    const absl::Duration left = std::max(deadline - absl::Now(), absl::ZeroDuration());
    DM_ASSIGN_OR_RETURN(const bool ended, EndsWithin(call, *process, std::min(kPressAgain, left)));
    if (ended) return absl::OkStatus();
    if (absl::Now() >= deadline) {
      return common::Error(absl::StatusCode::kDeadlineExceeded,
                           machine::v1::ERROR_REASON_STEP_TIMEOUT,
                           absl::StrCat("machine ", name_, " did not shut down within ",
                                        absl::FormatDuration(grace), "; kill it if it must be"));
    }
  }
}

absl::Status VirtualMachine::Quit(const common::CallScope& call) const {
  const absl::StatusOr<Process> process = Find();
  if (absl::IsNotFound(process.status())) return absl::OkStatus();
  DM_RETURN_IF_ERROR(process.status());
  // What matters is whether it ends.
  if (Command(call, "quit").ok()) {
    DM_ASSIGN_OR_RETURN(const bool ended, EndsWithin(call, *process, kQuit));
    if (ended) return absl::OkStatus();
  }
  DM_RETURN_IF_ERROR(call.Check());
  const absl::Status killed = common::SignalProcess(process->pid, process->start_time, SIGKILL);
  if (!killed.ok() && !absl::IsNotFound(killed)) return killed;
  DM_ASSIGN_OR_RETURN(const bool ended, EndsWithin(call, *process, kQuit));
  if (ended) return absl::OkStatus();
  return Failed(absl::StrCat("QEMU of machine ", name_, " (process ", process->pid,
                             ") does not end by SIGKILL: its host's disk or kernel is stuck"));
}

}  // namespace machine::driver::qemu
