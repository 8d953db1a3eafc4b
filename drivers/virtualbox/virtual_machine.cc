#include "drivers/virtualbox/virtual_machine.h"

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/common/status/status.h"

namespace machine::driver::virtualbox {
namespace {

using machine::v1::MACHINE_STATE_ERROR;
using machine::v1::MACHINE_STATE_PAUSED;
using machine::v1::MACHINE_STATE_RUNNING;
using machine::v1::MACHINE_STATE_SAVED;
using machine::v1::MACHINE_STATE_STARTING;
using machine::v1::MACHINE_STATE_STOPPED;
using machine::v1::MACHINE_STATE_STOPPING;

constexpr absl::Duration kPoll = absl::Milliseconds(300);
// A guest that has just started may miss the first.
constexpr absl::Duration kPressAgain = absl::Seconds(5);
constexpr absl::Duration kStartLimit = absl::Minutes(5);
constexpr size_t kMacDigits = 12;

struct StateWord {
  absl::string_view word;
  MachineState state;
};

// The short words of VBoxManage for each MachineState of VirtualBox's Main API, 6.1 to 7.2.
constexpr StateWord kStates[] = {
    {"poweroff", MACHINE_STATE_STOPPED},
    {"aborted", MACHINE_STATE_STOPPED},
    {"teleported", MACHINE_STATE_STOPPED},
    {"saved", MACHINE_STATE_SAVED},
    {"aborted-saved", MACHINE_STATE_SAVED},
    {"running", MACHINE_STATE_RUNNING},
    {"livesnapshotting", MACHINE_STATE_RUNNING},
    {"onlinesnapshotting", MACHINE_STATE_RUNNING},
    {"deletingsnapshotlive", MACHINE_STATE_RUNNING},
    {"teleporting", MACHINE_STATE_RUNNING},
    {"paused", MACHINE_STATE_PAUSED},
    {"teleportingpausedvm", MACHINE_STATE_PAUSED},
    {"deletingsnapshotlivepaused", MACHINE_STATE_PAUSED},
    {"starting", MACHINE_STATE_STARTING},
    {"restoring", MACHINE_STATE_STARTING},
    {"teleportingin", MACHINE_STATE_STARTING},
    {"settingup", MACHINE_STATE_STARTING},
    {"stopping", MACHINE_STATE_STOPPING},
    {"saving", MACHINE_STATE_STOPPING},
    {"snapshotting", MACHINE_STATE_STOPPED},
    {"restoringsnapshot", MACHINE_STATE_STOPPED},
    {"deletingsnapshot", MACHINE_STATE_STOPPED},
    {"gurumeditation", MACHINE_STATE_ERROR},
    {"stuck", MACHINE_STATE_ERROR},
};

// Many fields are numbered, from 0 or 1, without a gap.
constexpr int kMostNumbered = 256;

}  // namespace

MachineState StateOf(absl::string_view state) {
  for (const StateWord& entry : kStates) {
    if (entry.word == state) return entry.state;
  }
  return machine::v1::MACHINE_STATE_UNSPECIFIED;
}

std::optional<ForwardedPort> VmInfo::Forwarded(absl::string_view name) const {
  for (int i = 0; i < kMostNumbered; ++i) {
    const std::string& rule = Get(absl::StrCat("Forwarding(", i, ")"));
    if (rule.empty()) return std::nullopt;
    // NAME,tcp,ADDRESS,HOSTPORT,GUESTADDRESS,GUESTPORT
    const std::vector<std::string> parts = absl::StrSplit(rule, ',');
    ForwardedPort port;
    if (parts.size() == 6 && parts[0] == name && absl::SimpleAtoi(parts[3], &port.host) &&
        absl::SimpleAtoi(parts[5], &port.guest)) {
      port.address = parts[2];
      return port;
    }
  }
  return std::nullopt;
}

std::string VmInfo::Medium(int port) const {
  const std::string& medium = Get(absl::StrCat("SATA-", port, "-0"));
  return medium == "none" || medium == "emptydrive" ? "" : medium;
}

bool VmInfo::HasShare(absl::string_view name) const {
  for (int i = 1; i < kMostNumbered; ++i) {
    const std::string& share = Get(absl::StrCat("SharedFolderNameMachineMapping", i));
    if (share.empty()) return false;
    if (share == name) return true;
  }
  return false;
}

std::string VmInfo::Mac(int number) const {
  const std::string digits = absl::AsciiStrToLower(Get(absl::StrCat("macaddress", number)));
  if (digits.size() != kMacDigits) return "";
  std::string mac = digits.substr(0, 2);
  for (size_t i = 2; i < digits.size(); i += 2) absl::StrAppend(&mac, ":", digits.substr(i, 2));
  return mac;
}

absl::StatusOr<std::optional<VmInfo>> VirtualMachine::Look(common::CallScope& call) const {
  const absl::StatusOr<std::string> text =
      vbox_.Read(call, {"showvminfo", id_, "--machinereadable"});
  if (absl::IsNotFound(text.status())) return std::nullopt;
  DM_RETURN_IF_ERROR(text.status());
  return VmInfo(ParseMachineReadable(*text));
}

absl::StatusOr<VmInfo> VirtualMachine::Require(common::CallScope& call) const {
  DM_ASSIGN_OR_RETURN(std::optional<VmInfo> info, Look(call));
  if (info.has_value()) return *std::move(info);
  return InstanceGone(absl::StrCat("VirtualBox on ", vbox_.host().name(),
                                   " has no virtual machine of machine ", name_));
}

absl::StatusOr<VmInfo> VirtualMachine::Settled(common::CallScope& call) const {
  for (;;) {
    DM_ASSIGN_OR_RETURN(VmInfo info, Require(call));
    const MachineState state = info.state();
    if (state != MACHINE_STATE_STARTING && state != MACHINE_STATE_STOPPING) return info;
    DM_RETURN_IF_ERROR(call.Sleep(kPoll));
  }
}

absl::Status VirtualMachine::Control(common::CallScope& call, const std::string& verb) const {
  const absl::Status done = vbox_.Write(call, {"controlvm", id_, verb}).status();
  if (done.ok()) return done;
  // It may have ended by itself at this moment.
  DM_ASSIGN_OR_RETURN(const VmInfo info, Require(call));
  return info.state() == MACHINE_STATE_STOPPED || info.state() == MACHINE_STATE_STOPPING
             ? absl::OkStatus()
             : done;
}

absl::Status VirtualMachine::PowerOn(common::CallScope& call, const std::string& ui) const {
  DM_ASSIGN_OR_RETURN(const VmInfo info, Settled(call));
  switch (info.state()) {
    case MACHINE_STATE_RUNNING:
      return absl::OkStatus();
    case MACHINE_STATE_PAUSED:
      return vbox_.Write(call, {"controlvm", id_, "resume"}).status();
    case MACHINE_STATE_ERROR:
      DM_RETURN_IF_ERROR(Control(call, "poweroff"));
      break;
    default:
      break;
  }
  call.Progress("Starting virtual machine...");
  const absl::Status started =
      vbox_.Write(call, {"startvm", id_, "--type", ui}, {.timeout = kStartLimit}).status();
  if (started.ok()) return started;
  // Another attempt's may have been first.
  DM_ASSIGN_OR_RETURN(const VmInfo now, Settled(call));
  return now.state() == MACHINE_STATE_RUNNING ? absl::OkStatus() : started;
}

absl::Status VirtualMachine::PowerOff(common::CallScope& call, absl::Duration grace,
                                      Disobedient disobedient) const {
  const absl::Time deadline = absl::Now() + grace;
  absl::Time next_press = absl::InfinitePast();
  for (;;) {
    DM_ASSIGN_OR_RETURN(const VmInfo info, Require(call));
    const MachineState state = info.state();
    if (state == MACHINE_STATE_STOPPED || state == MACHINE_STATE_SAVED) return absl::OkStatus();
    const absl::Time now = absl::Now();
    if (now >= deadline && next_press != absl::InfinitePast()) {
      if (disobedient == Disobedient::kIsPoweredOff) {
        call.Progress(absl::StrCat("The guest did not shut down within ",
                                   absl::FormatDuration(grace), ": powering it off..."));
        return Kill(call);
      }
      return common::Error(absl::StatusCode::kDeadlineExceeded,
                           machine::v1::ERROR_REASON_STEP_TIMEOUT,
                           absl::StrCat("machine ", name_, " did not shut down within ",
                                        absl::FormatDuration(grace), "; kill it if it must be"));
    }
    if (state == MACHINE_STATE_PAUSED) DM_RETURN_IF_ERROR(Control(call, "resume"));
    if (state == MACHINE_STATE_ERROR) return Control(call, "poweroff");
    if (now >= next_press) {
      if (state == MACHINE_STATE_RUNNING) DM_RETURN_IF_ERROR(Control(call, "acpipowerbutton"));
      next_press = now + kPressAgain;
      continue;
    }
    DM_RETURN_IF_ERROR(call.Sleep(kPoll));
  }
}

absl::Status VirtualMachine::Kill(common::CallScope& call) const {
  DM_ASSIGN_OR_RETURN(const VmInfo info, Settled(call));
  if (info.state() == MACHINE_STATE_STOPPED) return absl::OkStatus();
  if (info.state() == MACHINE_STATE_SAVED) {
    return vbox_.Write(call, {"discardstate", id_}).status();
  }
  DM_RETURN_IF_ERROR(Control(call, "poweroff"));
  return Settled(call).status();
}

absl::Status VirtualMachine::Delete(common::CallScope& call) const {
  DM_ASSIGN_OR_RETURN(const std::optional<VmInfo> info, Look(call));
  if (!info.has_value()) return absl::OkStatus();
  const MachineState state = info->state();
  // One that cannot be read, as its file is gone, has no state.
  if (state != MACHINE_STATE_STOPPED && state != machine::v1::MACHINE_STATE_UNSPECIFIED) {
    DM_RETURN_IF_ERROR(Kill(call));
  }
  const absl::Status gone = vbox_.Write(call, {"unregistervm", id_, "--delete"}).status();
  return absl::IsNotFound(gone) ? absl::OkStatus() : gone;
}

}  // namespace machine::driver::virtualbox
