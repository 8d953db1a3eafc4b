#include "services/orchestrator/api/machines_service.h"

#include <optional>
#include <utility>

#include "services/common/rpc/server_reactors.h"
#include "services/common/rpc/tracing.h"
#include "services/common/status/grpc_status.h"
#include "services/common/status/status.h"
#include "services/orchestrator/access/gate.h"
#include "services/orchestrator/api/field_selection.h"
#include "services/orchestrator/api/machine_page.h"
#include "services/orchestrator/engine/machine_material.h"
#include "services/orchestrator/engine/request_identity.h"

namespace machine::orchestrator {
namespace {

constexpr absl::Duration kDefaultObserveTimeout = absl::Seconds(10);

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

// Which of `machines` are older than the caller accepts.
std::vector<MachinePointer> Stale(const std::vector<MachinePointer>& machines,
                                  const machine::v1::ObserveOptions& observe, absl::Time now) {
  if (observe.live()) return machines;
  std::vector<MachinePointer> stale;
  if (!observe.has_max_age()) return stale;
  const int64_t oldest = absl::ToUnixMicros(now - ToDuration(observe.max_age()));
  for (const MachinePointer& machine : machines) {
    if (machine->observed_us < oldest) stale.push_back(machine);
  }
  return stale;
}

absl::Duration ObserveTimeout(const machine::v1::ObserveOptions& observe) {
  return observe.has_per_machine_timeout() ? ToDuration(observe.per_machine_timeout())
                                           : kDefaultObserveTimeout;
}

absl::Status FillMachine(const MachineIndex& index, const machine::v1::GetMachineRequest& request,
                         machine::v1::Machine& response) {
  const absl::string_view id = MachineId(request.name());
  const MachinePointer machine = index.Find(id);
  if (machine == nullptr) return MachineNotFound(id);
  DM_ASSIGN_OR_RETURN(const FieldSelection fields, FieldSelection::FromMask(request.read_mask()));
  CopyMachine(*machine, fields, response);
  return absl::OkStatus();
}

}  // namespace

MachinesService::MachinesService(EngineParts parts, Admission& admission, MachineIndex& index,
                                 WatchHub& hub, Refresher& refresher, AccessPolicy* policy)
    : parts_(parts),
      admission_(admission),
      index_(index),
      hub_(hub),
      refresher_(refresher),
      policy_(policy) {}

std::optional<std::vector<MachineFilter>> MachinesService::VisibleTo(const Caller& caller) const {
  return policy_ == nullptr ? std::nullopt : policy_->VisibleTo(caller);
}

grpc::ServerUnaryReactor* MachinesService::CreateMachine(
    grpc::CallbackServerContext* context, const machine::v1::CreateMachineRequest* request,
    google::longrunning::Operation* response) {
  auto call = common::UnaryCall::Create();
  admission_.Create(*request, CallerOf(policy_, *context).Name(), common::TraceIdOf(*context),
                    [call, response](absl::StatusOr<google::longrunning::Operation> operation) {
                      if (operation.ok()) *response = *std::move(operation);
                      call->Reply(operation.status());
                    });
  return call.get();
}

grpc::ServerUnaryReactor* MachinesService::GetMachine(grpc::CallbackServerContext* context,
                                                      const machine::v1::GetMachineRequest* request,
                                                      machine::v1::Machine* response) {
  if (request->has_observe()) {
    const MachinePointer machine = index_.Find(MachineId(request->name()));
    if (machine != nullptr && !Stale({machine}, request->observe(), parts_.clock.Now()).empty()) {
      auto call = common::UnaryCall::Create();
      refresher_.Refresh({machine}, ObserveTimeout(request->observe()),
                         [this, call, request, response] {
                           call->Reply(FillMachine(index_, *request, *response));
                         });
      return call.get();
    }
  }
  // From memory: answered right here.
  auto* const reactor = context->DefaultReactor();
  reactor->Finish(common::ToGrpcStatus(FillMachine(index_, *request, *response)));
  return reactor;
}

grpc::ServerUnaryReactor* MachinesService::ListMachines(
    grpc::CallbackServerContext* context, const machine::v1::ListMachinesRequest* request,
    machine::v1::ListMachinesResponse* response) {
  auto call = common::UnaryCall::Create();
  auto fill = [this, call, request, response, caller = CallerOf(policy_, *context)] {
    call->Reply(FillMachinePage(index_, *request, VisibleTo(caller), *response));
  };
  parts_.executor.Run([this, request, fill]() mutable {
    const std::vector<MachinePointer> stale =
        request->has_observe() ? Stale(index_.All(), request->observe(), parts_.clock.Now())
                               : std::vector<MachinePointer>();
    if (stale.empty()) return fill();
    refresher_.Refresh(stale, ObserveTimeout(request->observe()),
                       [this, fill]() mutable { parts_.executor.Run(std::move(fill)); });
  });
  return call.get();
}

grpc::ServerUnaryReactor* MachinesService::UpdateMachine(
    grpc::CallbackServerContext* context, const machine::v1::UpdateMachineRequest* request,
    machine::v1::Machine* response) {
  return common::RunUnary(
      parts_.executor, *context,
      [this, request, response,
       caller = CallerOf(policy_, *context).Name()](common::CallScope&) -> absl::Status {
        for (const std::string& path : request->update_mask().paths()) {
          if (path == "labels") continue;
          return common::InvalidField("update_mask", "only labels can be changed");
        }
        return parts_.store.WriteAndWait([&](StoreTransaction& transaction) -> absl::Status {
          const absl::string_view id = MachineId(request->machine().name());
          DM_ASSIGN_OR_RETURN(auto record, transaction.FindMachineByName(id));
          const std::string body_hash = BodyHash(*request);
          DM_ASSIGN_OR_RETURN(const auto repeated,
                              FindRepeated(transaction, caller, request->request_id(), body_hash));
          if (!record.has_value()) return MachineNotFound(id);
          if (repeated.has_value()) {
            *response = record->machine();
            return absl::OkStatus();
          }
          if (!request->request_id().empty()) {
            DM_RETURN_IF_ERROR(
                transaction.InsertRequest({caller, request->request_id(), body_hash, ""}));
          }
          const std::string& etag = request->machine().etag();
          if (!etag.empty() && etag != record->machine().etag()) {
            return common::Error(absl::StatusCode::kAborted,
                                 machine::v1::ERROR_REASON_ETAG_MISMATCH,
                                 "the machine has changed since its etag was read");
          }
          *record->mutable_machine()->mutable_labels() = request->machine().labels();
          DM_RETURN_IF_ERROR(transaction.UpdateMachine(*record));
          *response = record->machine();
          return absl::OkStatus();
        });
      });
}

template <typename Request>
grpc::ServerUnaryReactor* MachinesService::Begin(const grpc::CallbackServerContext& context,
                                                 absl::string_view verb, const Request& request,
                                                 google::longrunning::Operation* response,
                                                 VerbRequest verb_request) {
  verb_request.verb = verb;
  verb_request.machine = request.name();
  verb_request.etag = request.etag();
  verb_request.request_id = request.request_id();
  verb_request.body_hash = BodyHash(request);
  verb_request.caller = CallerOf(policy_, context).Name();
  verb_request.trace_id = common::TraceIdOf(context);
  auto call = common::UnaryCall::Create();
  admission_.Begin(std::move(verb_request),
                   [call, response](absl::StatusOr<google::longrunning::Operation> operation) {
                     if (operation.ok()) *response = *std::move(operation);
                     call->Reply(operation.status());
                   });
  return call.get();
}

grpc::ServerUnaryReactor* MachinesService::DeleteMachine(
    grpc::CallbackServerContext* context, const machine::v1::DeleteMachineRequest* request,
    google::longrunning::Operation* response) {
  VerbRequest verb;
  verb.details.set_force(request->force());
  verb.details.set_forget_only(request->forget_only());
  verb.preempt = request->force();
  verb.allow_missing = request->allow_missing();
  return Begin(*context, "delete", *request, response, std::move(verb));
}

grpc::ServerUnaryReactor* MachinesService::StartMachine(
    grpc::CallbackServerContext* context, const machine::v1::StartMachineRequest* request,
    google::longrunning::Operation* response) {
  return Begin(*context, "start", *request, response, {});
}

grpc::ServerUnaryReactor* MachinesService::StopMachine(
    grpc::CallbackServerContext* context, const machine::v1::StopMachineRequest* request,
    google::longrunning::Operation* response) {
  VerbRequest verb;
  if (request->has_grace_period()) {
    *verb.details.mutable_grace_period() = request->grace_period();
  }
  return Begin(*context, "stop", *request, response, std::move(verb));
}

grpc::ServerUnaryReactor* MachinesService::KillMachine(
    grpc::CallbackServerContext* context, const machine::v1::KillMachineRequest* request,
    google::longrunning::Operation* response) {
  VerbRequest verb;
  verb.preempt = true;
  return Begin(*context, "kill", *request, response, std::move(verb));
}

grpc::ServerUnaryReactor* MachinesService::RestartMachine(
    grpc::CallbackServerContext* context, const machine::v1::RestartMachineRequest* request,
    google::longrunning::Operation* response) {
  return Begin(*context, "restart", *request, response, {});
}

grpc::ServerUnaryReactor* MachinesService::ProvisionMachine(
    grpc::CallbackServerContext* context, const machine::v1::ProvisionMachineRequest* request,
    google::longrunning::Operation* response) {
  return Begin(*context, "provision", *request, response, {});
}

grpc::ServerUnaryReactor* MachinesService::UpgradeMachine(
    grpc::CallbackServerContext* context, const machine::v1::UpgradeMachineRequest* request,
    google::longrunning::Operation* response) {
  return Begin(*context, "upgrade", *request, response, {});
}

grpc::ServerUnaryReactor* MachinesService::RegenerateMachineCerts(
    grpc::CallbackServerContext* context, const machine::v1::RegenerateMachineCertsRequest* request,
    google::longrunning::Operation* response) {
  VerbRequest verb;
  verb.details.set_client_certs(request->client_certs());
  return Begin(*context, "regenerate-certs", *request, response, std::move(verb));
}

grpc::ServerWriteReactor<machine::v1::MachineEvent>* MachinesService::WatchMachines(
    grpc::CallbackServerContext* context, const machine::v1::WatchMachinesRequest* request) {
  auto stream = MachineStream::Create();
  absl::StatusOr<MachineFilter> filter = MachineFilter::Parse(request->filter());
  if (!filter.ok()) {
    stream->End(filter.status());
  } else {
    if (auto visible = VisibleTo(CallerOf(policy_, *context)); visible.has_value()) {
      filter->RestrictTo(*std::move(visible));
    }
    hub_.WatchMachines(*std::move(filter), request->resume_token(), request->send_initial(),
                       stream);
  }
  return stream.get();
}

grpc::ServerUnaryReactor* MachinesService::GetAccessBundle(
    grpc::CallbackServerContext* context, const machine::v1::GetAccessBundleRequest* request,
    machine::v1::AccessBundle* response) {
  return common::RunUnary(
      parts_.executor, *context,
      [this, request, response, caller = CallerOf(policy_, *context)](common::CallScope&) {
        return FillAccessBundle(caller, *request, *response);
      });
}

absl::Status MachinesService::FillAccessBundle(const Caller& caller,
                                               const machine::v1::GetAccessBundleRequest& request,
                                               machine::v1::AccessBundle& bundle) const {
  const absl::string_view id = MachineId(request.name());
  const MachinePointer machine = index_.Find(id);
  if (machine == nullptr) return MachineNotFound(id);
  if (machine->machine.endpoint().docker_url().empty()) {
    return common::Error(absl::StatusCode::kFailedPrecondition,
                         machine::v1::ERROR_REASON_MACHINE_NOT_RUNNING, "Host is not running");
  }
  *bundle.mutable_endpoint() = machine->machine.endpoint();
  bundle.set_name(machine->machine.name());
  std::optional<MachineRecord> record;
  DM_RETURN_IF_ERROR(parts_.store.Read([&](StoreReader& reader) -> absl::Status {
    DM_ASSIGN_OR_RETURN(record, reader.FindMachine(machine->machine.uid()));
    return absl::OkStatus();
  }));
  if (!record.has_value()) return MachineNotFound(id);
  DM_ASSIGN_OR_RETURN(ClientBundle client, ClientBundleOf(parts_, *record));
  if (!caller.local()) {
    DM_ASSIGN_OR_RETURN(ClientBundle own, parts_.certificates.ShortLivedBundle(caller.user_id));
    // An imported machine trusts the authority it came with, which has signed one certificate.
    if (own.ca_pem == client.ca_pem) client = std::move(own);
  }
  bundle.set_ca_pem(client.ca_pem);
  bundle.set_client_cert_pem(client.cert_pem);
  bundle.set_client_key_pem(client.key_pem);
  if (request.include_ssh_key()) {
    DM_ASSIGN_OR_RETURN(*bundle.mutable_ssh_private_key(),
                        ReadSecret(parts_, machine->machine.uid(), kSshKeySecret));
  }
  if (parts_.folder != nullptr && parts_.folder->HasBundle(id, client)) {
    bundle.set_local_folder(parts_.folder->PathOf(id));
  }
  parts_.log.Info("access bundle given", {{"machine_uid", machine->machine.uid()},
                                          {"ssh_key", request.include_ssh_key() ? "yes" : "no"}});
  return absl::OkStatus();
}

}  // namespace machine::orchestrator
