#ifndef SERVICES_ORCHESTRATOR_API_MACHINES_SERVICE_H_
#define SERVICES_ORCHESTRATOR_API_MACHINES_SERVICE_H_

#include <optional>
#include <vector>

#include "machine/v1/machines.grpc.pb.h"
#include "services/orchestrator/access/policy.h"
#include "services/orchestrator/engine/admission.h"
#include "services/orchestrator/engine/refresher.h"
#include "services/orchestrator/events/machine_index.h"
#include "services/orchestrator/events/watch_hub.h"

namespace machine::orchestrator {

/// Transport of machine.v1.Machines: unpacks requests, asks the index or the admission, packs
/// answers. Nothing blocks in a reaction.
class MachinesService final : public machine::v1::Machines::CallbackService {
 public:
  /// `policy` may be null, where every caller is local.
  MachinesService(EngineParts parts, Admission& admission, MachineIndex& index, WatchHub& hub,
                  Refresher& refresher, AccessPolicy* policy);

  grpc::ServerUnaryReactor* CreateMachine(grpc::CallbackServerContext* context,
                                          const machine::v1::CreateMachineRequest* request,
                                          google::longrunning::Operation* response) override;
  grpc::ServerUnaryReactor* GetMachine(grpc::CallbackServerContext* context,
                                       const machine::v1::GetMachineRequest* request,
                                       machine::v1::Machine* response) override;
  grpc::ServerUnaryReactor* ListMachines(grpc::CallbackServerContext* context,
                                         const machine::v1::ListMachinesRequest* request,
                                         machine::v1::ListMachinesResponse* response) override;
  grpc::ServerUnaryReactor* UpdateMachine(grpc::CallbackServerContext* context,
                                          const machine::v1::UpdateMachineRequest* request,
                                          machine::v1::Machine* response) override;
  grpc::ServerUnaryReactor* DeleteMachine(grpc::CallbackServerContext* context,
                                          const machine::v1::DeleteMachineRequest* request,
                                          google::longrunning::Operation* response) override;
  grpc::ServerUnaryReactor* StartMachine(grpc::CallbackServerContext* context,
                                         const machine::v1::StartMachineRequest* request,
                                         google::longrunning::Operation* response) override;
  grpc::ServerUnaryReactor* StopMachine(grpc::CallbackServerContext* context,
                                        const machine::v1::StopMachineRequest* request,
                                        google::longrunning::Operation* response) override;
  grpc::ServerUnaryReactor* KillMachine(grpc::CallbackServerContext* context,
                                        const machine::v1::KillMachineRequest* request,
                                        google::longrunning::Operation* response) override;
  grpc::ServerUnaryReactor* RestartMachine(grpc::CallbackServerContext* context,
                                           const machine::v1::RestartMachineRequest* request,
                                           google::longrunning::Operation* response) override;
  grpc::ServerUnaryReactor* ProvisionMachine(grpc::CallbackServerContext* context,
                                             const machine::v1::ProvisionMachineRequest* request,
                                             google::longrunning::Operation* response) override;
  grpc::ServerUnaryReactor* UpgradeMachine(grpc::CallbackServerContext* context,
                                           const machine::v1::UpgradeMachineRequest* request,
                                           google::longrunning::Operation* response) override;
  grpc::ServerUnaryReactor* RegenerateMachineCerts(
      grpc::CallbackServerContext* context,
      const machine::v1::RegenerateMachineCertsRequest* request,
      google::longrunning::Operation* response) override;
  grpc::ServerWriteReactor<machine::v1::MachineEvent>* WatchMachines(
      grpc::CallbackServerContext* context,
      const machine::v1::WatchMachinesRequest* request) override;
  grpc::ServerUnaryReactor* GetAccessBundle(grpc::CallbackServerContext* context,
                                            const machine::v1::GetAccessBundleRequest* request,
                                            machine::v1::AccessBundle* response) override;

 private:
  template <typename Request>
  grpc::ServerUnaryReactor* Begin(const grpc::CallbackServerContext& context,
                                  absl::string_view verb, const Request& request,
                                  google::longrunning::Operation* response,
                                  VerbRequest verb_request);

  // All where there is no value.
  std::optional<std::vector<MachineFilter>> VisibleTo(const Caller& caller) const;
  absl::Status FillAccessBundle(const Caller& caller,
                                const machine::v1::GetAccessBundleRequest& request,
                                machine::v1::AccessBundle& bundle) const;

  const EngineParts parts_;
  Admission& admission_;
  MachineIndex& index_;
  WatchHub& hub_;
  Refresher& refresher_;
  AccessPolicy* const policy_;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_API_MACHINES_SERVICE_H_
