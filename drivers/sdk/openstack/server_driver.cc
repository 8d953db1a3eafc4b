#include "drivers/sdk/openstack/server_driver.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/batch.h"
#include "drivers/sdk/cloud/names.h"
#include "services/common/status/status.h"

namespace machine::driver::openstack {
namespace {

// What an action may take in the cloud before something is wrong there.
constexpr absl::Duration kActionLimit = absl::Minutes(5);
// Machines of a batch that are asked for one by one when the list lacks them.
constexpr size_t kMaxSingleLooks = 20;

absl::StatusOr<Observation> Observed(const Server& server, const Plan& plan,
                                     const MachineSpec& machine) {
  State state;
  DM_RETURN_IF_ERROR(machine.ParseState(state));
  return ObservationOf(server, plan, state.floating_ip());
}

}  // namespace

absl::Status ServerDriver::Init(const DriverEnvironment&) {
  http_ = std::make_unique<common::HttpClient>();
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<CloudClient>> ServerDriver::CloudOf(const Options& options) {
  DM_ASSIGN_OR_RETURN(Account account, ReadAccount(options));
  account.access.retry = timing_.retry;
  return accounts_.Of(account.identity, [&] {
    return std::make_shared<CloudClient>(*http_, account.access, account.sign_in(*http_));
  });
}

absl::Status ServerDriver::Validate(Options& options) const {
  DM_RETURN_IF_ERROR(ReadAccount(options).status());
  return ReadPlan(options).status();
}

absl::Status ServerDriver::PreCreateCheck(DriverCall& call, const MachineSpec& machine) {
  DM_RETURN_IF_ERROR(CheckValues(call, machine.options));
  DM_ASSIGN_OR_RETURN(const Plan plan, ReadPlan(machine.options));
  DM_ASSIGN_OR_RETURN(const auto cloud, CloudOf(machine.options));
  absl::Status status = cloud->GetSession(call).status();
  if (status.ok()) status = CheckPlan(call, *cloud, plan);
  // Somebody waits for the answer: a cloud that is down is no reason to try for half an hour.
  return absl::IsUnavailable(status) ? PreCreateCheckFailed(status.message()) : status;
}

absl::StatusOr<Observation> ServerDriver::Create(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Plan plan, ReadPlan(machine.options));
  DM_ASSIGN_OR_RETURN(const auto cloud, CloudOf(machine.options));
  return ServerCreator(call, *cloud, timing_, machine, plan).Run();
}

absl::StatusOr<Observation> ServerDriver::Bring(DriverCall& call, const MachineSpec& machine,
                                                MachineState wanted, absl::Duration limit) {
  DM_ASSIGN_OR_RETURN(const Plan plan, ReadPlan(machine.options));
  DM_ASSIGN_OR_RETURN(const auto cloud, CloudOf(machine.options));
  DM_ASSIGN_OR_RETURN(const Server server, BringTo(call, *cloud, timing_, machine, wanted, limit));
  return Observed(server, plan, machine);
}

absl::StatusOr<Observation> ServerDriver::Start(DriverCall& call, const MachineSpec& machine) {
  call.Progress("Starting server...");
  return Bring(call, machine, machine::v1::MACHINE_STATE_RUNNING, kActionLimit);
}

absl::StatusOr<Observation> ServerDriver::Stop(DriverCall& call, const MachineSpec& machine,
                                               std::optional<absl::Duration> grace) {
  call.Progress("Stopping server...");
  return Bring(call, machine, machine::v1::MACHINE_STATE_STOPPED, grace.value_or(timing_.grace));
}

absl::StatusOr<Observation> ServerDriver::Kill(DriverCall& call, const MachineSpec& machine) {
  call.Progress("Powering off server...");
  return Bring(call, machine, machine::v1::MACHINE_STATE_STOPPED, kActionLimit);
}

absl::StatusOr<Observation> ServerDriver::Restart(DriverCall& call, const MachineSpec& machine) {
  call.Progress("Restarting server...");
  DM_ASSIGN_OR_RETURN(const auto cloud, CloudOf(machine.options));
  DM_ASSIGN_OR_RETURN(const Server server, RequireServer(call, *cloud, machine));
  if (server.status == "ACTIVE") {
    DM_RETURN_IF_ERROR(Reboot(call, *cloud, timing_, server.id));
  }
  return Bring(call, machine, machine::v1::MACHINE_STATE_RUNNING, kActionLimit);
}

absl::Status ServerDriver::Remove(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Plan plan, ReadPlan(machine.options));
  DM_ASSIGN_OR_RETURN(const auto cloud, CloudOf(machine.options));
  call.Progress("Removing server...");
  return RemoveAll(call, *cloud, timing_, machine, plan);
}

