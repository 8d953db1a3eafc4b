// Sees to it that no certificate ends while a machine is in use.
#ifndef SERVICES_ORCHESTRATOR_ENGINE_CERT_KEEPER_H_
#define SERVICES_ORCHESTRATOR_ENGINE_CERT_KEEPER_H_

#include <atomic>
#include <map>
#include <string>

#include "absl/time/time.h"
#include "services/orchestrator/engine/admission.h"
#include "services/orchestrator/engine/operation_run.h"
#include "services/orchestrator/events/machine_index.h"

namespace machine::orchestrator {

/// Begins a `renew-certs` on each running machine whose server certificate has less than a third of
/// its life left, and again, less and less often, while that fails. Also puts a new client
/// certificate into the machines' folders, for an orchestrator that keeps them. All run one after
/// the other on the executor; thread-safe.
class CertKeeper {
 public:
  /// All outlive it.
  CertKeeper(EngineParts parts, MachineIndex& index, Admission& admission)
      : parts_(parts), index_(index), admission_(admission) {}

  /// Looks now, and every few seconds from now on.
  void Start();
  void Stop() { stopping_ = true; }

 private:
  struct Attempt {
    absl::Time next;
    absl::Duration wait;
  };

  void Tick();
  // Begins what is due.
  void RenewServers();
  void RenewClients();
  void Renew(const machine::v1::Machine& machine);

  const EngineParts parts_;
  MachineIndex& index_;
  Admission& admission_;
  std::atomic<bool> stopping_ = false;
  // Only one Tick() runs at a time.
  std::map<std::string, Attempt> attempts_;  // By uid.
  std::string client_cert_pem_;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_ENGINE_CERT_KEEPER_H_
