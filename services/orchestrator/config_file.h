// Options from a file.
#ifndef SERVICES_ORCHESTRATOR_CONFIG_FILE_H_
#define SERVICES_ORCHESTRATOR_CONFIG_FILE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace machine::orchestrator {

/// `words` of a command line with "--config FILE" replaced by the options of that YAML file, before
/// all others, so that those win. INVALID_ARGUMENT naming the file and what is wrong in it.
absl::StatusOr<std::vector<std::string>> WithConfigFile(std::vector<std::string> words);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_CONFIG_FILE_H_