absl::StatusOr<Observation> ServerDriver::Inspect(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Plan plan, ReadPlan(machine.options));
  DM_ASSIGN_OR_RETURN(const auto cloud, CloudOf(machine.options));
  DM_ASSIGN_OR_RETURN(const std::optional<Server> server, FindServerOf(call, *cloud, machine));
  if (!server.has_value()) return NotFoundObservation();
  return Observed(*server, plan, machine);
}

absl::StatusOr<std::vector<Observation>> ServerDriver::InspectAll(DriverCall& call,
                                                                  const CloudClient& cloud,
                                                                  const AccountMachines& machines) {
  DM_ASSIGN_OR_RETURN(const std::vector<Server> servers, ListServers(call, cloud, kMachineTag));
  std::map<std::string, const Server*> by_uid;
  for (const Server& server : servers) by_uid.emplace(server.Metadata(kUidKey), &server);
  size_t single_looks = 0;
  std::vector<Observation> observations;
  for (const MachineSpec* const machine : machines) {
    DM_ASSIGN_OR_RETURN(const Plan plan, ReadPlan(machine->options));
    State state;
    DM_RETURN_IF_ERROR(machine->ParseState(state));
    const auto listed = by_uid.find(machine->uid);
    if (listed != by_uid.end()) {
      observations.push_back(ObservationOf(*listed->second, plan, state.floating_ip()));
      continue;
    }
    // Pages shift while they are read, and lists lag: absence is worth another look. One that was
    // imported is never listed by our tag.
    std::optional<Server> server;
    if (state.imported() || single_looks++ < kMaxSingleLooks) {
      DM_ASSIGN_OR_RETURN(server, FindServerOf(call, cloud, *machine));
    }
    observations.push_back(server.has_value() ? ObservationOf(*server, plan, state.floating_ip())
                                              : NotFoundObservation());
  }
  return observations;
}

absl::StatusOr<std::vector<Observation>> ServerDriver::BatchInspect(
    DriverCall& call, absl::Span<const MachineSpec> machines) {
  return InspectByAccount<CloudClient>(
      machines, [&](const MachineSpec& machine) { return CloudOf(machine.options); },
      [&](CloudClient& cloud, const AccountMachines& share) {
        return InspectAll(call, cloud, share);
      });
}

absl::StatusOr<std::vector<::driver::v1::ListInstancesResponse>> ServerDriver::ListInstances(
    DriverCall& call, absl::string_view orchestrator_id, const Options& options) {
  DM_ASSIGN_OR_RETURN(const Plan plan, ReadPlan(options));
  DM_ASSIGN_OR_RETURN(const auto cloud, CloudOf(options));
  DM_ASSIGN_OR_RETURN(const std::vector<Server> servers,
                      ListServers(call, *cloud, OrchestratorTag(orchestrator_id)));
  std::vector<::driver::v1::ListInstancesResponse> instances;
  for (const Server& server : servers) {
    if (server.Metadata(kOrchestratorKey) != orchestrator_id) continue;
    ::driver::v1::ListInstancesResponse& instance = instances.emplace_back();
    instance.set_machine_uid(server.Metadata(kUidKey));
    *instance.mutable_observation() = ObservationOf(server, plan, "");
  }
  return instances;
}

absl::StatusOr<std::string> ServerDriver::UpgradeState(DriverCall& call,
                                                       const MachineSpec& machine) {
  if (machine.state_version != kImportedStateVersion) return Driver::UpgradeState(call, machine);
  DM_ASSIGN_OR_RETURN(const State state, ImportedState(machine.state.value_or("")));
  return state.SerializeAsString();
}

}  // namespace machine::driver::openstack
