#include "drivers/softlayer/machine_instance.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "drivers/sdk/cloud/await.h"
#include "drivers/sdk/cloud/choices.h"
#include "drivers/sdk/cloud/names.h"
#include "services/common/status/status.h"

namespace machine::driver::softlayer {
namespace {

// Key names of SoftLayer_Virtual_Guest_Power_State, and StateWordOf()'s own words.
constexpr StateWord kStates[] = {
    {"RUNNING", machine::v1::MACHINE_STATE_RUNNING},
    {"HALTED", machine::v1::MACHINE_STATE_STOPPED},
    {"PAUSED", machine::v1::MACHINE_STATE_PAUSED},
    {"SUSPENDED", machine::v1::MACHINE_STATE_SAVED},
    {"PROVISIONING", machine::v1::MACHINE_STATE_STARTING},
    {"RECLAIMING", machine::v1::MACHINE_STATE_REMOVING},
};

constexpr absl::string_view kMarkStart = "# docker-machine ";

bool IsReclaimed(const Guest& guest) {
  return absl::StrContains(absl::AsciiStrToLower(guest.transaction), "reclaim");
}

absl::Status RemoveKey(const common::CallScope& call, const SoftLayerApi& api,
                       absl::string_view label, int64_t imported_id) {
  DM_ASSIGN_OR_RETURN(const std::vector<SshKey> keys, api.ListSshKeys(call));
  for (const SshKey& key : keys) {
    if (key.label != label && (imported_id == 0 || key.id != imported_id)) continue;
    DM_RETURN_IF_ERROR(call.Check());
    DM_RETURN_IF_ERROR(common::Annotate(api.DeleteSshKey(call, key.id), "deleting ssh key"));
  }
  return absl::OkStatus();
}

absl::Status RemoveSecurityGroup(const common::CallScope& call, const SoftLayerApi& api,
                                 absl::string_view name) {
  DM_ASSIGN_OR_RETURN(const std::vector<SecurityGroup> groups, api.ListSecurityGroups(call));
  for (const SecurityGroup& group : groups) {
    if (group.name != name) continue;
    DM_RETURN_IF_ERROR(call.Check());
    DM_RETURN_IF_ERROR(
        common::Annotate(api.DeleteSecurityGroup(call, group.id), "deleting security group"));
  }
  return absl::OkStatus();
}

}  // namespace

std::string StateWordOf(const Guest& guest) {
  if (IsReclaimed(guest)) return "RECLAIMING";
  return guest.provisioned ? guest.power : "PROVISIONING";
}

MachineState StateOfGuest(absl::string_view word) { return StateOf(kStates, word); }

Observation ObservationOf(const Guest& guest, const Settings& settings) {
  Observation observation;
  observation.set_state(StateOfGuest(StateWordOf(guest)));
  observation.set_instance_id(absl::StrCat(guest.id));
  machine::v1::Endpoint& endpoint = *observation.mutable_endpoint();
  // The first one is the one to use.
  const std::string& first = settings.private_only ? guest.private_ip : guest.public_ip;
  const std::string& second = settings.private_only ? guest.public_ip : guest.private_ip;
  for (const std::string& address : {first, second}) {
    if (!address.empty()) endpoint.add_ip_addresses(address);
  }
  endpoint.set_ssh_port(22);
  endpoint.set_ssh_user(settings.ssh_user);
  if (endpoint.ip_addresses().empty()) return observation;
  endpoint.set_ssh_host(endpoint.ip_addresses(0));
  if (observation.state() == machine::v1::MACHINE_STATE_RUNNING) {
    endpoint.set_docker_url(absl::StrCat("tcp://", endpoint.ip_addresses(0), ":", kEnginePort));
  }
  return observation;
}

std::string MarkOf(absl::string_view uid, absl::string_view orchestrator_id) {
  return absl::StrCat(
      kMarkStart, UidTag(uid),
      orchestrator_id.empty() ? "" : absl::StrCat(" ", OrchestratorTag(orchestrator_id)), "\n");
}

Mark ReadMark(const Guest& guest) {
  Mark mark;
  const std::string orchestrator_start = OrchestratorTag("");
  for (absl::string_view line : absl::StrSplit(guest.user_data, '\n')) {
    if (!absl::ConsumePrefix(&line, kMarkStart)) continue;
    for (absl::string_view word : absl::StrSplit(line, ' ', absl::SkipWhitespace())) {
      if (std::optional<std::string> uid = UidOfTag(word); uid.has_value()) mark.uid = *uid;
      if (absl::ConsumePrefix(&word, orchestrator_start)) mark.orchestrator_id = std::string(word);
    }
  }
  return mark;
}

std::vector<Guest> GuestsOf(std::vector<Guest> all, absl::string_view uid, int64_t known_id) {
  std::erase_if(all, [&](const Guest& guest) { return ReadMark(guest).uid != uid; });
  // The same by every attempt; the one that is known before all others, one that goes after them.
  std::sort(all.begin(), all.end(), [&](const Guest& a, const Guest& b) {
    if (IsReclaimed(a) != IsReclaimed(b)) return IsReclaimed(b);
    const bool a_known = a.id == known_id;
    const bool b_known = b.id == known_id;
    return a_known != b_known ? a_known : a.id < b.id;
  });
  return all;
}

absl::StatusOr<std::optional<Guest>> FindGuest(const common::CallScope& call,
                                               const SoftLayerApi& api,
                                               const MachineSpec& machine) {
  State state;
  DM_RETURN_IF_ERROR(machine.ParseState(state));
  if (state.guest_id() != 0) {
    DM_ASSIGN_OR_RETURN(std::optional<Guest> known, api.FindGuest(call, state.guest_id()));
    if (state.imported()) return known;
    if (known.has_value() && ReadMark(*known).uid == machine.uid) return known;
  }
  DM_ASSIGN_OR_RETURN(std::vector<Guest> all, api.ListGuests(call));
  std::vector<Guest> ours = GuestsOf(std::move(all), machine.uid, state.guest_id());
  if (ours.empty()) return std::nullopt;
  return std::move(ours.front());
}

absl::Status RemoveAll(const common::CallScope& call, const SoftLayerApi& api, const Timing& timing,
                       const MachineSpec& machine) {
  State state;
  DM_RETURN_IF_ERROR(machine.ParseState(state));
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  const auto list = [&]() -> absl::StatusOr<std::optional<std::vector<Guest>>> {
    DM_ASSIGN_OR_RETURN(std::vector<Guest> all, api.ListGuests(call));
    std::vector<Guest> ours = GuestsOf(std::move(all), machine.uid, state.guest_id());
    if (ours.empty()) return std::nullopt;
    return ours;
  };
  // One that was asked for and never seen may still appear.
  if (state.create_requested() && state.guest_id() == 0) {
    DM_RETURN_IF_ERROR(FindSettled<std::vector<Guest>>(call, timing.settling, list).status());
  }
  DM_RETURN_IF_ERROR(Await<bool>(call, timing.poll, [&]() -> absl::StatusOr<std::optional<bool>> {
                       DM_ASSIGN_OR_RETURN(auto listed, list());
                       std::vector<Guest> left;
                       if (listed.has_value()) left = *std::move(listed);
                       if (left.empty() && state.guest_id() != 0) {
                         // Not by its id alone: the state might be that of another account.
                         DM_ASSIGN_OR_RETURN(auto known, api.FindGuest(call, state.guest_id()));
                         if (known.has_value() &&
                             (state.imported() || ReadMark(*known).uid == machine.uid)) {
                           left.push_back(*std::move(known));
                         }
                       }
                       if (left.empty()) return true;
                       for (const Guest& guest : left) {
                         if (IsReclaimed(guest)) continue;
                         DM_RETURN_IF_ERROR(call.Check());
                         DM_RETURN_IF_ERROR(common::Annotate(api.DeleteGuest(call, guest.id),
                                                             "deleting virtual guest"));
                       }
                       return std::nullopt;
                     }).status());
  const std::string tag = UidTag(machine.uid);
  DM_RETURN_IF_ERROR(RemoveKey(call, api, tag, state.imported_key_id()));
  if (settings.open_cidrs.empty()) return absl::OkStatus();
  return RemoveSecurityGroup(call, api, tag);
}

absl::StatusOr<State> ImportedState(absl::string_view driver_json) {
  const Json fields = ParseJson(driver_json);
  State state;
  state.set_imported(true);
  state.set_guest_id(Number(fields, "Id"));
  if (state.guest_id() == 0) {
    return common::Error(absl::StatusCode::kFailedPrecondition,
                         machine::v1::ERROR_REASON_INSTANCE_GONE,
                         "the imported config.json has no Id: no virtual guest was made");
  }
  state.set_imported_key_id(Number(fields, "SSHKeyID"));
  return state;
}

}  // namespace machine::driver::softlayer
