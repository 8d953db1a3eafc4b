#include "drivers/exoscale/exoscale_driver.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "drivers/exoscale/catalog.h"
#include "drivers/exoscale/settings.h"
#include "drivers/sdk/cloud/choices.h"
#include "services/common/status/status.h"

namespace machine::driver::exoscale {
namespace {

// Machines of a batch that are asked for one by one when the list lacks them.
constexpr size_t kMaxSingleLooks = 20;
// Any zone's API has the list of all zones.
constexpr absl::string_view kZoneThatAnswers = "ch-gva-2";

void WarnOf(DriverCall& call, const Settings& settings) {
  if (settings.private_address_only) return;
  if (settings.open_by_default ||
      std::any_of(settings.open_cidrs.begin(), settings.open_cidrs.end(), IsEverywhere)) {
    call.Warning(absl::StrCat("--", kOpenCidrFlag,
                              ": the whole internet may try to reach ssh and the engine"));
  }
}

// Observations of machines of one zone. Private networks are read once each.
class ZoneView {
 public:
  ZoneView(DriverCall& call, const ExoscaleApi& api) : call_(call), api_(api) {}

  absl::StatusOr<Observation> Observe(const Instance& instance, const MachineSpec& machine) {
    DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
    State state;
    DM_RETURN_IF_ERROR(machine.ParseState(state));
    std::string lease;
    if (settings.private_address_only) {
      DM_ASSIGN_OR_RETURN(const Addresses* const addresses, LeasesOf(settings));
      const auto known = addresses->find(instance.id);
      if (known != addresses->end()) lease = known->second;
    }
    return ObservationOf(instance, settings, state, lease);
  }

 private:
  using Addresses = std::map<std::string, std::string>;

  absl::StatusOr<const Addresses*> LeasesOf(const Settings& settings) {
    const auto known = leases_.find(settings.private_network);
    if (known != leases_.end()) return &known->second;
    DM_ASSIGN_OR_RETURN(const NamedObject network, ChoosePrivateNetwork(call_, api_, settings));
    DM_ASSIGN_OR_RETURN(Addresses addresses, api_.Leases(call_, network.id));
    return &leases_.emplace(settings.private_network, std::move(addresses)).first->second;
  }

