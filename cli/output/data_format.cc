#include "cli/output/data_format.h"

#include <algorithm>

#include "absl/strings/ascii.h"
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

// Without quotes where no reader of YAML 1.1 or 1.2 takes it for anything but a text.
std::string Key(const std::string& key) {
  const auto plain = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_';
  };
  const std::string word = absl::AsciiStrToLower(key);
  for (const char* other : {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}) {
    if (word == other) return Scalar(key);
  }
  const bool is_plain = !key.empty() && !absl::ascii_isdigit(static_cast<unsigned char>(key[0])) &&
                        std::all_of(key.begin(), key.end(), plain);
  return is_plain ? key : Scalar(key);
}

// YAML 1.2, chapter 8: block collections; what a list holds begins behind its dash. Scalars and
// empty collections are written as in JSON, which is YAML, too. `begun`: the first line is.
void AppendYaml(const ordered_json& data, const std::string& indent, bool begun,
                std::string& text) {
  for (const auto& item : data.items()) {
    if (!begun) text += indent;
    begun = false;
    const ordered_json& value = item.value();
    absl::StrAppend(&text, data.is_object() ? absl::StrCat(Key(item.key()), ":") : "-");
    if (IsNested(value)) {
      text += data.is_array() ? ' ' : '\n';
      AppendYaml(value, indent + "  ", /*begun=*/data.is_array(), text);
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
  AppendYaml(data, "", /*begun=*/false, text);
  return text;
}

std::string SerializeNext(DataFormat format, const ordered_json& data) {
  if (format == DataFormat::kJson) return absl::StrCat(Scalar(data), "\n");
  return absl::StrCat("---\n", Serialize(format, data));
}

}  // namespace machine::cli
