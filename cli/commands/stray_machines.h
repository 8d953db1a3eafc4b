// Machines of the original docker-machine in our own storage path, not yet imported: what somebody
// has who put this program in the other's place.
#ifndef CLI_COMMANDS_STRAY_MACHINES_H_
#define CLI_COMMANDS_STRAY_MACHINES_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace machine::cli {

/// Names of folders below `storage_path`/machines that the original made, but for those in `known`.
/// Reads the disk; what cannot be read is passed over.
std::vector<std::string> StrayMachines(absl::string_view storage_path,
                                       absl::Span<const std::string> known);

/// The lines that tell of `names` and what to run; empty for none. Ends in a line end.
std::string StrayHint(absl::string_view storage_path, absl::Span<const std::string> names);

/// The same for an error `message` that a machine among `words` does not exist.
std::string StrayHintFor(absl::string_view storage_path, absl::string_view message,
                         absl::Span<const std::string> words);

}  // namespace machine::cli

#endif  // CLI_COMMANDS_STRAY_MACHINES_H_
