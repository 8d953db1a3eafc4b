// Takes over the machines of the original's store.
#ifndef SERVICES_ORCHESTRATOR_IMPORT_STORE_IMPORT_H_
#define SERVICES_ORCHESTRATOR_IMPORT_STORE_IMPORT_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "machine/v1/server.pb.h"
#include "services/orchestrator/engine/operation_run.h"
#include "services/orchestrator/import/legacy_entry.h"
#include "services/orchestrator/import/legacy_store.h"

namespace machine::orchestrator {

/// Reads a store and makes its machines ours. The store is never changed, and nothing is asked of a
/// provider. Each machine is one transaction, so that a crash leaves whole machines, and a second
/// run goes on with the rest. Secrets, keys and the config.json itself are sealed.
///
/// The engine of an imported machine trusts the store's authority: its certificates go on to be
/// used (kImportedTlsSecret) until the machine gets one of ours.
///
/// Thread-safe. Blocks for drivers and the disk: not in a reaction.
class StoreImporter {
 public:
  explicit StoreImporter(const EngineParts& parts) : parts_(parts) {}

  /// Errors: INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION as LegacyStore; a single bad entry is
  /// no error, but QUARANTINED.
  absl::StatusOr<machine::v1::ImportStoreResponse> Import(
      const machine::v1::ImportStoreRequest& request);

 private:
  // A machine that is to be.
  struct Prepared {
    MachineRecord record;
    // Name and value, not yet sealed.
    std::vector<std::pair<std::string, std::string>> secrets;
  };

  machine::v1::ImportedEntry ImportEntry(const LegacyStore& store, const std::string& name,
                                         bool dry_run);
  absl::Status TryEntry(const LegacyStore& store, const std::string& name, bool dry_run,
                        machine::v1::ImportedEntry& entry);
  /// Whether it was imported before; ALREADY_EXISTS when another machine has its name.
  absl::StatusOr<bool> IsImported(const std::string& name, const std::string& folder);
  Prepared Prepare(const LegacyStore& store, const std::string& name, const std::string& config,
                   const LegacyEntry& legacy, machine::v1::ImportedEntry& entry);
  void PrepareWithDriver(const LegacyEntry& legacy, Prepared& prepared,
                         std::vector<std::string>& warnings);
  /// Has the driver check and complete the options; leaves them as they are when it refuses.
  void NormalizeOptions(DriverConnection& driver, machine::v1::Machine& machine,
                        std::vector<std::string>& warnings);
  absl::Status Commit(Prepared& prepared);

  const EngineParts parts_;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_IMPORT_STORE_IMPORT_H_
