// Answers as JSON or YAML, for programs.
#ifndef CLI_OUTPUT_DATA_FORMAT_H_
#define CLI_OUTPUT_DATA_FORMAT_H_

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "cli/args/flags.h"

namespace machine::cli {

enum class DataFormat { kJson, kYaml };

/// --output, -o.
Flag OutputFlag();

/// What --output asks for; nothing when it is absent. INVALID_ARGUMENT for another word.
absl::StatusOr<std::optional<DataFormat>> DataFormatOf(const ParsedArgs& args);

/// `data` with a line end. Strings of YAML are in double quotes, so that none is taken for a
/// number or a truth value; keys are where one could be. Bytes that are not UTF-8 are replaced.
std::string Serialize(DataFormat format, const nlohmann::ordered_json& data);

/// `data` as one of many that come one after the other, perhaps without end: a line of JSON, or a
/// document of YAML with the line that begins it.
std::string SerializeNext(DataFormat format, const nlohmann::ordered_json& data);

}  // namespace machine::cli

#endif  // CLI_OUTPUT_DATA_FORMAT_H_
