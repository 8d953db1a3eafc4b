// Finds instances that carry this orchestrator's tag and belong to no machine, and removes them.
#ifndef SERVICES_ORCHESTRATOR_ENGINE_ORPHAN_COLLECTOR_H_
#define SERVICES_ORCHESTRATOR_ENGINE_ORPHAN_COLLECTOR_H_

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "machine/v1/orphans.pb.h"
#include "services/orchestrator/engine/operation_run.h"
#include "services/orchestrator/engine/tombstone_reaper.h"

namespace machine::orchestrator {

/// Thread-safe. Blocks: for threads of the executor.
class OrphanCollector {
 public:
  OrphanCollector(EngineParts parts, TombstoneReaper& reaper) : parts_(parts), reaper_(reaper) {}

  /// As machine.v1.Orphans.CollectOrphans. `report` says whether anybody still wants to know; false
  /// ends the collection. A driver that cannot be asked does not keep the others from being asked:
  /// its error is returned at the end.
  absl::Status Collect(const machine::v1::CollectOrphansRequest& request,
                       absl::FunctionRef<bool(machine::v1::Orphan)> report);

 private:
  // Where a driver can be asked for instances.
  struct Account {
    std::string driver;
    std::vector<machine::v1::OptionValue> options;
  };

  absl::StatusOr<std::vector<Account>> Accounts(
      const machine::v1::CollectOrphansRequest& request) const;
  absl::StatusOr<std::vector<::driver::v1::ListInstancesResponse>> List(const Account& account,
                                                                        bool must_be_able) const;
  // Whether the instance belongs to no machine; fills in what is known of it.
  absl::StatusOr<bool> IsOrphan(machine::v1::Orphan& orphan) const;
  absl::Status Remove(const Account& account, const machine::v1::Orphan& orphan);

  const EngineParts parts_;
  TombstoneReaper& reaper_;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_ENGINE_ORPHAN_COLLECTOR_H_
