#include "services/orchestrator/api/drivers_service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/legacy/driver_name.h"
#include "services/common/rpc/server_reactors.h"
#include "services/common/status/status.h"

namespace machine::orchestrator {
namespace {

constexpr size_t kDefaultPage = 100;

void Fill(absl::string_view name, const DriverConnection& driver, machine::v1::DriverInfo& info) {
  info.set_name(std::string(name));
  info.set_version(driver.handshake().driver_version());
  info.set_unsupported_reason(driver.handshake().unsupported_reason());
  info.mutable_flags()->Assign(driver.flags().begin(), driver.flags().end());
}

}  // namespace

DriversService::DriversService(DriverRegistry& drivers, const MachineIndex& index,
                               common::Executor& executor)
    : drivers_(drivers), index_(index), executor_(executor) {}

grpc::ServerUnaryReactor* DriversService::ListDrivers(
    grpc::CallbackServerContext* context, const machine::v1::ListDriversRequest* request,
    machine::v1::ListDriversResponse* response) {
  return common::RunUnary(
      executor_, *context, [this, request, response](common::CallScope&) -> absl::Status {
        if (request->page_size() < 0) {
          return common::InvalidField("page_size", "must not be negative");
        }
        const size_t size =
            request->page_size() == 0 ? kDefaultPage : static_cast<size_t>(request->page_size());
        DM_ASSIGN_OR_RETURN(const auto drivers, drivers_.List());
        for (const machine::v1::DriverInfo& driver : drivers) {
          // The token is the last name given; the list is in order of names.
          if (!request->page_token().empty() && driver.name() <= request->page_token()) continue;
          if (static_cast<size_t>(response->drivers_size()) == size) {
            response->set_next_page_token(response->drivers().rbegin()->name());
            break;
          }
          *response->add_drivers() = driver;
        }
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* DriversService::GetDriver(grpc::CallbackServerContext*,
                                                    const machine::v1::GetDriverRequest* request,
                                                    machine::v1::DriverInfo* response) {
  auto call = common::UnaryCall::Create();
  // Who makes a machine asks for the driver first and goes on with the name of the answer.
  const std::string name = common::DriverNameHere(request->name());
  drivers_.GetDriver(
      name, [this, call, name, response](absl::StatusOr<std::shared_ptr<DriverConnection>> driver) {
        if (driver.ok()) {
          Fill(name, **driver, *response);
          drivers_.AddStatus(name, *response);
        }
        call->Reply(driver.status());
      });
  return call.get();
}

grpc::ServerUnaryReactor* DriversService::RegisterDriver(
    grpc::CallbackServerContext* context, const machine::v1::RegisterDriverRequest* request,
    machine::v1::DriverInfo* response) {
  return common::RunUnary(
      executor_, *context, [this, request, response](common::CallScope&) -> absl::Status {
        if (request->name().empty() || request->address().empty()) {
          return common::InvalidField("address", "a driver needs a name and an address");
        }
        DM_ASSIGN_OR_RETURN(const auto driver, drivers_.Register(*request));
        Fill(request->name(), *driver, *response);
        response->set_address(request->address());
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* DriversService::UnregisterDriver(
    grpc::CallbackServerContext* context, const machine::v1::UnregisterDriverRequest* request,
    google::protobuf::Empty*) {
  return common::RunUnary(executor_, *context, [this, request](common::CallScope&) -> absl::Status {
    for (const MachinePointer& machine : index_.All()) {
      if (machine->machine.driver() != request->name()) continue;
      return common::Error(
          absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_DRIVER_IN_USE,
          absl::StrCat("the driver is in use, for example by ", machine->machine.name()),
          {{"machine", machine->machine.name()}});
    }
    return drivers_.Unregister(request->name());
  });
}

}  // namespace machine::orchestrator
