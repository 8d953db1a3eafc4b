// The `config.json` of a machine, in the shape (version 3) that scripts of the original read.
#ifndef SERVICES_COMMON_LEGACY_MACHINE_CONFIG_H_
#define SERVICES_COMMON_LEGACY_MACHINE_CONFIG_H_

#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/string_view.h"
#include "machine/v1/machine.pb.h"

namespace machine::common {

/// The id in a resource name: "dev" of "machines/dev".
absl::string_view MachineId(absl::string_view resource_name);

/// The folder of a machine below `storage_path`.
std::string MachineFolder(absl::string_view storage_path, absl::string_view machine_id);

/// What `config.json` holds and `inspect` prints, keys in the original's order. Driver options
/// appear in `Driver` under the names of Go fields ("generic-ssh-user" as "SSHUser"); secret ones
/// do not appear. Paths are those of the files that really exist in the machine's folder; the ones
/// for the CA's and the server's key are empty, because those keys never leave the orchestrator.
nlohmann::ordered_json LegacyConfig(const machine::v1::Machine& machine,
                                    absl::string_view storage_path);

/// `config` as the file holds it: indented by four blanks, with a line end.
std::string LegacyConfigText(const nlohmann::ordered_json& config);

}  // namespace machine::common

#endif  // SERVICES_COMMON_LEGACY_MACHINE_CONFIG_H_
