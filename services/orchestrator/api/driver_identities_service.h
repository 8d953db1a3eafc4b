#ifndef SERVICES_ORCHESTRATOR_API_DRIVER_IDENTITIES_SERVICE_H_
#define SERVICES_ORCHESTRATOR_API_DRIVER_IDENTITIES_SERVICE_H_

#include "machine/v1/driver_identities.grpc.pb.h"
#include "services/orchestrator/drivers/identity_keeper.h"

namespace machine::orchestrator {

/// Transport of machine.v1.DriverIdentities.
class DriverIdentitiesService final : public machine::v1::DriverIdentities::CallbackService {
 public:
  explicit DriverIdentitiesService(const IdentityKeeper& keeper) : keeper_(keeper) {}

  grpc::ServerUnaryReactor* ListDriverIdentities(
      grpc::CallbackServerContext* context, const machine::v1::ListDriverIdentitiesRequest* request,
      machine::v1::ListDriverIdentitiesResponse* response) override;

 private:
  const IdentityKeeper& keeper_;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_API_DRIVER_IDENTITIES_SERVICE_H_
