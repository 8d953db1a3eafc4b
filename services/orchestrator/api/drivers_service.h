#ifndef SERVICES_ORCHESTRATOR_API_DRIVERS_SERVICE_H_
#define SERVICES_ORCHESTRATOR_API_DRIVERS_SERVICE_H_

#include "machine/v1/drivers.grpc.pb.h"
#include "services/common/rpc/executor.h"
#include "services/orchestrator/drivers/registry.h"
#include "services/orchestrator/events/machine_index.h"

namespace machine::orchestrator {

/// Transport of machine.v1.Drivers.
class DriversService final : public machine::v1::Drivers::CallbackService {
 public:
  DriversService(DriverRegistry& drivers, const MachineIndex& index, common::Executor& executor);

  grpc::ServerUnaryReactor* ListDrivers(grpc::CallbackServerContext* context,
                                        const machine::v1::ListDriversRequest* request,
                                        machine::v1::ListDriversResponse* response) override;
  grpc::ServerUnaryReactor* GetDriver(grpc::CallbackServerContext* context,
                                      const machine::v1::GetDriverRequest* request,
                                      machine::v1::DriverInfo* response) override;
  grpc::ServerUnaryReactor* RegisterDriver(grpc::CallbackServerContext* context,
                                           const machine::v1::RegisterDriverRequest* request,
                                           machine::v1::DriverInfo* response) override;
  grpc::ServerUnaryReactor* UnregisterDriver(grpc::CallbackServerContext* context,
                                             const machine::v1::UnregisterDriverRequest* request,
                                             google::protobuf::Empty* response) override;

 private:
  DriverRegistry& drivers_;
  const MachineIndex& index_;
  common::Executor& executor_;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_API_DRIVERS_SERVICE_H_
