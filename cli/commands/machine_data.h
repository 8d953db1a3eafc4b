// A machine as `ls --output` prints it.
#ifndef CLI_COMMANDS_MACHINE_DATA_H_
#define CLI_COMMANDS_MACHINE_DATA_H_

#include <nlohmann/json.hpp>

#include "absl/strings/string_view.h"
#include "machine/v1/machine.pb.h"

namespace machine::cli {

/// @param active  DOCKER_HOST points to the machine.
/// @param swarm   name of its swarm's master; may be empty.
nlohmann::ordered_json MachineData(const machine::v1::Machine& machine, bool active,
                                   absl::string_view swarm);

}  // namespace machine::cli

#endif  // CLI_COMMANDS_MACHINE_DATA_H_
