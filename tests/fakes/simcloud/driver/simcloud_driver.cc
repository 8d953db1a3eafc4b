#include "tests/fakes/simcloud/driver/simcloud_driver.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/await.h"
#include "drivers/sdk/cloud/batch.h"
#include "drivers/sdk/cloud/choices.h"
#include "drivers/sdk/cloud/create_once.h"
#include "drivers/sdk/cloud/names.h"
#include "services/common/status/status.h"
#include "tests/fakes/simcloud/driver/state.pb.h"

namespace machine::driver::simcloud {
namespace {

constexpr absl::string_view kEndpointFlag = "simcloud-endpoint";
constexpr absl::string_view kSizeFlag = "simcloud-size";
constexpr absl::string_view kNobody = "nobody";

constexpr Backoff kPoll = {absl::Milliseconds(20), absl::Milliseconds(500)};
// At least 250 ms in all, also where every pause is as short as it gets: simcloud's lists must lag
// less than that.
const Settling kSettling = {.looks = 7,
                            .backoff = {absl::Milliseconds(60), absl::Milliseconds(100)}};

constexpr StateWord kStates[] = {
    {"building", machine::v1::MACHINE_STATE_STARTING},
    {"active", machine::v1::MACHINE_STATE_RUNNING},
    {"off", machine::v1::MACHINE_STATE_STOPPED},
};

Observation ObservationOf(const Object& instance) {
  Observation observation;
  observation.set_state(StateOf(kStates, instance.state));
  observation.set_instance_id(instance.id);
  observation.mutable_endpoint()->add_ip_addresses("127.0.0.1");
  if (observation.state() == machine::v1::MACHINE_STATE_RUNNING) {
    observation.mutable_endpoint()->set_docker_url("tcp://127.0.0.1:2376");
  }
  return observation;
}

absl::StatusOr<std::optional<Object>> FindInstance(const DriverCall& call, const SimCloudApi& api,
                                                   const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(std::vector<Object> found, api.List(call, kInstances, UidTag(machine.uid)));
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

absl::StatusOr<Object> RequireInstance(const DriverCall& call, const SimCloudApi& api,
                                       const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(std::optional<Object> instance, FindInstance(call, api, machine));
  if (instance.has_value()) return *std::move(instance);
  return InstanceGone(absl::StrCat("simcloud has no instance of machine ", machine.name));
}

absl::StatusOr<Object> AwaitState(const DriverCall& call, const SimCloudApi& api,
                                  const MachineSpec& machine, absl::string_view state) {
  return Await<Object>(call, kPoll, [&]() -> absl::StatusOr<std::optional<Object>> {
    DM_ASSIGN_OR_RETURN(std::optional<Object> instance, FindInstance(call, api, machine));
    if (instance.has_value() && instance->state == state) return instance;
    return std::nullopt;
  });
}

// The one object of `kind`: the oldest, when a request that counted as lost was late.
absl::StatusOr<std::optional<Object>> KeepOne(const DriverCall& call, const SimCloudApi& api,
                                              absl::string_view kind, absl::string_view tag) {
  DM_ASSIGN_OR_RETURN(std::vector<Object> found, api.List(call, kind, tag));
  if (found.empty()) return std::nullopt;
  for (size_t i = 1; i < found.size(); ++i) {
    DM_RETURN_IF_ERROR(call.Check());
    DM_RETURN_IF_ERROR(api.Delete(call, kind, found[i].id));
  }
  return std::move(found.front());
}

}  // namespace

DriverInfo SimCloudDriver::info() const {
  DriverInfo info;
  info.name = "simcloud";
  info.capabilities = {::driver::v1::CAPABILITY_LIST_INSTANCES, ::driver::v1::CAPABILITY_KILL,
                       ::driver::v1::CAPABILITY_POWER, ::driver::v1::CAPABILITY_RESTART,
                       ::driver::v1::CAPABILITY_NO_SSH};
  info.max_concurrent_calls = 256;
  return info;
}

Flags SimCloudDriver::flags() const {
  Flags flags;
  flags.String(kEndpointFlag)
      .Usage("URL of the simulator")
      .Env("SIMCLOUD_ENDPOINT")
      .Required()
      .String(kSizeFlag)
      .Usage("Size of the instance")
      .Default("small");
  return flags;
}

absl::Status SimCloudDriver::Init(const DriverEnvironment&) {
  http_ = std::make_unique<common::HttpClient>();
  return absl::OkStatus();
}

absl::Status SimCloudDriver::Validate(Options& options) const {
  return ParseApiEndpoint(kEndpointFlag, options.GetString(kEndpointFlag)).status();
}

absl::StatusOr<std::shared_ptr<SimCloudApi>> SimCloudDriver::AccountOf(const Options& options) {
  DM_ASSIGN_OR_RETURN(std::string endpoint,
                      ParseApiEndpoint(kEndpointFlag, options.GetString(kEndpointFlag)));
  return accounts_.Of(endpoint, [&] { return std::make_shared<SimCloudApi>(*http_, endpoint); });
}

absl::StatusOr<Observation> SimCloudDriver::Create(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  State state;
  DM_RETURN_IF_ERROR(machine.ParseState(state));
  const bool maybe_made = state.create_requested() || call.attempt() > 1;
  state.set_create_requested(true);
  call.Checkpoint(state);
  const std::string tag = UidTag(machine.uid);
  const std::string size = machine.options.GetString(kSizeFlag);
  const std::string owner = call.orchestrator_id().empty()
                                ? std::string(kNobody)
                                : OrchestratorTag(call.orchestrator_id());
  for (const absl::string_view kind : kKinds) {
    call.Progress(absl::StrCat("Creating ", kind, "..."));
    const auto made = CreateOnce<Object>(
        call, kSettling, maybe_made, [&] { return KeepOne(call, *api, kind, tag); },
        [&] { return api->Create(call, kind, tag, owner, size); },
        [&](const Object& found) -> absl::Status {
          if (found.size == size) return absl::OkStatus();
          return InstanceDiffers(found.id, absl::StrCat("its size is ", found.size));
        });
    DM_RETURN_IF_ERROR(common::Annotate(made.status(), absl::StrCat("creating ", kind)));
  }
  DM_RETURN_IF_ERROR(AwaitState(call, *api, machine, "active").status());
  for (const absl::string_view kind : kKinds) {
    DM_RETURN_IF_ERROR(KeepOne(call, *api, kind, tag).status());
  }
  DM_ASSIGN_OR_RETURN(const Object instance, RequireInstance(call, *api, machine));
  state.set_created(true);
  Observation observation = ObservationOf(instance);
  SetState(state, observation);
  return observation;
}

absl::StatusOr<Observation> SimCloudDriver::Bring(DriverCall& call, const MachineSpec& machine,
                                                  bool on) {
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  DM_ASSIGN_OR_RETURN(Object instance, RequireInstance(call, *api, machine));
  const absl::string_view goal = on ? "active" : "off";
  if (instance.state != goal) {
    DM_RETURN_IF_ERROR(call.Check());
    DM_RETURN_IF_ERROR(api->SetPower(call, instance.id, on));
    DM_ASSIGN_OR_RETURN(instance, AwaitState(call, *api, machine, goal));
  }
  return ObservationOf(instance);
}

absl::StatusOr<Observation> SimCloudDriver::Start(DriverCall& call, const MachineSpec& machine) {
  return Bring(call, machine, true);
}

absl::StatusOr<Observation> SimCloudDriver::Stop(DriverCall& call, const MachineSpec& machine,
                                                 std::optional<absl::Duration>) {
  return Bring(call, machine, false);
}

absl::StatusOr<Observation> SimCloudDriver::Kill(DriverCall& call, const MachineSpec& machine) {
  return Bring(call, machine, false);
}

absl::StatusOr<Observation> SimCloudDriver::Restart(DriverCall& call, const MachineSpec& machine) {
  DM_RETURN_IF_ERROR(Bring(call, machine, false).status());
  return Bring(call, machine, true);
}

absl::Status SimCloudDriver::Remove(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  State state;
  DM_RETURN_IF_ERROR(machine.ParseState(state));
  const std::string tag = UidTag(machine.uid);
  // What was asked for by a create that did not end may still appear. Lists all lag alike, so that
  // waiting for one kind is waiting for all.
  if (!state.created()) {
    for (int look = 1; look < kSettling.looks; ++look) {
      DM_RETURN_IF_ERROR(PauseBetweenLooks(call, kSettling.backoff, look));
    }
  }
  for (auto kind = std::rbegin(kKinds); kind != std::rend(kKinds); ++kind) {
    const auto gone = Await<bool>(call, kPoll, [&]() -> absl::StatusOr<std::optional<bool>> {
      DM_ASSIGN_OR_RETURN(const std::vector<Object> left, api->List(call, *kind, tag));
      if (left.empty()) return true;
      for (const Object& object : left) {
        DM_RETURN_IF_ERROR(call.Check());
        DM_RETURN_IF_ERROR(api->Delete(call, *kind, object.id));
      }
      return std::nullopt;
    });
    DM_RETURN_IF_ERROR(common::Annotate(gone.status(), absl::StrCat("deleting ", *kind)));
  }
  return absl::OkStatus();
}

absl::StatusOr<Observation> SimCloudDriver::Inspect(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  DM_ASSIGN_OR_RETURN(const std::optional<Object> instance, FindInstance(call, *api, machine));
  return instance.has_value() ? ObservationOf(*instance) : NotFoundObservation();
}

absl::StatusOr<std::vector<Observation>> SimCloudDriver::BatchInspect(
    DriverCall& call, absl::Span<const MachineSpec> machines) {
  return InspectByAccount<SimCloudApi>(
      machines, [&](const MachineSpec& machine) { return AccountOf(machine.options); },
      [&](SimCloudApi& api,
          const AccountMachines& share) -> absl::StatusOr<std::vector<Observation>> {
        std::vector<std::string> tags;
        for (const MachineSpec* const machine : share) tags.push_back(UidTag(machine->uid));
        DM_ASSIGN_OR_RETURN(const std::vector<Object> found, api.Search(call, tags));
        std::map<absl::string_view, const Object*> by_tag;
        for (const Object& object : found) by_tag.emplace(object.tag, &object);
        std::vector<Observation> observations;
        for (const std::string& tag : tags) {
          const auto object = by_tag.find(tag);
          observations.push_back(object == by_tag.end() ? NotFoundObservation()
                                                        : ObservationOf(*object->second));
        }
        return observations;
      });
}

absl::StatusOr<std::vector<::driver::v1::ListInstancesResponse>> SimCloudDriver::ListInstances(
    DriverCall& call, absl::string_view orchestrator_id, const Options& options) {
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(options));
  DM_ASSIGN_OR_RETURN(const std::vector<Object> found,
                      api->ListOwned(call, OrchestratorTag(orchestrator_id)));
  std::vector<::driver::v1::ListInstancesResponse> instances;
  for (const Object& object : found) {
    ::driver::v1::ListInstancesResponse& instance = instances.emplace_back();
    instance.set_machine_uid(UidOfTag(object.tag).value_or(""));
    *instance.mutable_observation() = ObservationOf(object);
  }
  return instances;
}

}  // namespace machine::driver::simcloud
