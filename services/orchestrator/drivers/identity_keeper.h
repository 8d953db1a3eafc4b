// Renews the certificates of drivers that run on other hosts.
#ifndef SERVICES_ORCHESTRATOR_DRIVERS_IDENTITY_KEEPER_H_
#define SERVICES_ORCHESTRATOR_DRIVERS_IDENTITY_KEEPER_H_

#include <atomic>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "machine/v1/driver_identities.pb.h"
#include "services/common/clock/clock.h"
#include "services/common/log/log.h"
#include "services/common/rpc/executor.h"
#include "services/orchestrator/certs/driver_authority.h"
#include "services/orchestrator/drivers/registry.h"
#include "services/orchestrator/store/store.h"

namespace machine::orchestrator {

/// Looks at the certificate of every registered driver that serves with TLS, and replaces one of
/// the orchestrator's own authority once less than a third of its life is left: the driver makes a
/// key and a request, the orchestrator signs it for the names of the old one. The driver goes on
/// meanwhile; the old certificate stays good. Thread-safe.
class IdentityKeeper {
 public:
  /// All outlive it.
  IdentityKeeper(const DriverRegistry& drivers, Store& store, DriverAuthority& authority,
                 common::Executor& executor, common::Logger log, const common::Clock& clock)
      : drivers_(drivers),
        store_(store),
        authority_(authority),
        executor_(executor),
        log_(std::move(log)),
        clock_(clock) {}

  /// Looks now, and from now on twelve times in a certificate's life, at least once an hour.
  void Start();
  void Stop() { stopping_ = true; }

  /// From the store's listener: looks anew where a registration has changed.
  void Apply(const StoreChanges& changes);

  /// Looks at all, and renews what is due. Blocks; one at a time.
  absl::Status Look();

  /// What was seen at the last look, by name.
  std::vector<machine::v1::DriverIdentity> List() const;

 private:
  void Tick();
  void LookAt(const DriverRecord& record, bool ours, machine::v1::DriverIdentity& identity) const;
  /// The end of the new certificate. UNIMPLEMENTED from a driver that does not offer it.
  absl::StatusOr<absl::Time> Renew(const DriverConnection& driver,
                                   const std::vector<std::string>& hosts) const;

  const DriverRegistry& drivers_;
  Store& store_;
  DriverAuthority& authority_;
  common::Executor& executor_;
  const common::Logger log_;
  const common::Clock& clock_;
  std::atomic<bool> stopping_ = false;
  absl::Mutex look_mu_;
  mutable absl::Mutex mu_;
  std::map<std::string, machine::v1::DriverIdentity> identities_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_DRIVERS_IDENTITY_KEEPER_H_
