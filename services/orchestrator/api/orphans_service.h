// machine.v1.Orphans.
#ifndef SERVICES_ORCHESTRATOR_API_ORPHANS_SERVICE_H_
#define SERVICES_ORCHESTRATOR_API_ORPHANS_SERVICE_H_

#include "machine/v1/orphans.grpc.pb.h"
#include "services/common/rpc/executor.h"
#include "services/orchestrator/engine/orphan_collector.h"

namespace machine::orchestrator {

class OrphansService final : public machine::v1::Orphans::CallbackService {
 public:
  OrphansService(OrphanCollector& collector, common::Executor& executor)
      : collector_(collector), executor_(executor) {}

  grpc::ServerWriteReactor<machine::v1::Orphan>* CollectOrphans(
      grpc::CallbackServerContext* context,
      const machine::v1::CollectOrphansRequest* request) override;

 private:
  OrphanCollector& collector_;
  common::Executor& executor_;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_API_ORPHANS_SERVICE_H_
