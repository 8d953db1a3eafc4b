#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/softlayer/catalog.h"
#include "drivers/softlayer/machine_instance.h"
#include "services/common/status/status.h"

namespace machine::driver::softlayer {
namespace {

// ssh, the engine, and swarm.
constexpr int64_t kOpenPorts[] = {22, kEnginePort, 3376};

// The key itself, without its comment.
std::string WithoutComment(absl::string_view key) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(key, absl::MaxSplits(' ', 1));
  return absl::StrCat(parts.first, " ", parts.second.substr(0, parts.second.find(' ')));
}

// The user's text, and the mark in a line of its own after it.
std::string Marked(absl::string_view text, absl::string_view mark) {
  const bool open = !text.empty() && !absl::EndsWith(text, "\n");
  return absl::StrCat(text, open ? "\n" : "", mark);
}

}  // namespace

InstanceCreator::InstanceCreator(DriverCall& call, const SoftLayerApi& api, const Timing& timing,
                                 const MachineSpec& machine, const Settings& settings)
    : call_(call),
      api_(api),
      timing_(timing),
      machine_(machine),
      settings_(settings),
      tag_(UidTag(machine.uid)) {}

absl::StatusOr<Observation> InstanceCreator::Run() {
  DM_RETURN_IF_ERROR(machine_.ParseState(state_));
  DM_RETURN_IF_ERROR(ChooseOnce());
  GuestSpec spec = OrderOf(settings_, {.region = state_.region(), .image = state_.image()});
  spec.user_data = Marked(settings_.user_data, MarkOf(machine_.uid, call_.orchestrator_id()));
  call_.Progress("Creating SSH key...");
  DM_ASSIGN_OR_RETURN(spec.ssh_keys, common::Annotate(EnsureKeys(), "creating ssh key"));
  // Before the guest, so that it is never open to others.
  if (!settings_.open_cidrs.empty()) {
    DM_ASSIGN_OR_RETURN(spec.security_group,
                        common::Annotate(EnsureSecurityGroup(), "creating security group"));
  }
  call_.Progress("Ordering virtual guest...");
  DM_ASSIGN_OR_RETURN(Guest guest, common::Annotate(EnsureGuest(spec), "ordering virtual guest"));
  state_.set_guest_id(guest.id);
  call_.Checkpoint(state_);
  call_.Progress("Waiting for the virtual guest to be provisioned...");
  DM_ASSIGN_OR_RETURN(guest, AwaitRunning(guest.id));
  DM_RETURN_IF_ERROR(KeepOne().status());
  std::vector<std::string> tags = {tag_, std::string(kMachineTag)};
  if (!call_.orchestrator_id().empty()) tags.push_back(OrchestratorTag(call_.orchestrator_id()));
  tags.insert(tags.end(), settings_.tags.begin(), settings_.tags.end());
  DM_RETURN_IF_ERROR(call_.Check());
  const absl::Status tagged = api_.SetTags(call_, guest.id, tags);
  // The mark is what it is found by; tags are for people.
  if (!tagged.ok()) call_.Warning(absl::StrCat("the tags were not set: ", tagged.message()));
  Observation observation = ObservationOf(guest, settings_);
  SetState(state_, observation);
  return observation;
}

