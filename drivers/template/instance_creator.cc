#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/template/catalog.h"
#include "drivers/template/machine_instance.h"
#include "services/common/status/status.h"

namespace machine::driver::template_cloud {

InstanceCreator::InstanceCreator(DriverCall& call, const TemplateApi& api, const Timing& timing,
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
  // Keys, rules and the like that the provider has as objects of their own come here: before the
  // instance, named by tag_, each by CreateOnce.
  call_.Progress("Creating instance...");
  DM_ASSIGN_OR_RETURN(Instance instance, common::Annotate(EnsureInstance(), "creating instance"));
  state_.set_instance_id(instance.id);
  call_.Checkpoint(state_);
  call_.Progress("Waiting for the instance to run...");
  DM_ASSIGN_OR_RETURN(instance, AwaitRunning(instance.id));
  DM_RETURN_IF_ERROR(KeepOne().status());
  Observation observation = ObservationOf(instance, settings_);
  SetState(state_, observation);
  return observation;
}

absl::Status InstanceCreator::ChooseOnce() {
  if (!state_.image().empty() && !state_.size().empty()) return absl::OkStatus();
  DM_ASSIGN_OR_RETURN(Choice choice, Choose(call_, api_, settings_));
  state_.set_image(std::move(choice.image));
  state_.set_size(std::move(choice.size));
  return absl::OkStatus();
}

absl::StatusOr<Instance> InstanceCreator::EnsureInstance() {
  if (!state_.instance_id().empty()) {
    DM_ASSIGN_OR_RETURN(std::optional<Instance> known, FindInstance(call_, api_, machine_));
    if (known.has_value()) {
      DM_RETURN_IF_ERROR(CheckSame(*known));
      return *std::move(known);
    }
  }
  const bool maybe_made = state_.create_requested() || call_.attempt() > 1;
  state_.set_create_requested(true);
  call_.Checkpoint(state_);
  InstanceSpec spec = {.name = HostName(machine_.name),
                       .region = settings_.region,
                       .size = state_.size(),
                       .image = state_.image(),
                       .public_key = machine_.ssh_public_key,
                       .user_data = settings_.user_data,
                       .tags = {tag_, std::string(kMachineTag)}};
  if (!call_.orchestrator_id().empty()) {
    spec.tags.push_back(OrchestratorTag(call_.orchestrator_id()));
  }
  return CreateOnce<Instance>(
      call_, timing_.settling, maybe_made, [&] { return KeepOne(); },
      [&] { return api_.CreateInstance(call_, spec); },
      [&](const Instance& found) { return CheckSame(found); });
}

absl::StatusOr<std::optional<Instance>> InstanceCreator::KeepOne() {
  DM_ASSIGN_OR_RETURN(std::vector<Instance> instances, api_.ListInstances(call_, tag_));
  if (instances.empty()) return std::nullopt;
  // The same by every attempt; the one in the state before all others.
  std::sort(instances.begin(), instances.end(), [&](const Instance& a, const Instance& b) {
    const bool a_known = a.id == state_.instance_id();
    const bool b_known = b.id == state_.instance_id();
    return a_known != b_known ? a_known : a.id < b.id;
  });
  for (size_t i = 1; i < instances.size(); ++i) {
    DM_RETURN_IF_ERROR(call_.Check());
    DM_RETURN_IF_ERROR(api_.DeleteInstance(call_, instances[i].id));
  }
  return std::move(instances.front());
}

absl::Status InstanceCreator::CheckSame(const Instance& instance) const {
  if (instance.region != settings_.region) {
    return InstanceDiffers(instance.id, absl::StrCat("it is in region ", instance.region));
  }
  if (!settings_.size.empty() && instance.size != settings_.size) {
    return InstanceDiffers(instance.id, absl::StrCat("its size is ", instance.size));
  }
  if (!settings_.image.empty() && instance.image != settings_.image) {
    return InstanceDiffers(instance.id, absl::StrCat("its image is ", instance.image));
  }
  return absl::OkStatus();
}

absl::StatusOr<Instance> InstanceCreator::AwaitRunning(const std::string& id) {
  int unseen = 0;
  return Await<Instance>(call_, timing_.poll, [&]() -> absl::StatusOr<std::optional<Instance>> {
    DM_ASSIGN_OR_RETURN(std::optional<Instance> instance, api_.FindInstance(call_, id));
    if (!instance.has_value()) {
      // What was just made may take a while to show.
      if (++unseen < 2 * timing_.settling.looks) return std::nullopt;
      return InstanceGone(absl::StrCat("instance ", id, " is gone before it ran"));
    }
    const MachineState state = StateOfInstance(instance->status);
    if (state == machine::v1::MACHINE_STATE_STOPPED) {
      DM_RETURN_IF_ERROR(call_.Check());
      DM_RETURN_IF_ERROR(api_.Act(call_, id, "start"));
      return std::nullopt;
    }
    if (state != machine::v1::MACHINE_STATE_RUNNING || instance->addresses.empty()) {
      return std::nullopt;
    }
    return instance;
  });
}

}  // namespace machine::driver::template_cloud
