#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "drivers/google/catalog.h"
#include "drivers/google/machine_instance.h"
#include "drivers/sdk/cloud/names.h"
#include "services/common/status/status.h"

namespace machine::driver::gce {
namespace {

constexpr absl::string_view kKeysItem = "ssh-keys";

// How often something is asked for that does not show although Google says that it was made.
constexpr int kMaxRequests = 3;

}  // namespace

template <typename Thing>
absl::StatusOr<Thing> InstanceCreator::MakeSure(
    absl::FunctionRef<absl::StatusOr<std::optional<Thing>>()> find,
    absl::FunctionRef<absl::StatusOr<Operation>()> send) {
  DM_ASSIGN_OR_RETURN(std::optional<Thing> found, find());
  for (int requests = 0; !found.has_value() && requests < kMaxRequests; ++requests) {
    DM_RETURN_IF_ERROR(call_.Check());
    const absl::StatusOr<Operation> sent = send();
    const absl::Status made =
        sent.ok() ? AwaitOperation(call_, api_, timing_, *sent) : sent.status();
    if (!made.ok() && !absl::IsAlreadyExists(made)) return made;
    DM_ASSIGN_OR_RETURN(found, FindSettled<Thing>(call_, timing_.settling, find));
    // The name is taken by something else.
    if (!found.has_value() && !made.ok()) return made;
  }
  if (found.has_value()) return *std::move(found);
  return absl::UnavailableError("what was made does not show yet");
}

absl::StatusOr<Observation> InstanceCreator::Run() {
  DM_RETURN_IF_ERROR(machine_.ParseState(state_));
  // Before the instance, so that it is never reachable without its rule.
  if (!settings_.open_cidrs.empty()) {
    call_.Progress("Opening firewall ports...");
    DM_RETURN_IF_ERROR(common::Annotate(EnsureFirewall(), "creating firewall rule"));
  }
  call_.Progress(settings_.use_existing ? "Adopting instance..." : "Creating instance...");
  DM_ASSIGN_OR_RETURN(Instance instance,
                      settings_.use_existing
                          ? common::Annotate(AdoptInstance(), "adopting instance")
                          : common::Annotate(EnsureInstance(), "creating instance"));
  state_.set_created(true);
  call_.Checkpoint(state_);
  call_.Progress("Waiting for the instance to run...");
  DM_ASSIGN_OR_RETURN(instance, AwaitRunning());
  Observation observation = ObservationOf(instance, settings_);
  SetState(state_, observation);
  return observation;
}

absl::Status InstanceCreator::EnsureFirewall() {
  const std::string name = UidTag(machine_.uid);
  FirewallSpec spec = {.name = name,
                       .network = settings_.network,
                       .tag = name,
                       .ports = {"22/tcp", absl::StrCat(kEnginePort, "/tcp"), "3376/tcp"},
                       .cidrs = settings_.open_cidrs};
  spec.ports.insert(spec.ports.end(), settings_.open_ports.begin(), settings_.open_ports.end());
  if (settings_.use_existing) {
    // It is where it is, whatever --google-network says.
    DM_ASSIGN_OR_RETURN(
        const std::optional<Instance> existing,
        api_.FindInstance(call_, settings_.zone, InstanceName(machine_, settings_)));
    if (existing.has_value()) spec.network = existing->network;
  }
  return MakeSure<bool>(
             [&]() -> absl::StatusOr<std::optional<bool>> {
               DM_ASSIGN_OR_RETURN(const bool there, api_.HasFirewall(call_, name));
               return there ? std::make_optional(true) : std::nullopt;
             },
             [&] { return api_.CreateFirewall(call_, spec, ids_.Next("create firewall")); })
      .status();
}

absl::StatusOr<std::string> InstanceCreator::EnsureAddress() {
  if (!settings_.address.empty()) return IpOfAddress(call_, api_, settings_);
  if (!settings_.static_address) return "";
  const std::string name = UidTag(machine_.uid);
  DM_ASSIGN_OR_RETURN(
      const Address address,
      MakeSure<Address>([&] { return api_.FindAddress(call_, settings_.region, name); },
                        [&] {
                          return api_.ReserveAddress(call_, settings_.region, name,
                                                     ids_.Next("reserve address"));
                        }));
  return address.ip;
}

absl::Status InstanceCreator::ChooseOnce() {
  if (!state_.image().empty() && !state_.machine_type().empty()) return absl::OkStatus();
  DM_ASSIGN_OR_RETURN(Choice choice, Choose(call_, api_, settings_));
  state_.set_image(std::move(choice.image));
  state_.set_machine_type(std::move(choice.machine_type));
  return absl::OkStatus();
}

absl::StatusOr<Instance> InstanceCreator::EnsureInstance() {
  DM_RETURN_IF_ERROR(ChooseOnce());
  const bool maybe_made = state_.create_requested() || call_.attempt() > 1;
  state_.set_instance(InstanceName(machine_, settings_));
  state_.set_create_requested(true);
  call_.Checkpoint(state_);
  const auto look = [&]() -> absl::StatusOr<std::optional<Instance>> {
    DM_ASSIGN_OR_RETURN(std::optional<Instance> found,
                        FindInstance(call_, api_, machine_, settings_));
    if (found.has_value()) return found;
    // Another zone may have been asked for before.
    DM_ASSIGN_OR_RETURN(InstanceList list, api_.ListInstances(call_, kUidLabel, machine_.uid));
    if (list.instances.empty()) return std::nullopt;
    return std::move(list.instances.front());
  };
  const auto find = [&] {
    return maybe_made ? FindSettled<Instance>(call_, timing_.settling, look) : look();
  };
  return AdoptOrCreate<Instance>(
      call_, find, [&] { return CreateInstance(); },
      [&](const Instance& found) { return CheckSame(found); });
}

absl::StatusOr<Instance> InstanceCreator::CreateInstance() {
  DM_ASSIGN_OR_RETURN(std::string ip, common::Annotate(EnsureAddress(), "reserving address"));
  const InstanceSpec spec = Spec(std::move(ip));
  return MakeSure<Instance>(
      [&] { return FindInstance(call_, api_, machine_, settings_); },
      [&] { return api_.CreateInstance(call_, spec, ids_.Next("create instance")); });
}

std::string InstanceCreator::SshKeys() const {
  const std::vector<std::string> words =
      absl::StrSplit(machine_.ssh_public_key, ' ', absl::SkipEmpty());
  if (words.size() < 2) return "";
  // The comment tells whose line it is among those of others.
  return absl::StrCat(settings_.username, ":", words[0], " ", words[1], " ", UidTag(machine_.uid));
}

InstanceSpec InstanceCreator::Spec(std::string external_ip) const {
  InstanceSpec spec;
  spec.name = state_.instance();
  spec.zone = settings_.zone;
  spec.machine_type = state_.machine_type();
  spec.image = state_.image();
  spec.disk_gb = settings_.disk_gb;
  spec.disk_type = settings_.disk_type;
  spec.network = settings_.network;
  spec.subnetwork = settings_.subnetwork;
  spec.external = !settings_.internal_ip_only;
  spec.external_ip = std::move(external_ip);
  spec.preemptible = settings_.preemptible;
  spec.spot = settings_.spot;
  spec.service_account = settings_.service_account;
  spec.scopes = settings_.scopes;
  spec.tags = settings_.tags;
  spec.tags.push_back(UidTag(machine_.uid));
  spec.labels = settings_.labels;
  spec.labels[std::string(kMachineLabel)] = kLabelled;
  spec.labels[std::string(kUidLabel)] = machine_.uid;
  if (!call_.orchestrator_id().empty()) {
    spec.labels[std::string(kOrchestratorLabel)] = call_.orchestrator_id();
  }
  // Where a project uses OS Login, keys in the metadata would count for nothing.
  spec.metadata.emplace_back("enable-oslogin", "FALSE");
  if (const std::string keys = SshKeys(); !keys.empty()) {
    spec.metadata.emplace_back(kKeysItem, keys);
  }
  if (!settings_.user_data.empty()) spec.metadata.emplace_back("user-data", settings_.user_data);
  return spec;
}

absl::StatusOr<Instance> InstanceCreator::AdoptInstance() {
  const std::string name = InstanceName(machine_, settings_);
  DM_ASSIGN_OR_RETURN(const std::optional<Instance> found,
                      api_.FindInstance(call_, settings_.zone, name));
  if (!found.has_value()) {
    return InstanceGone(absl::StrCat("there is no instance ", name, " in zone ", settings_.zone));
  }
  const std::string owner = found->Label(kUidLabel);
  if (!owner.empty() && owner != machine_.uid) {
    return InstanceDiffers(name, "it belongs to another machine");
  }
  state_.set_instance(name);
  state_.set_create_requested(true);
  call_.Checkpoint(state_);
  // The labels first: by them all the rest is found and taken back.
  DM_RETURN_IF_ERROR(ChangeInstance(
      call_, api_, timing_, settings_.zone, name,
      [&](Instance& now) {
        const Labels before = now.labels;
        now.labels[std::string(kMachineLabel)] = kLabelled;
        now.labels[std::string(kUidLabel)] = machine_.uid;
        now.labels[std::string(kAdoptedLabel)] = kLabelled;
        return now.labels != before;
      },
      [&](const Instance& now) { return api_.SetLabels(call_, now, ids_.Next("labels")); }));
  const std::string line = SshKeys();
  DM_RETURN_IF_ERROR(ChangeInstance(
      call_, api_, timing_, settings_.zone, name,
      [&](Instance& now) {
        const auto keys = std::find_if(now.metadata.begin(), now.metadata.end(),
                                       [](const auto& item) { return item.first == kKeysItem; });
        if (line.empty()) return false;
        if (keys == now.metadata.end()) {
          now.metadata.emplace_back(kKeysItem, line);
          return true;
        }
        if (absl::StrContains(keys->second, line)) return false;
        absl::StrAppend(&keys->second, keys->second.empty() ? "" : "\n", line);
        return true;
      },
      [&](const Instance& now) { return api_.SetMetadata(call_, now, ids_.Next("metadata")); }));
  const std::string tag = UidTag(machine_.uid);
  DM_RETURN_IF_ERROR(ChangeInstance(
      call_, api_, timing_, settings_.zone, name,
      [&](Instance& now) {
        if (std::find(now.tags.begin(), now.tags.end(), tag) != now.tags.end()) return false;
        now.tags.push_back(tag);
        return true;
      },
      [&](const Instance& now) { return api_.SetTags(call_, now, ids_.Next("tags")); }));
  return RequireInstance(call_, api_, machine_, settings_);
}

absl::Status InstanceCreator::CheckSame(const Instance& instance) const {
  if (instance.zone != settings_.zone) {
    return InstanceDiffers(instance.name, absl::StrCat("it is in zone ", instance.zone));
  }
  if (!settings_.machine_type.empty() && instance.machine_type != settings_.machine_type) {
    return InstanceDiffers(instance.name,
                           absl::StrCat("its machine type is ", instance.machine_type));
  }
  if (LastPart(instance.network) != LastPart(settings_.network)) {
    return InstanceDiffers(instance.name, absl::StrCat("it is in ", instance.network));
  }
  if (instance.preemptible != (settings_.preemptible || settings_.spot)) {
    return InstanceDiffers(instance.name,
                           instance.preemptible ? "it is preemptible" : "it is not preemptible");
  }
  return absl::OkStatus();
}

absl::StatusOr<Instance> InstanceCreator::AwaitRunning() {
  int unseen = 0;
  return Await<Instance>(call_, timing_.poll, [&]() -> absl::StatusOr<std::optional<Instance>> {
    DM_ASSIGN_OR_RETURN(std::optional<Instance> instance,
                        api_.FindInstance(call_, settings_.zone, state_.instance()));
    if (!instance.has_value()) {
      if (++unseen < timing_.settling.looks) return std::nullopt;
      return InstanceGone(absl::StrCat("instance ", state_.instance(), " is gone before it ran"));
    }
    const MachineState state = StateOfInstance(instance->status);
    if (state == machine::v1::MACHINE_STATE_STOPPED || state == machine::v1::MACHINE_STATE_SAVED) {
      // Stopped by an earlier attempt's user, or by Google, which needed the capacity.
      const absl::string_view verb = state == machine::v1::MACHINE_STATE_SAVED ? "resume" : "start";
      DM_RETURN_IF_ERROR(call_.Check());
      DM_ASSIGN_OR_RETURN(const Operation started,
                          api_.Act(call_, *instance, verb, ids_.Next(verb)));
      DM_RETURN_IF_ERROR(AwaitOperation(call_, api_, timing_, started));
      return std::nullopt;
    }
    const bool ready =
        state == machine::v1::MACHINE_STATE_RUNNING &&
        (settings_.internal_ip_only || settings_.use_existing || !instance->external_ip.empty());
    if (!ready) return std::nullopt;
    return instance;
  });
}

}  // namespace machine::driver::gce
