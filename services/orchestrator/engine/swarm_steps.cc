#include "services/orchestrator/engine/swarm_steps.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "provisioner/v1/provisioner.grpc.pb.h"
#include "services/common/status/grpc_status.h"
#include "services/common/status/status.h"
#include "services/orchestrator/engine/driver_steps.h"
#include "services/orchestrator/engine/machine_material.h"
#include "services/orchestrator/engine/operation_run.h"
#include "services/orchestrator/engine/operation_trace.h"
#include "services/orchestrator/engine/provision_steps.h"
#include "services/orchestrator/engine/swarm_members.h"
#include "services/orchestrator/events/machine_index.h"

namespace machine::orchestrator {
namespace {

using ::provisioner::v1::ConfigureSwarmRequest;
using ::provisioner::v1::ConfigureSwarmResponse;
using ::provisioner::v1::LeaveSwarmRequest;
using ::provisioner::v1::LeaveSwarmResponse;

constexpr absl::Duration kTimeout = absl::Minutes(2);
constexpr absl::Duration kLeaveTimeout = absl::Seconds(45);
// Who forces a removal does not want to wait.
constexpr absl::Duration kForcedLeaveTimeout = absl::Seconds(15);

struct Call {
  grpc::ClientContext context;
  ConfigureSwarmRequest request;
  ConfigureSwarmResponse response;
  StepDone done;
};

// How the swarm of machine `id` is joined.
absl::Status FillManager(const EngineParts& parts, absl::string_view id, bool as_manager,
                         ConfigureSwarmRequest& request) {
  std::optional<MachineRecord> manager;
  DM_RETURN_IF_ERROR(parts.store.Read([&](StoreReader& reader) -> absl::Status {
    DM_ASSIGN_OR_RETURN(manager, reader.FindMachineByName(id));
    return absl::OkStatus();
  }));
  const std::string flag = absl::StrCat("--swarm-discovery ", kMachineDiscovery, id);
  if (!manager.has_value()) {
    return common::InvalidField("machine.swarm.discovery",
                                absl::StrCat(flag, ": there is no such machine"));
  }
  const std::string& uid = manager->machine().uid();
  DM_ASSIGN_OR_RETURN(*request.mutable_manager_address(),
                      ReadSecret(parts, uid, kSwarmManagerAddressSecret));
  DM_ASSIGN_OR_RETURN(
      *request.mutable_join_token(),
      ReadSecret(parts, uid, as_manager ? kSwarmManagerTokenSecret : kSwarmWorkerTokenSecret));
  if (!request.join_token().empty()) return absl::OkStatus();
  return common::InvalidField(
      "machine.swarm.discovery",
      absl::StrCat(flag,
                   ": the machine manages no swarm; one that was created with --swarm-mode "
                   "does, and 'docker-machine provision ",
                   id, "' reads its tokens again"));
}

absl::Status FillRequest(OperationRun& run, ConfigureSwarmRequest& request) {
  const machine::v1::Machine& machine = run.machine().machine();
  const machine::v1::SwarmOptions& swarm = machine.swarm();
  request.set_docker_url(machine.endpoint().docker_url());
  DM_ASSIGN_OR_RETURN(const ClientBundle client, ClientBundleOf(run.parts(), run.machine()));
  *request.mutable_tls() = ToTlsMaterial(client);
  if (!swarm.address().empty()) {
    request.set_advertise_address(swarm.address());
  } else if (!machine.endpoint().ip_addresses().empty()) {
    request.set_advertise_address(machine.endpoint().ip_addresses(0));
  } else {
    request.set_advertise_address(machine.endpoint().ssh_host());
  }
  absl::string_view manager = swarm.discovery();
  if (!absl::ConsumePrefix(&manager, kMachineDiscovery)) return absl::OkStatus();
  return FillManager(run.parts(), manager, swarm.master(), request);
}

absl::Status KeepTokens(OperationRun& run, const ConfigureSwarmResponse& response) {
  if (response.worker_join_token().empty()) return absl::OkStatus();
  DM_RETURN_IF_ERROR(run.PutSecret(kSwarmWorkerTokenSecret, response.worker_join_token()));
  DM_RETURN_IF_ERROR(run.PutSecret(kSwarmManagerTokenSecret, response.manager_join_token()));
  return run.PutSecret(kSwarmManagerAddressSecret, response.manager_address());
}

void Configure(const OperationRunPointer& run,
               const std::shared_ptr<ProvisionerConnection>& provisioner, StepDone done) {
  auto call = std::make_shared<Call>();
  call->done = std::move(done);
  if (absl::Status status = FillRequest(*run, call->request); !status.ok()) {
    return call->done(std::move(status));
  }
  provisioner->channel().Prepare(call->context, std::min(kTimeout, run->Remaining()));
  CarryTrace(run->operation(), call->context);
  run->OnCancel([call] { call->context.TryCancel(); });
  provisioner->stub().async()->ConfigureSwarm(
      &call->context, &call->request, &call->response,
      [run, provisioner, call](const grpc::Status& grpc_status) {
        run->strand()->Run([run, call, status = common::FromGrpcStatus(grpc_status)]() mutable {
          if (status.ok()) status = KeepTokens(*run, call->response);
          run->OnCancel([] {});  // The hook held the call.
          call->done(DriverCallStatus(std::move(status), "provisioner"));
        });
      });
}

struct LeaveCall {
  grpc::ClientContext context;
  LeaveSwarmRequest request;
  LeaveSwarmResponse response;
  StepDone done;
};

absl::Status FillLeave(OperationRun& run, LeaveSwarmRequest& request) {
  const machine::v1::Machine& machine = run.machine().machine();
  request.set_host_name(std::string(MachineId(machine.name())));
  if (machine.state() != machine::v1::MACHINE_STATE_STOPPED &&
      machine.state() != machine::v1::MACHINE_STATE_NOT_FOUND) {
    request.set_docker_url(machine.endpoint().docker_url());
    DM_ASSIGN_OR_RETURN(const ClientBundle client, ClientBundleOf(run.parts(), run.machine()));
    *request.mutable_tls() = ToTlsMaterial(client);
  }
  DM_ASSIGN_OR_RETURN(const std::vector<MachineRecord> managers,
                      OtherSwarmManagers(run.parts().store, machine));
  AddSwarmManagers(
      managers, [&run](const MachineRecord& each) { return ClientBundleOf(run.parts(), each); },
      request);
  return absl::OkStatus();
}

// A removal goes on whatever becomes of the swarm.
StepDone OnlyWarning(const OperationRunPointer& run, StepDone done) {
  return [run, done = std::move(done)](absl::Status status) mutable {
    if (status.ok() || run->operation().metadata().cancel_requested()) {
      return done(std::move(status));
    }
    machine::v1::LogLine line;
    line.set_severity(machine::v1::LogLine::WARNING);
    line.set_text(absl::StrCat(MachineId(run->machine().machine().name()),
                               " may still be listed in its swarm: ", status.message()));
    run->EmitLog(std::move(line));
    done(absl::OkStatus());
  };
}

void Leave(const OperationRunPointer& run,
           const std::shared_ptr<ProvisionerConnection>& provisioner, StepDone done) {
  auto call = std::make_shared<LeaveCall>();
  call->done = std::move(done);
  if (absl::Status status = FillLeave(*run, call->request); !status.ok()) {
    return call->done(std::move(status));
  }
  const bool forced = run->operation().request().force();
  provisioner->channel().Prepare(
      call->context, std::min(forced ? kForcedLeaveTimeout : kLeaveTimeout, run->Remaining()));
  CarryTrace(run->operation(), call->context);
  run->OnCancel([call] { call->context.TryCancel(); });
  provisioner->stub().async()->LeaveSwarm(
      &call->context, &call->request, &call->response,
      [run, provisioner, call](const grpc::Status& grpc_status) {
        run->strand()->Run([run, call, status = common::FromGrpcStatus(grpc_status)]() mutable {
          run->OnCancel([] {});  // The hook held the call.
          call->done(DriverCallStatus(std::move(status), "provisioner"));
        });
      });
}

}  // namespace

Step LeaveSwarmStep() {
  return {.name = "leave_swarm",
          .message = "Leaving swarm...",
          .effect = true,
          .run =
              [](const OperationRunPointer& run, StepDone done) {
                WithProvisioner(run, OnlyWarning(run, std::move(done)),
                                [run](const std::shared_ptr<ProvisionerConnection>& provisioner,
                                      StepDone done) { Leave(run, provisioner, std::move(done)); });
              },
          .applies =
              [](const OperationRecord& operation, const MachineRecord& machine) {
                return machine.machine().swarm().engine_mode() && machine.provisioned() &&
                       !operation.request().forget_only();
              }};
}

Step SwarmStep() {
  return {.name = "swarm",
          .message = "Configuring swarm...",
          .effect = true,
          .run =
              [](const OperationRunPointer& run, StepDone done) {
                WithProvisioner(
                    run, std::move(done),
                    [run](const std::shared_ptr<ProvisionerConnection>& provisioner,
                          StepDone done) { Configure(run, provisioner, std::move(done)); });
              },
          .applies =
              [](const OperationRecord&, const MachineRecord& machine) {
                return machine.machine().swarm().engine_mode() && machine.provisioned();
              }};
}

absl::Status CheckSwarmOptions(const machine::v1::SwarmOptions& swarm) {
  const std::string& discovery = swarm.discovery();
  if (absl::StartsWith(discovery, "token://")) {
    return common::Error(
        absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_PRECREATE_CHECK_FAILED,
        "swarm discovery by token:// needs a hosted service that no longer exists; use consul://, "
        "file:// or nodes://, or the engine's own swarm with --swarm-mode",
        {{"discovery", "token"}});
  }
  const bool machine = absl::StartsWith(discovery, kMachineDiscovery);
  if (swarm.engine_mode() && !machine && !discovery.empty()) {
    return common::InvalidField("machine.swarm.discovery",
                                "--swarm-mode joins the swarm of a machine: --swarm-discovery "
                                "machine://NAME, or none to begin a swarm");
  }
  if (!swarm.engine_mode() && machine) {
    return common::InvalidField("machine.swarm.discovery",
                                "--swarm-discovery machine://NAME needs --swarm-mode");
  }
  return absl::OkStatus();
}

}  // namespace machine::orchestrator
