#include "services/orchestrator/api/server_service.h"

#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/rpc/server_reactors.h"
#include "services/common/status/status.h"
#include "services/orchestrator/import/store_export.h"
#include "services/orchestrator/import/store_import.h"

namespace machine::orchestrator {
namespace {

constexpr char kProvisionerProgram[] = "machine-provisioner";

// What is not running, but would be started at once, is no trouble.
bool IsTroubled(machine::v1::DriverInfo::State state) {
  return state == machine::v1::DriverInfo::BACKOFF || state == machine::v1::DriverInfo::BROKEN;
}

}  // namespace

ServerService::ServerService(machine::v1::ServerInfo info, const EngineParts& parts,
                             const Engine& engine, const MachineIndex& index,
                             Supervisor& supervisor, absl::AnyInvocable<void(bool)> shut_down)
    : info_(std::move(info)),
      supervisor_(supervisor),
      parts_(parts),
      engine_(engine),
      index_(index),
      shut_down_(std::move(shut_down)) {}

grpc::ServerUnaryReactor* ServerService::GetServerInfo(grpc::CallbackServerContext* context,
                                                       const machine::v1::GetServerInfoRequest*,
                                                       machine::v1::ServerInfo* response) {
  return common::RunUnary(parts_.executor, *context,
                          [this, response](common::CallScope&) -> absl::Status {
                            *response = info_;
                            response->set_active_operations(engine_.active());
                            response->set_machine_count(static_cast<int64_t>(index_.size()));
                            AddDependencies(*response);
                            return absl::OkStatus();
                          });
}

void ServerService::AddDependencies(machine::v1::ServerInfo& info) const {
  const auto add = [&](const std::string& name, const absl::Status& status) {
    machine::v1::Dependency& dependency = *info.add_dependencies();
    dependency.set_name(name);
    dependency.set_healthy(status.ok());
    dependency.set_message(std::string(status.message()));
  };
  add("store",
      parts_.store.Read([](StoreReader& reader) { return reader.ListDrivers().status(); }));
  const ChildStatus provisioner = supervisor_.Status(kProvisionerProgram);
  add("provisioner", IsTroubled(provisioner.state) ? provisioner.last_error : absl::OkStatus());
  std::set<std::string> drivers;
  for (const MachinePointer& machine : index_.All()) {
    if (!machine->machine.driver().empty()) drivers.insert(machine->machine.driver());
  }
  for (const std::string& name : drivers) {
    machine::v1::DriverInfo driver;
    parts_.drivers.AddStatus(name, driver);
    absl::Status status;
    if (!driver.unsupported_reason().empty()) {
      status = absl::FailedPreconditionError(driver.unsupported_reason());
    } else if (IsTroubled(driver.state())) {
      status = driver.has_last_error() ? common::FromRpcStatus(driver.last_error())
                                       : absl::UnavailableError("it cannot be reached");
    }
    add(absl::StrCat("driver/", name), status);
  }
}

grpc::ServerUnaryReactor* ServerService::Shutdown(grpc::CallbackServerContext* context,
                                                  const machine::v1::ShutdownRequest* request,
                                                  google::protobuf::Empty*) {
  shut_down_(request->drain());
  auto* const reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerUnaryReactor* ServerService::ImportStore(grpc::CallbackServerContext* context,
                                                     const machine::v1::ImportStoreRequest* request,
                                                     machine::v1::ImportStoreResponse* response) {
  return common::RunUnary(parts_.executor, *context,
                          [this, request, response](common::CallScope&) -> absl::Status {
                            DM_ASSIGN_OR_RETURN(*response, StoreImporter(parts_).Import(*request));
                            return absl::OkStatus();
                          });
}

grpc::ServerUnaryReactor* ServerService::ExportStore(grpc::CallbackServerContext* context,
                                                     const machine::v1::ExportStoreRequest* request,
                                                     machine::v1::ExportStoreResponse* response) {
  return common::RunUnary(parts_.executor, *context,
                          [this, request, response](common::CallScope&) -> absl::Status {
                            DM_ASSIGN_OR_RETURN(*response, StoreExporter(parts_).Export(*request));
                            return absl::OkStatus();
                          });
}

}  // namespace machine::orchestrator
