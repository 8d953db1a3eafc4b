// Messages of the orchestrator as --output shows them.
#ifndef CLI_COMMANDS_MESSAGE_DATA_H_
#define CLI_COMMANDS_MESSAGE_DATA_H_

#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"
#include "google/protobuf/message.h"

namespace machine::cli {

/// The message's JSON form (protobuf's own mapping, with the fields' names as in the protos); what
/// is not set is left out.
absl::StatusOr<nlohmann::ordered_json> MessageData(const google::protobuf::Message& message);

}  // namespace machine::cli

#endif  // CLI_COMMANDS_MESSAGE_DATA_H_
