// The config.json of a machine of the original, whatever edition wrote it.
#ifndef SERVICES_ORCHESTRATOR_IMPORT_LEGACY_ENTRY_H_
#define SERVICES_ORCHESTRATOR_IMPORT_LEGACY_ENTRY_H_

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "machine/v1/machine.pb.h"

namespace machine::orchestrator {

/// Where the original's certificates and keys were, as it wrote it: absolute paths of the computer
/// it ran on. Empty where it wrote none.
struct LegacyPaths {
  std::string ca_cert;
  std::string ca_key;
  std::string client_cert;
  std::string client_key;
  std::string server_cert;
  std::string server_key;
  std::string ssh_key;
};

/// What a config.json says, brought to the shape of version 3.
struct LegacyEntry {
  /// 0 to 3.
  int version = 0;
  std::string driver;
  /// The object `Driver`. Holds secrets.
  nlohmann::ordered_json fields;
  machine::v1::EngineOptions engine;
  machine::v1::SwarmOptions swarm;
  machine::v1::AuthOptions auth;
  LegacyPaths paths;
};

/// Reads versions 0 to 3, also with the driver as base64 in `RawDriver`.
/// Errors: FAILED_PRECONDITION with a reason for people: no JSON, made by a newer edition, no
/// driver. It never holds a value of the file.
absl::StatusOr<LegacyEntry> ParseLegacyEntry(absl::string_view config_json);

/// `config_json` as version 3: what `ParseLegacyEntry` reads and everything else that is in it.
absl::StatusOr<nlohmann::ordered_json> ToLegacyVersion3(absl::string_view config_json);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_IMPORT_LEGACY_ENTRY_H_
