#include "cli/output/data_format.h"

#include "absl/strings/str_cat.h"

namespace machine::cli {
namespace {

using nlohmann::ordered_json;

constexpr int kIndent = 4;

std::string Scalar(const ordered_json& value) {
  return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

bool IsNested(const ordered_json& value) {
  return (value.is_object() || value.is_array()) && !value.empty();
}

// YAML 1.2, chapter 8: block collections. Scalars and empty collections are written as in JSON,
// which is YAML, too.
void AppendYaml(const ordered_json& data, const std::string& indent, std::string& text) {
  for (const auto& item : data.items()) {
    const ordered_json& value = item.value();
    if (data.is_object()) {
      absl::StrAppend(&text, indent, Scalar(item.key()), ":");
    } else {
      absl::StrAppend(&text, indent, "-");
    }
    if (IsNested(value)) {
      text += '\n';
      AppendYaml(value, indent + "  ", text);
    } else {
      absl::StrAppend(&text, " ", Scalar(value), "\n");
    }
  }
}

}  // namespace

Flag OutputFlag() {
  return {.names = {"output", "o"},
          .type = FlagType::kString,
          .usage = "Print the answer as json or yaml",
          .default_value = "",
          .env_vars = {},
          .values = {"json", "yaml"}};
}

absl::StatusOr<std::optional<DataFormat>> DataFormatOf(const ParsedArgs& args) {
  const std::string name = args.String("output");
  if (!args.IsSet("output")) return std::nullopt;
  if (name == "json") return DataFormat::kJson;
  if (name == "yaml") return DataFormat::kYaml;
  return absl::InvalidArgumentError(
      absl::StrCat("invalid value ", GoQuote(name), " for --output: json or yaml"));
}

std::string Serialize(DataFormat format, const ordered_json& data) {
  if (format == DataFormat::kJson) {
    return absl::StrCat(data.dump(kIndent, ' ', false, ordered_json::error_handler_t::replace),
                        "\n");
  }
  if (!IsNested(data)) return absl::StrCat(Scalar(data), "\n");
  std::string text;
  AppendYaml(data, "", text);
  return text;
}

}  // namespace machine::cli
