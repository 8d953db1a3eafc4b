#include "services/orchestrator/engine/cert_keeper.h"

#include <algorithm>
#include <utility>

#include "services/common/status/status.h"
#include "services/orchestrator/engine/machine_material.h"

namespace machine::orchestrator {
namespace {

// Twice in the last third of the shortest life. Costs a look at what is in memory.
constexpr absl::Duration kInterval = absl::Seconds(10);
constexpr absl::Duration kFirstRetry = absl::Seconds(30);
constexpr absl::Duration kLongestRetry = absl::Hours(6);

absl::Time ExpireTime(const machine::v1::Machine& machine) {
  return absl::FromUnixSeconds(machine.auth().server_cert_expire_time().seconds());
}

}  // namespace

void CertKeeper::Start() {
  parts_.executor.Run([this] { Tick(); });
}

void CertKeeper::Tick() {
  if (stopping_) return;
  RenewClients();
  // Of several orchestrators one is enough.
  const absl::StatusOr<bool> ours = parts_.store.TakeRole("certificates");
  if (ours.ok() && *ours) RenewServers();
  parts_.executor.RunAfter(kInterval, [this] { Tick(); });
}

void CertKeeper::RenewServers() {
  const absl::Time now = parts_.clock.Now();
  std::erase_if(attempts_,
                [this](const auto& attempt) { return index_.FindByUid(attempt.first) == nullptr; });
  for (const MachinePointer& pointer : index_.All()) {
    const machine::v1::Machine& machine = pointer->machine;
    if (!machine.auth().has_server_cert_expire_time()) continue;
    const absl::Duration lifetime = ServerCertLifetime(machine);
    if (ExpireTime(machine) - now >= lifetime / 3) {
      attempts_.erase(machine.uid());
      continue;
    }
    // One that is off gets it when it is started, and one that is busy a little later.
    if (machine.state() != machine::v1::MACHINE_STATE_RUNNING ||
        !machine.pending_operation().empty()) {
      continue;
    }
    Attempt& attempt =
        attempts_.try_emplace(machine.uid(), Attempt{now, std::min(kFirstRetry, lifetime / 12)})
            .first->second;
    if (now < attempt.next) continue;
    attempt.next = now + attempt.wait;
    attempt.wait = std::min(attempt.wait * 2, kLongestRetry);
    Renew(machine);
  }
}

void CertKeeper::Renew(const machine::v1::Machine& machine) {
  // One that ends with its authority cannot be renewed.
  const absl::StatusOr<common::CertAuthority> ca = parts_.certificates.Ca();
  if (!ca.ok() || ExpireTime(machine) >= ca->not_after()) return;
  VerbRequest request;
  request.verb = "renew-certs";
  request.machine = machine.name();
  request.caller = "orchestrator";
  admission_.Begin(std::move(request), [log = parts_.log, uid = machine.uid()](
                                           absl::StatusOr<google::longrunning::Operation> begun) {
    if (begun.ok()) {
      log.Info("renewing a server certificate",
               {{"machine_uid", uid}, {"operation", begun->name()}});
    } else {
      log.Warning("a server certificate cannot be renewed now",
                  {{"machine_uid", uid}, {"error", std::string(begun.status().message())}});
    }
  });
}

void CertKeeper::RenewClients() {
  if (parts_.folder == nullptr) return;
  const absl::StatusOr<ClientBundle> bundle = parts_.certificates.OwnClientBundle();
  absl::Status status = bundle.status();
  if (bundle.ok()) {
    if (bundle->cert_pem == client_cert_pem_) return;
    status = SyncAllFolders(parts_);
    if (status.ok()) client_cert_pem_ = bundle->cert_pem;
  }
  if (!status.ok()) {
    parts_.log.Warning("the machines' folders cannot get the client certificate",
                       {{"error", std::string(status.message())}});
  }
}

}  // namespace machine::orchestrator
