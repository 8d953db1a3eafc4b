// Names and tags of outside objects, computed from the machine before anything is made.
#ifndef DRIVERS_SDK_CLOUD_NAMES_H_
#define DRIVERS_SDK_CLOUD_NAMES_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace machine::driver {

/// On everything that any orchestrator made: one list call by it finds all machines of an account.
inline constexpr absl::string_view kMachineTag = "docker-machine";

/// "machine-uid-UID": the tag of a machine's instance, and the name of what belongs to it alone.
/// Letters, digits and dashes only, 48 characters for a UUID.
std::string UidTag(absl::string_view uid);

/// The uid in such a tag; no value for any other text.
std::optional<std::string> UidOfTag(absl::string_view tag);

/// "machine-orchestrator-ID": the tag by which ListInstances finds what an orchestrator made.
std::string OrchestratorTag(absl::string_view orchestrator_id);

/// `machine_name` as a host name (RFC 1123): lower case letters, digits and dashes, with dots only
/// where `allow_dots`, at most `max_bytes`. It need not be unique; for what must be, use UidTag().
std::string HostName(absl::string_view machine_name, size_t max_bytes = 63,
                     bool allow_dots = false);

}  // namespace machine::driver

#endif  // DRIVERS_SDK_CLOUD_NAMES_H_
