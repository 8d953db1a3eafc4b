#ifndef SERVICES_ORCHESTRATOR_API_OPERATIONS_SERVICE_H_
#define SERVICES_ORCHESTRATOR_API_OPERATIONS_SERVICE_H_

#include "google/longrunning/operations.grpc.pb.h"
#include "machine/v1/operations.grpc.pb.h"
#include "services/common/rpc/executor.h"
#include "services/orchestrator/access/policy.h"
#include "services/orchestrator/events/machine_index.h"
#include "services/orchestrator/events/watch_hub.h"
#include "services/orchestrator/store/store.h"

namespace machine::orchestrator {

/// Transport of google.longrunning.Operations.
class OperationsService final : public google::longrunning::Operations::CallbackService {
 public:
  /// `policy` may be null, where every caller is local.
  OperationsService(Store& store, WatchHub& hub, common::Executor& executor,
                    const MachineIndex& index, AccessPolicy* policy);

  grpc::ServerUnaryReactor* ListOperations(
      grpc::CallbackServerContext* context,
      const google::longrunning::ListOperationsRequest* request,
      google::longrunning::ListOperationsResponse* response) override;
  grpc::ServerUnaryReactor* GetOperation(grpc::CallbackServerContext* context,
                                         const google::longrunning::GetOperationRequest* request,
                                         google::longrunning::Operation* response) override;
  grpc::ServerUnaryReactor* DeleteOperation(
      grpc::CallbackServerContext* context,
      const google::longrunning::DeleteOperationRequest* request,
      google::protobuf::Empty* response) override;
  grpc::ServerUnaryReactor* CancelOperation(
      grpc::CallbackServerContext* context,
      const google::longrunning::CancelOperationRequest* request,
      google::protobuf::Empty* response) override;
  grpc::ServerUnaryReactor* WaitOperation(grpc::CallbackServerContext* context,
                                          const google::longrunning::WaitOperationRequest* request,
                                          google::longrunning::Operation* response) override;

 private:
  Store& store_;
  WatchHub& hub_;
  common::Executor& executor_;
  const MachineIndex& index_;
  AccessPolicy* const policy_;
};

/// Transport of machine.v1.OperationEvents.
class OperationEventsService final : public machine::v1::OperationEvents::CallbackService {
 public:
  explicit OperationEventsService(WatchHub& hub) : hub_(hub) {}

  grpc::ServerWriteReactor<machine::v1::OperationEvent>* WatchOperation(
      grpc::CallbackServerContext* context,
      const machine::v1::WatchOperationRequest* request) override;

 private:
  WatchHub& hub_;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_API_OPERATIONS_SERVICE_H_
