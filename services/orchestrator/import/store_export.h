// Writes machines as a store that docker-machine 0.16 reads.
#ifndef SERVICES_ORCHESTRATOR_IMPORT_STORE_EXPORT_H_
#define SERVICES_ORCHESTRATOR_IMPORT_STORE_EXPORT_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "machine/v1/server.pb.h"
#include "services/orchestrator/engine/operation_run.h"
#include "services/orchestrator/import/legacy_drivers.h"
#include "services/orchestrator/import/store_tls.h"

namespace machine::orchestrator {

/// The store appears whole or not at all. What an import took comes back, brought up to date. A
/// driver that the original never had becomes its driver "generic" (or "none"), with which env, ssh
/// and the like work.
///
/// Our authority's key never leaves us: only that of an imported store is written to
/// certs/ca-key.pem. So the original can use our machines, but not make them new certificates.
///
/// Thread-safe. Blocks for drivers and the disk: not in a reaction.
class StoreExporter {
 public:
  explicit StoreExporter(const EngineParts& parts) : parts_(parts) {}

  /// Errors: INVALID_ARGUMENT for a relative path; ALREADY_EXISTS when there is something at it but
  /// an empty folder; NOT_FOUND MACHINE_NOT_FOUND; as the file system says. A machine that cannot
  /// be written is no error, but skipped.
  absl::StatusOr<machine::v1::ExportStoreResponse> Export(
      const machine::v1::ExportStoreRequest& request);

 private:
  absl::StatusOr<std::vector<MachineRecord>> Find(const machine::v1::ExportStoreRequest& request);
  absl::Status WriteMachine(const MachineRecord& record, const std::string& folder,
                            const std::string& final_path, StoreTls& authority);
  absl::StatusOr<nlohmann::ordered_json> ConfigOf(const MachineRecord& record,
                                                  const std::string& final_path);
  absl::Status PutDriverFields(const MachineRecord& record, const LegacyDriver& driver,
                               nlohmann::ordered_json& fields);
  /// The provider's id of the machine's instance. Asks the driver.
  absl::StatusOr<std::string> InstanceIdOf(const MachineRecord& record);

  const EngineParts parts_;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_IMPORT_STORE_EXPORT_H_
