#include "services/orchestrator/engine/provision_steps.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "provisioner/v1/provisioner.grpc.pb.h"
#include "services/common/rpc/client_reactors.h"
#include "services/common/status/grpc_status.h"
#include "services/common/status/status.h"
#include "services/orchestrator/engine/driver_steps.h"
#include "services/orchestrator/engine/machine_material.h"
#include "services/orchestrator/engine/operation_run.h"
#include "services/orchestrator/engine/operation_trace.h"
#include "services/orchestrator/events/machine_index.h"

namespace machine::orchestrator {
namespace {

using ::provisioner::v1::HostInfo;
using ::provisioner::v1::ProvisionEvent;
using ProvisionStream = common::ReadStream<ProvisionEvent>;
using Connection = std::shared_ptr<ProvisionerConnection>;

constexpr absl::Duration kDefaultSshTimeout = absl::Seconds(60);
constexpr absl::Duration kSshTimeoutMargin = absl::Seconds(15);
constexpr absl::Duration kCheckTimeout = absl::Seconds(30);

bool IsProvisioned(const OperationRecord&, const MachineRecord& machine) {
  return HasSsh(machine) && !machine.skip_provision();
}

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

void ApplyHostInfo(OperationRun& run, const HostInfo& info) {
  run.Update([info](MachineRecord& record) {
    auto& machine = *record.mutable_machine();
    if (!info.os_id().empty()) machine.set_os_id(info.os_id());
    if (!info.docker_version().empty()) machine.set_docker_version(info.docker_version());
    if (!info.host_key_sha256().empty()) {
      machine.mutable_endpoint()->set_ssh_host_key_sha256(info.host_key_sha256());
    }
  });
}

void HandleEvent(OperationRun& run, ProvisionEvent event) {
  if (event.has_progress()) {
    run.EmitProgress(std::move(*event.mutable_progress()));
  } else if (event.has_log()) {
    machine::v1::LogLine line = std::move(*event.mutable_log());
    line.set_component("provisioner");
    run.EmitLog(std::move(line));
  } else if (event.has_result()) {
    ApplyHostInfo(run, event.result());
  }
}

// Reads a streaming call of the provisioner to its end. `start` gets the stream, with its deadline
// set, and must keep the request alive through `keep_alive`.
void Follow(const OperationRunPointer& run, const Connection& provisioner, absl::Duration timeout,
            std::shared_ptr<const google::protobuf::Message> keep_alive,
            const std::function<void(ProvisionStream&)>& start, StepDone done) {
  auto shared_done = std::make_shared<StepDone>(std::move(done));
  auto stream = ProvisionStream::Create(
      [run](ProvisionEvent event) {
        run->strand()->Run(
            [run, event = std::move(event)]() mutable { HandleEvent(*run, std::move(event)); });
      },
      [run, provisioner, keep_alive, shared_done](absl::Status status) {
        run->strand()->Run([shared_done, status = std::move(status)]() mutable {
          (*shared_done)(DriverCallStatus(std::move(status), "provisioner"));
        });
      });
  provisioner->channel().Prepare(stream->context(), std::min(timeout, run->Remaining()));
  CarryTrace(run->operation(), stream->context());
  start(*stream);
  run->OnCancel([weak = std::weak_ptr(stream)] {
    if (const auto running = weak.lock()) running->Cancel();
  });
  stream->Begin();
}

// A certificate that is on its way to the host; the record tells of it once it is there.
struct Issued {
  std::vector<std::string> names;
  absl::Time not_after;
};

// The master of a standalone swarm dials the engines of its nodes with the certificate that its own
// clients see.
common::ServerUse ServerUseOf(const machine::v1::Machine& machine) {
  const machine::v1::SwarmOptions& swarm = machine.swarm();
  return swarm.master() && !swarm.engine_mode() ? common::ServerUse::kServerAndClient
                                                : common::ServerUse::kServer;
}

// The certificate on the host stays as long as it names the right addresses and is young enough, so
// that provisioning again changes nothing.
absl::StatusOr<::provisioner::v1::TlsMaterial> EngineTls(OperationRun& run, bool renew,
                                                         std::optional<Issued>& fresh) {
  // Always our authority's: a machine that was imported moves to it here.
  DM_ASSIGN_OR_RETURN(const ClientBundle client, run.parts().certificates.OwnClientBundle());
  ::provisioner::v1::TlsMaterial tls = ToTlsMaterial(client);
  const std::vector<std::string> names = NamesToCertify(run.machine());
  const auto& certified = run.machine().certified_names();
  DM_ASSIGN_OR_RETURN(std::string cert, run.GetSecret(kServerCertSecret));
  DM_ASSIGN_OR_RETURN(std::string key, run.GetSecret(kServerKeySecret));
  const bool same = std::equal(names.begin(), names.end(), certified.begin(), certified.end());
  const absl::Duration lifetime = ServerCertLifetime(run.machine().machine());
  if (renew || run.machine().imported_tls() || !same || cert.empty() || key.empty() ||
      run.parts().certificates.NeedsRenewal(cert, lifetime)) {
    DM_ASSIGN_OR_RETURN(const common::CertAuthority ca, run.parts().certificates.Ca());
    DM_ASSIGN_OR_RETURN(
        const common::IssuedCert issued,
        common::Annotate(ca.IssueServer(names, lifetime, ServerUseOf(run.machine().machine())),
                         "server certificate"));
    cert = issued.cert_pem;
    key = std::string(issued.key_pem.view());
    DM_RETURN_IF_ERROR(run.PutSecret(kServerCertSecret, cert));
    DM_RETURN_IF_ERROR(run.PutSecret(kServerKeySecret, key));
    fresh = Issued{names, issued.not_after};
  }
  tls.set_server_cert_pem(cert);
  tls.set_server_key_pem(key);
  return tls;
}

absl::StatusOr<std::shared_ptr<::provisioner::v1::ProvisionRequest>> BuildProvisionRequest(
    OperationRun& run, bool renew, std::optional<Issued>& fresh) {
  auto request = std::make_shared<::provisioner::v1::ProvisionRequest>();
  const machine::v1::Machine& machine = run.machine().machine();
  DM_ASSIGN_OR_RETURN(*request->mutable_target(),
                      BuildSshTarget(run.parts(), run.machine(), run.operation().epoch()));
  DM_ASSIGN_OR_RETURN(*request->mutable_tls(), EngineTls(run, renew, fresh));
  request->set_host_name(std::string(MachineId(machine.name())));
  *request->mutable_engine() = machine.engine();
  *request->mutable_swarm() = machine.swarm();
  request->set_driver(machine.driver());
  // "tcp://HOST:PORT"; the driver made it.
  absl::string_view url = machine.endpoint().docker_url();
  absl::ConsumePrefix(&url, "tcp://");
  const size_t colon = url.rfind(':');
  int port = 0;
  if (colon != absl::string_view::npos && absl::SimpleAtoi(url.substr(colon + 1), &port)) {
    request->set_engine_port(port);
    absl::string_view host = url.substr(0, colon);
    if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
    request->set_engine_host(std::string(host));
  }
  return request;
}

// Whether clients would be refused by name or date, or will be soon.
bool NeedsCertificate(OperationRun& run) {
  const std::vector<std::string> names = NamesToCertify(run.machine());
  const auto& certified = run.machine().certified_names();
  if (!std::equal(names.begin(), names.end(), certified.begin(), certified.end())) return true;
  // Its authority is another's, and it is up to its user to leave that.
  if (run.machine().imported_tls()) return false;
  // What is stored may never have come to the host; the record tells what has.
  const machine::v1::Machine& machine = run.machine().machine();
  const absl::Time end = absl::FromUnixSeconds(machine.auth().server_cert_expire_time().seconds());
  if (end - run.parts().clock.Now() < ServerCertLifetime(machine) / 3) return true;
  const absl::StatusOr<std::string> cert = run.GetSecret(kServerCertSecret);
  return !cert.ok() ||
         run.parts().certificates.NeedsRenewal(*cert, ServerCertLifetime(run.machine().machine()));
}

void Provision(const OperationRunPointer& run, const Connection& provisioner,
               ProvisionAction action, bool renew, StepDone done) {
  std::optional<Issued> fresh;
  auto request = BuildProvisionRequest(*run, renew, fresh);
  if (!request.ok()) return done(request.status());
  StepDone recorded = [run, fresh, done = std::move(done)](absl::Status status) mutable {
    if (status.ok() && fresh.has_value()) {
      run->Update([fresh](MachineRecord& record) {
        record.mutable_certified_names()->Assign(fresh->names.begin(), fresh->names.end());
        record.mutable_machine()->mutable_auth()->mutable_server_cert_expire_time()->set_seconds(
            absl::ToUnixSeconds(fresh->not_after));
      });
    }
    done(std::move(status));
  };
  Follow(
      run, provisioner, absl::InfiniteDuration(), *request,
      [&](ProvisionStream& stream) {
        auto* const async = provisioner->stub().async();
        const ::provisioner::v1::ProvisionRequest* const message = request->get();
        switch (action) {
          case ProvisionAction::kProvision:
            return async->Provision(&stream.context(), message, &stream);
          case ProvisionAction::kUpgrade:
            return async->Upgrade(&stream.context(), message, &stream);
          case ProvisionAction::kConfigureTls:
            return async->ConfigureTls(&stream.context(), message, &stream);
        }
      },
      std::move(recorded));
}

// From now on the engine trusts our authority, whatever store the machine came from.
StepDone AfterOurCertificates(const OperationRunPointer& run, StepDone done) {
  return [run, done = std::move(done)](absl::Status status) mutable {
    if (status.ok() && run->machine().imported_tls()) {
      run->Update([](MachineRecord& record) { record.clear_imported_tls(); });
      status = run->PutSecret(kImportedTlsSecret, "");
    }
    done(std::move(status));
  };
}

void CheckDocker(const OperationRunPointer& run, const Connection& provisioner, StepDone done) {
  struct Call {
    grpc::ClientContext context;
    ::provisioner::v1::CheckDockerRequest request;
    ::provisioner::v1::CheckDockerResponse response;
    StepDone done;
  };
  auto call = std::make_shared<Call>();
  call->done = std::move(done);
  const machine::v1::Endpoint& endpoint = run->machine().machine().endpoint();
  call->request.set_docker_url(endpoint.docker_url());
  call->request.mutable_timeout()->set_seconds(absl::ToInt64Seconds(kCheckTimeout));
  if (!endpoint.docker_plaintext()) {
    const absl::StatusOr<ClientBundle> client = ClientBundleOf(run->parts(), run->machine());
    if (!client.ok()) return call->done(client.status());
    *call->request.mutable_tls() = ToTlsMaterial(*client);
  }
  provisioner->channel().Prepare(call->context, kCheckTimeout + kSshTimeoutMargin);
  CarryTrace(run->operation(), call->context);
  run->OnCancel([call] { call->context.TryCancel(); });
  provisioner->stub().async()->CheckDocker(
      &call->context, &call->request, &call->response,
      [run, provisioner, call](const grpc::Status& grpc_status) {
        run->strand()->Run([run, call, status = common::FromGrpcStatus(grpc_status)]() mutable {
          if (status.ok()) {
            run->Update([version = call->response.docker_version()](MachineRecord& record) {
              record.mutable_machine()->set_docker_version(version);
              record.set_provisioned(true);
            });
            run->Say("Docker is up and running!");
          }
          run->OnCancel([] {});  // The hook held the call.
          call->done(DriverCallStatus(std::move(status), "provisioner"));
        });
      });
}

}  // namespace

void WithProvisioner(
    const OperationRunPointer& run, StepDone done,
    absl::AnyInvocable<void(std::shared_ptr<ProvisionerConnection>, StepDone)> next) {
  run->parts().drivers.GetProvisioner(
      [run, done = std::move(done), next = std::move(next)](
          absl::StatusOr<std::shared_ptr<ProvisionerConnection>> provisioner) mutable {
        run->strand()->Run([provisioner = std::move(provisioner), done = std::move(done),
                            next = std::move(next)]() mutable {
          if (!provisioner.ok()) return done(provisioner.status());
          next(*std::move(provisioner), std::move(done));
        });
      });
}

Step WaitForSshStep() {
  return {.name = "wait_ssh",
          .message = "Waiting for SSH to be available...",
          .patient = true,
          .run =
              [](const OperationRunPointer& run, StepDone done) {
                WithProvisioner(
                    run, std::move(done), [run](const Connection& provisioner, StepDone done) {
                      auto request = std::make_shared<::provisioner::v1::WaitForSshRequest>();
                      auto target =
                          BuildSshTarget(run->parts(), run->machine(), run->operation().epoch());
                      if (!target.ok()) return done(target.status());
                      *request->mutable_target() = *std::move(target);
                      absl::Duration timeout = kDefaultSshTimeout;
                      if (run->machine().has_ssh_timeout()) {
                        timeout = ToDuration(run->machine().ssh_timeout());
                      }
                      request->mutable_timeout()->set_seconds(absl::ToInt64Seconds(timeout));
                      request->mutable_timeout()->set_nanos(static_cast<int32_t>(
                          absl::ToInt64Nanoseconds(timeout % absl::Seconds(1))));
                      Follow(
                          run, provisioner, timeout + kSshTimeoutMargin, request,
                          [&](ProvisionStream& stream) {
                            provisioner->stub().async()->WaitForSsh(&stream.context(),
                                                                    request.get(), &stream);
                          },
                          std::move(done));
                    });
              },
          .applies = IsProvisioned};
}

Step ProvisionStep(absl::string_view message, ProvisionAction action, bool renew) {
  return {.name = "provision",
          .message = message,
          .effect = true,
          .run =
              [action, renew](const OperationRunPointer& run, StepDone done) {
                WithProvisioner(run, std::move(done),
                                [run, action, renew](const Connection& provisioner, StepDone done) {
                                  Provision(run, provisioner, action, renew,
                                            AfterOurCertificates(run, std::move(done)));
                                });
              },
          .applies = IsProvisioned};
}

Step CertifyNewAddressesStep() {
  Step step = ProvisionStep("", ProvisionAction::kConfigureTls);
  step.name = "certify";
  step.run = [certify = std::move(step.run)](const OperationRunPointer& run, StepDone done) {
    if (!NeedsCertificate(*run)) return done(absl::OkStatus());
    certify(run, std::move(done));
  };
  step.applies = [](const OperationRecord& operation, const MachineRecord& machine) {
    return IsProvisioned(operation, machine) && machine.provisioned();
  };
  return step;
}

Step ClientCertsStep() {
  return {.name = "client_certs",
          .message = "",
          .effect = true,
          .run =
              [](const OperationRunPointer& run, StepDone done) {
                absl::Status status = run->parts().certificates.RenewOwnClientBundle();
                if (status.ok()) status = SyncAllFolders(run->parts());
                done(std::move(status));
              },
          .applies = [](const OperationRecord& operation,
                        const MachineRecord&) { return operation.request().client_certs(); }};
}

Step CheckDockerStep() {
  return {.name = "check_docker",
          .message = "Checking connection to Docker...",
          .run =
              [](const OperationRunPointer& run, StepDone done) {
                WithProvisioner(run, std::move(done),
                                [run](const Connection& provisioner, StepDone done) {
                                  CheckDocker(run, provisioner, std::move(done));
                                });
              },
          .applies = IsProvisioned};
}

}  // namespace machine::orchestrator
