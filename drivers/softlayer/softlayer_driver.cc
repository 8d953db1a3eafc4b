#include "drivers/softlayer/softlayer_driver.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/choices.h"
#include "drivers/softlayer/catalog.h"
#include "drivers/softlayer/settings.h"
#include "services/common/status/status.h"

namespace machine::driver::softlayer {
namespace {

// Machines of a batch that are asked for one by one when the list lacks them.
constexpr size_t kMaxSingleLooks = 20;

void WarnOf(DriverCall& call, const Settings& settings) {
  if (std::any_of(settings.open_cidrs.begin(), settings.open_cidrs.end(), IsEverywhere)) {
    call.Warning(absl::StrCat("--", kOpenCidrFlag,
                              ": the whole internet may try to reach ssh and the engine"));
  }
  if (!settings.hourly) {
    call.Warning(
        "the machine is billed by the month: it costs a whole month even if it is removed today");
  }
}

}  // namespace

DriverInfo SoftLayerDriver::info() const { return CloudDriverInfo("softlayer", absl::Minutes(10)); }

Flags SoftLayerDriver::flags() const { return SoftLayerFlags(); }

absl::Status SoftLayerDriver::Init(const DriverEnvironment&) {
  http_ = std::make_unique<common::HttpClient>();
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<SoftLayerApi>> SoftLayerDriver::AccountOf(const Options& options) {
  DM_ASSIGN_OR_RETURN(const Credentials credentials, ReadCredentials(options, environment_));
  return accounts_.Of(
      absl::StrCat(credentials.endpoint, "\n", credentials.user, "\n", credentials.api_key), [&] {
        return std::make_shared<SoftLayerApi>(*http_, credentials.endpoint, credentials.user,
                                              credentials.api_key, timing_.retry);
      });
}

absl::Status SoftLayerDriver::Validate(Options& options) const {
  DM_RETURN_IF_ERROR(ReadCredentials(options, environment_).status());
  return ReadSettings(options).status();
}

absl::Status SoftLayerDriver::PreCreateCheck(DriverCall& call, const MachineSpec& machine) {
  DM_RETURN_IF_ERROR(CheckRetiredValues(machine.options));
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  WarnOf(call, settings);
  return ExplainCheck(CheckSettings(call, *api, settings),
                      absl::StrCat("--", kUserFlag, ", --", kApiKeyFlag),
                      absl::StrCat("--", kEndpointFlag));
}

absl::StatusOr<Observation> SoftLayerDriver::Create(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  return InstanceCreator(call, *api, timing_, machine, settings).Run();
}

absl::StatusOr<std::optional<Guest>> SoftLayerDriver::Find(DriverCall& call,
                                                           const SoftLayerApi& api,
                                                           const MachineSpec& machine) {
  return FindGuest(call, api, machine);
}

MachineState SoftLayerDriver::StateIn(const Guest& guest) const {
  return StateOfGuest(StateWordOf(guest));
}

absl::StatusOr<PendingAction> SoftLayerDriver::Act(DriverCall& call, const SoftLayerApi& api,
                                                   const Guest& guest, absl::string_view action,
                                                   int) {
  const bool paused = StateIn(guest) == machine::v1::MACHINE_STATE_PAUSED;
  DM_RETURN_IF_ERROR(api.Act(call, guest.id, paused && action == "powerOn" ? "resume" : action));
  return PendingAction();
}

absl::StatusOr<Observation> SoftLayerDriver::Observe(DriverCall&, const SoftLayerApi&,
                                                     const MachineSpec& machine,
                                                     const Guest& guest) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  return ObservationOf(guest, settings);
}

absl::StatusOr<std::vector<Observation>> SoftLayerDriver::InspectAll(
    DriverCall& call, const SoftLayerApi& api, const AccountMachines& machines) {
  DM_ASSIGN_OR_RETURN(const std::vector<Guest> guests, api.ListGuests(call));
  std::map<std::string, const Guest*> by_uid;
  std::map<int64_t, const Guest*> by_id;
  for (const Guest& guest : guests) {
    by_uid.emplace(ReadMark(guest).uid, &guest);
    by_id.emplace(guest.id, &guest);
  }
  size_t single_looks = 0;
  std::vector<Observation> observations;
  for (const MachineSpec* const machine : machines) {
    DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine->options));
    State state;
    DM_RETURN_IF_ERROR(machine->ParseState(state));
    std::optional<Guest> guest;
    // By its id first: of two of one machine it is the one that was kept.
    const auto known = by_id.find(state.guest_id());
    const auto marked = by_uid.find(machine->uid);
    if (known != by_id.end() &&
        (state.imported() || ReadMark(*known->second).uid == machine->uid)) {
      guest = *known->second;
    } else if (marked != by_uid.end()) {
      guest = *marked->second;
    } else if (single_looks++ < kMaxSingleLooks) {
      // Pages shift while they are read, and lists lag: absence is worth another look.
      DM_ASSIGN_OR_RETURN(guest, FindGuest(call, api, *machine));
    }
    observations.push_back(guest.has_value() ? ObservationOf(*guest, settings)
                                             : NotFoundObservation());
  }
  return observations;
}

absl::Status SoftLayerDriver::RemoveAllOf(DriverCall& call, const SoftLayerApi& api,
                                          const MachineSpec& machine) {
  return RemoveAll(call, api, timing_, machine);
}

absl::StatusOr<std::vector<::driver::v1::ListInstancesResponse>> SoftLayerDriver::ListInstances(
    DriverCall& call, absl::string_view orchestrator_id, const Options& options) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(options));
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(options));
  DM_ASSIGN_OR_RETURN(const std::vector<Guest> guests, api->ListGuests(call));
  std::vector<::driver::v1::ListInstancesResponse> instances;
  for (const Guest& guest : guests) {
    const Mark mark = ReadMark(guest);
    if (mark.uid.empty() || mark.orchestrator_id != orchestrator_id) continue;
    ::driver::v1::ListInstancesResponse& instance = instances.emplace_back();
    instance.set_machine_uid(mark.uid);
    *instance.mutable_observation() = ObservationOf(guest, settings);
  }
  return instances;
}

absl::StatusOr<std::string> SoftLayerDriver::UpgradeState(DriverCall& call,
                                                          const MachineSpec& machine) {
  if (machine.state_version != kImportedStateVersion) return Driver::UpgradeState(call, machine);
  DM_ASSIGN_OR_RETURN(const State state, ImportedState(machine.state.value_or("")));
  return state.SerializeAsString();
}

}  // namespace machine::driver::softlayer