  DriverCall& call_;
  const ExoscaleApi& api_;
  std::map<std::string, Addresses> leases_;
};

}  // namespace

DriverInfo ExoscaleDriver::info() const { return CloudDriverInfo("exoscale", absl::Minutes(5)); }

Flags ExoscaleDriver::flags() const { return ExoscaleFlags(); }

absl::Status ExoscaleDriver::Init(const DriverEnvironment&) {
  http_ = std::make_unique<common::HttpClient>();
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<ExoscaleApi>> ExoscaleDriver::AccountIn(const Options& options,
                                                                       absl::string_view zone) {
  DM_ASSIGN_OR_RETURN(const Credentials credentials, ReadCredentials(options, environment_, zone));
  return accounts_.Of(
      absl::StrCat(credentials.endpoint, "\n", credentials.key, "\n", credentials.secret), [&] {
        return std::make_shared<ExoscaleApi>(*http_, credentials.endpoint, credentials.key,
                                             credentials.secret, timing_.retry);
      });
}

absl::StatusOr<std::shared_ptr<ExoscaleApi>> ExoscaleDriver::AccountOf(const Options& options) {
  return AccountIn(options, "");
}

absl::Status ExoscaleDriver::Validate(Options& options) const {
  return ReadCredentials(options, environment_).status();
}

absl::Status ExoscaleDriver::PreCreateCheck(DriverCall& call, const MachineSpec& machine) {
  DM_RETURN_IF_ERROR(CheckRetiredValues(machine.options));
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  // A zone that does not exist has no host to ask.
  DM_ASSIGN_OR_RETURN(const auto anywhere, AccountIn(machine.options, kZoneThatAnswers));
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  WarnOf(call, settings);
  absl::Status status = CheckZone(call, *anywhere, settings);
  if (absl::IsUnavailable(status)) status = CheckZone(call, *api, settings);
  if (status.ok()) status = CheckSettings(call, *api, settings);
  return ExplainCheck(status, absl::StrCat("--", kKeyFlag, ", --", kSecretFlag),
                      absl::StrCat("--", kUrlFlag));
}

absl::StatusOr<Observation> ExoscaleDriver::Create(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  return InstanceCreator(call, *api, timing_, machine, settings).Run();
}

absl::StatusOr<std::optional<Instance>> ExoscaleDriver::Find(DriverCall& call,
                                                             const ExoscaleApi& api,
                                                             const MachineSpec& machine) {
  return FindInstance(call, api, machine);
}

MachineState ExoscaleDriver::StateIn(const Instance& instance) const {
  return StateOfInstance(instance.state);
}

absl::StatusOr<PendingAction> ExoscaleDriver::Act(DriverCall& call, const ExoscaleApi& api,
                                                  const Instance& instance,
                                                  absl::string_view action, int) {
  DM_ASSIGN_OR_RETURN(const Operation begun, api.Act(call, instance.id, action));
  return [&call, &api, id = begun.id]() -> absl::StatusOr<bool> {
    DM_ASSIGN_OR_RETURN(const Operation now, api.FindOperation(call, id));
    DM_RETURN_IF_ERROR(ResultOf(now));
    return now.state != "pending";
  };
}

absl::StatusOr<Observation> ExoscaleDriver::Observe(DriverCall& call, const ExoscaleApi& api,
                                                    const MachineSpec& machine,
                                                    const Instance& instance) {
  return ZoneView(call, api).Observe(instance, machine);
}

absl::StatusOr<std::vector<Observation>> ExoscaleDriver::InspectAll(
    DriverCall& call, const ExoscaleApi& api, const AccountMachines& machines) {
  DM_ASSIGN_OR_RETURN(const std::vector<Instance> instances, api.ListInstances(call));
  std::map<std::string, const Instance*> by_uid;
  std::map<std::string, const Instance*> by_id;
  for (const Instance& instance : instances) {
    by_uid.emplace(instance.Label(kUidLabel), &instance);
    by_id.emplace(instance.id, &instance);
  }
  ZoneView view(call, api);
  size_t single_looks = 0;
  std::vector<Observation> observations;
  for (const MachineSpec* const machine : machines) {
    State state;
    DM_RETURN_IF_ERROR(machine->ParseState(state));
    const auto listed =
        state.imported() ? by_id.find(state.instance_id()) : by_uid.find(machine->uid);
    const bool is_listed = listed != (state.imported() ? by_id.end() : by_uid.end());
    std::optional<Instance> instance;
    if (is_listed) {
      instance = *listed->second;
    } else if (single_looks++ < kMaxSingleLooks) {
      // Lists lag: absence is worth another look.
      DM_ASSIGN_OR_RETURN(instance, FindInstance(call, api, *machine));
    }
    if (!instance.has_value()) {
      observations.push_back(NotFoundObservation());
      continue;
    }
    DM_ASSIGN_OR_RETURN(Observation observation, view.Observe(*instance, *machine));
    observations.push_back(std::move(observation));
  }
  return observations;
}

absl::Status ExoscaleDriver::RemoveAllOf(DriverCall& call, const ExoscaleApi& api,
                                         const MachineSpec& machine) {
  return RemoveAll(call, api, timing_, machine);
}

absl::StatusOr<std::vector<::driver::v1::ListInstancesResponse>> ExoscaleDriver::ListInstances(
    DriverCall& call, absl::string_view orchestrator_id, const Options& options) {
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(options));
  DM_ASSIGN_OR_RETURN(const std::vector<Instance> list, api->ListInstances(call));
  ZoneView view(call, *api);
  MachineSpec unknown;
  unknown.options = options;
  std::vector<::driver::v1::ListInstancesResponse> instances;
  for (const Instance& each : list) {
    if (each.Label(kOrchestratorLabel) != orchestrator_id) continue;
    ::driver::v1::ListInstancesResponse& instance = instances.emplace_back();
    instance.set_machine_uid(each.Label(kUidLabel));
    DM_ASSIGN_OR_RETURN(*instance.mutable_observation(), view.Observe(each, unknown));
  }
  return instances;
}

absl::StatusOr<std::string> ExoscaleDriver::UpgradeState(DriverCall& call,
                                                         const MachineSpec& machine) {
  if (machine.state_version != kImportedStateVersion) return Driver::UpgradeState(call, machine);
  DM_ASSIGN_OR_RETURN(const State state, ImportedState(machine.state.value_or("")));
  return state.SerializeAsString();
}

}  // namespace machine::driver::exoscale