absl::Status InstanceCreator::ChooseOnce() {
  if (!state_.image().empty() && !state_.region().empty()) return absl::OkStatus();
  DM_ASSIGN_OR_RETURN(Choice choice, Choose(call_, api_, settings_));
  state_.set_image(std::move(choice.image));
  state_.set_region(std::move(choice.region));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int64_t>> InstanceCreator::EnsureKeys() {
  std::vector<int64_t> ids;
  if (!machine_.ssh_public_key.empty()) {
    const std::string material = WithoutComment(machine_.ssh_public_key);
    // One that the user put there is used, and stays.
    const auto find = [&]() -> absl::StatusOr<std::optional<SshKey>> {
      DM_ASSIGN_OR_RETURN(const std::vector<SshKey> keys, api_.ListSshKeys(call_));
      for (const SshKey& key : keys) {
        if (WithoutComment(key.public_key) == material) return key;
      }
      return std::nullopt;
    };
    const auto create = [&] { return api_.CreateSshKey(call_, tag_, machine_.ssh_public_key); };
    DM_ASSIGN_OR_RETURN(const SshKey key,
                        CreateOnce<SshKey>(call_, timing_.settling, /*maybe_made=*/false, find,
                                           create, [](const SshKey&) { return absl::OkStatus(); }));
    ids.push_back(key.id);
  }
  const bool more =
      settings_.key_id != 0 && std::find(ids.begin(), ids.end(), settings_.key_id) == ids.end();
  if (more) ids.push_back(settings_.key_id);
  return ids;
}

absl::StatusOr<int64_t> InstanceCreator::EnsureSecurityGroup() {
  const auto find = [&]() -> absl::StatusOr<std::optional<SecurityGroup>> {
    DM_ASSIGN_OR_RETURN(const std::vector<SecurityGroup> groups, api_.ListSecurityGroups(call_));
    for (const SecurityGroup& group : groups) {
      if (group.name == tag_) return group;
    }
    return std::nullopt;
  };
  const auto create = [&] { return api_.CreateSecurityGroup(call_, tag_); };
  DM_ASSIGN_OR_RETURN(
      const SecurityGroup group,
      CreateOnce<SecurityGroup>(call_, timing_.settling, /*maybe_made=*/false, find, create,
                                [](const SecurityGroup&) { return absl::OkStatus(); }));
  // All at once: either it has them or none.
  if (group.rules != 0) return group.id;
  std::vector<Rule> rules;
  for (const std::string& cidr : settings_.open_cidrs) {
    for (const int64_t port : kOpenPorts) rules.push_back({port, cidr});
  }
  DM_RETURN_IF_ERROR(call_.Check());
  DM_RETURN_IF_ERROR(api_.AddRules(call_, group.id, rules));
  return group.id;
}

absl::StatusOr<Guest> InstanceCreator::EnsureGuest(const GuestSpec& spec) {
  if (state_.guest_id() != 0) {
    DM_ASSIGN_OR_RETURN(std::optional<Guest> known, FindGuest(call_, api_, machine_));
    if (known.has_value()) {
      DM_RETURN_IF_ERROR(CheckSame(*known));
      return *std::move(known);
    }
  }
  const bool maybe_made = state_.create_requested() || call_.attempt() > 1;
  state_.set_create_requested(true);
  call_.Checkpoint(state_);
  return CreateOnce<Guest>(
      call_, timing_.settling, maybe_made, [&] { return KeepOne(); },
      [&] { return api_.CreateGuest(call_, spec); },
      [&](const Guest& found) { return CheckSame(found); });
}

absl::StatusOr<std::optional<Guest>> InstanceCreator::KeepOne() {
  DM_ASSIGN_OR_RETURN(std::vector<Guest> all, api_.ListGuests(call_));
  std::vector<Guest> ours = GuestsOf(std::move(all), machine_.uid, state_.guest_id());
  std::erase_if(ours, [](const Guest& guest) { return StateWordOf(guest) == "RECLAIMING"; });
  if (ours.empty()) return std::nullopt;
  for (size_t i = 1; i < ours.size(); ++i) {
    DM_RETURN_IF_ERROR(call_.Check());
    DM_RETURN_IF_ERROR(api_.DeleteGuest(call_, ours[i].id));
  }
  return std::move(ours.front());
}

absl::Status InstanceCreator::CheckSame(const Guest& guest) const {
  const std::string id = absl::StrCat(guest.id);
  if (!settings_.region.empty() && guest.datacenter != settings_.region) {
    return InstanceDiffers(id, absl::StrCat("it is in data center ", guest.datacenter));
  }
  if (guest.cpus != settings_.cpus) {
    return InstanceDiffers(id, absl::StrCat("it has ", guest.cpus, " CPUs"));
  }
  if (guest.memory_mib != settings_.memory_mib) {
    return InstanceDiffers(id, absl::StrCat("it has ", guest.memory_mib, " MB of memory"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Guest> InstanceCreator::AwaitRunning(int64_t id) {
  int unseen = 0;
  return Await<Guest>(call_, timing_.poll, [&]() -> absl::StatusOr<std::optional<Guest>> {
    DM_ASSIGN_OR_RETURN(std::optional<Guest> guest, api_.FindGuest(call_, id));
    if (!guest.has_value()) {
      // What was just made may take a while to show.
      if (++unseen < 2 * timing_.settling.looks) return std::nullopt;
      return InstanceGone(
          absl::StrCat("virtual guest ", id, " is gone before it ran, or the user may not see it"));
    }
    const MachineState state = StateOfGuest(StateWordOf(*guest));
    if (state == machine::v1::MACHINE_STATE_REMOVING) {
      return InstanceGone(absl::StrCat("virtual guest ", id, " is taken back before it ran"));
    }
    if (!guest->transaction.empty()) return std::nullopt;
    if (state == machine::v1::MACHINE_STATE_STOPPED) {
      DM_RETURN_IF_ERROR(call_.Check());
      DM_RETURN_IF_ERROR(api_.Act(call_, id, "powerOn"));
      return std::nullopt;
    }
    const std::string& address = settings_.private_only ? guest->private_ip : guest->public_ip;
    if (state != machine::v1::MACHINE_STATE_RUNNING || address.empty()) return std::nullopt;
    return guest;
  });
}

}  // namespace machine::driver::softlayer
