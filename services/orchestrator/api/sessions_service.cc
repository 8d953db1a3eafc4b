#include "services/orchestrator/api/sessions_service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "provisioner/v1/provisioner.grpc.pb.h"
#include "services/common/status/status.h"
#include "services/orchestrator/api/relay.h"
#include "services/orchestrator/engine/admission.h"
#include "services/orchestrator/engine/machine_material.h"

namespace machine::orchestrator {
namespace {

using ExecRelay =
    Relay<machine::v1::ExecRequest, ::provisioner::v1::ExecRequest, machine::v1::ExecResponse>;
using TunnelRelay = Relay<machine::v1::TunnelRequest, ::provisioner::v1::TunnelRequest,
                          machine::v1::TunnelResponse>;

absl::Status StartExpected() {
  return absl::InvalidArgumentError("the first message must be a start");
}

absl::Status CheckReachable(absl::string_view id, const MachinePointer& machine) {
  if (machine == nullptr) return MachineNotFound(id);
  const machine::v1::MachineState state = machine->machine.state();
  const bool off = state == machine::v1::MACHINE_STATE_STOPPED ||
                   state == machine::v1::MACHINE_STATE_PAUSED ||
                   state == machine::v1::MACHINE_STATE_SAVED;
  if (off || machine->machine.endpoint().ssh_host().empty()) {
    return common::Error(absl::StatusCode::kFailedPrecondition,
                         machine::v1::ERROR_REASON_MACHINE_NOT_RUNNING,
                         absl::StrCat("Cannot run SSH command: Host \"", id, "\" is not running"));
  }
  return absl::OkStatus();
}

}  // namespace

SessionsService::SessionsService(EngineParts parts, const MachineIndex& index)
    : parts_(parts), index_(index) {}

void SessionsService::Prepare(absl::string_view name, Next next) {
  parts_.executor.Run([this, name = std::string(name), next = std::move(next)]() mutable {
    const absl::string_view id = MachineId(name);
    const MachinePointer machine = index_.Find(id);
    if (const absl::Status status = CheckReachable(id, machine); !status.ok()) {
      return next(status, {});
    }
    std::optional<MachineRecord> record;
    absl::Status status = parts_.store.Read([&](StoreReader& reader) -> absl::Status {
      DM_ASSIGN_OR_RETURN(record, reader.FindMachine(machine->machine.uid()));
      return absl::OkStatus();
    });
    if (status.ok() && !record.has_value()) status = MachineNotFound(id);
    if (!status.ok()) return next(status, {});
    absl::StatusOr<::provisioner::v1::SshTarget> target = BuildSshTarget(parts_, *record, 0);
    if (!target.ok()) return next(target.status(), {});
    parts_.drivers.GetProvisioner(
        [target = *std::move(target), next = std::move(next)](
            absl::StatusOr<std::shared_ptr<ProvisionerConnection>> provisioner) mutable {
          next(std::move(provisioner), std::move(target));
        });
  });
}

grpc::ServerBidiReactor<machine::v1::ExecRequest, machine::v1::ExecResponse>* SessionsService::Exec(
    grpc::CallbackServerContext*) {
  const std::shared_ptr<void> counted(nullptr, [open = open_](void*) { --*open; });
  ++*open_;
  return ExecRelay::Start(
      [this, counted](std::shared_ptr<ExecRelay> relay, machine::v1::ExecRequest first) {
        if (!first.has_start()) return relay->Fail(StartExpected());
        const std::string name = first.start().name();
        Prepare(name, [relay, counted, first = std::move(first)](
                          absl::StatusOr<std::shared_ptr<ProvisionerConnection>> provisioner,
                          ::provisioner::v1::SshTarget target) mutable {
          if (!provisioner.ok()) return relay->Fail(provisioner.status());
          ::provisioner::v1::ExecRequest start;
          *start.mutable_start()->mutable_target() = std::move(target);
          *start.mutable_start()->mutable_exec() = std::move(*first.mutable_start());
          relay->Connect(
              [&](ExecRelay::Downstream& stream) {
                (*provisioner)->channel().Prepare(stream.context(), absl::InfiniteDuration());
                (*provisioner)->stub().async()->Exec(&stream.context(), &stream);
              },
              std::move(start));
        });
      },
      [counted](machine::v1::ExecRequest request) {
        ::provisioner::v1::ExecRequest forward;
        *forward.mutable_request() = std::move(request);
        return forward;
      });
}

grpc::ServerBidiReactor<machine::v1::TunnelRequest, machine::v1::TunnelResponse>*
SessionsService::Tunnel(grpc::CallbackServerContext*) {
  const std::shared_ptr<void> counted(nullptr, [open = open_](void*) { --*open; });
  ++*open_;
  return TunnelRelay::Start(
      [this, counted](std::shared_ptr<TunnelRelay> relay, machine::v1::TunnelRequest first) {
        if (!first.has_start()) return relay->Fail(StartExpected());
        const std::string name = first.start().name();
        Prepare(name, [relay, counted, first = std::move(first)](
                          absl::StatusOr<std::shared_ptr<ProvisionerConnection>> provisioner,
                          ::provisioner::v1::SshTarget target) mutable {
          if (!provisioner.ok()) return relay->Fail(provisioner.status());
          ::provisioner::v1::TunnelRequest start;
          *start.mutable_start()->mutable_target() = std::move(target);
          *start.mutable_start()->mutable_tunnel() = std::move(*first.mutable_start());
          relay->Connect(
              [&](TunnelRelay::Downstream& stream) {
                (*provisioner)->channel().Prepare(stream.context(), absl::InfiniteDuration());
                (*provisioner)->stub().async()->Tunnel(&stream.context(), &stream);
              },
              std::move(start));
        });
      },
      [counted](machine::v1::TunnelRequest request) {
        ::provisioner::v1::TunnelRequest forward;
        *forward.mutable_request() = std::move(request);
        return forward;
      });
}

}  // namespace machine::orchestrator
