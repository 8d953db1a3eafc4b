#include "drivers/sdk/readme_flags.h"

#include <cstdlib>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "services/common/file/file.h"
#include "services/common/status/status.h"

namespace machine::driver {
namespace {

using machine::v1::FlagSpec;
using machine::v1::OptionValue;

constexpr absl::string_view kBegin = "<!-- flags -->\n";
constexpr absl::string_view kEnd = "<!-- end of flags -->\n";

std::string Code(absl::string_view text) { return absl::StrCat("`", text, "`"); }

std::string NamesOf(const FlagSpec& spec) {
  std::vector<std::string> names = {Code(absl::StrCat("--", spec.name()))};
  for (const std::string& alias : spec.aliases()) names.push_back(Code(absl::StrCat("--", alias)));
  return absl::StrJoin(names, ", ");
}

std::string DefaultOf(const FlagSpec& spec) {
  if (spec.required()) return "**required**";
  switch (spec.default_value().value_case()) {
    case OptionValue::kStringValue:
      return Code(spec.default_value().string_value());
    case OptionValue::kIntValue:
      return Code(absl::StrCat(spec.default_value().int_value()));
    case OptionValue::kBoolValue:
      return Code(spec.default_value().bool_value() ? "true" : "false");
    default:
      return spec.type() == FlagSpec::BOOL ? Code("false") : "";
  }
}

std::string MeaningOf(const FlagSpec& spec) {
  std::string meaning = absl::StrReplaceAll(spec.usage(), {{"|", "\\|"}});
  if (!spec.allowed_values().empty()) {
    absl::StrAppend(&meaning, "; one of ", absl::StrJoin(spec.allowed_values(), ", "));
  }
  if (!spec.unit().empty()) absl::StrAppend(&meaning, " (", spec.unit(), ")");
  if (spec.type() == FlagSpec::STRING_LIST) absl::StrAppend(&meaning, "; may be repeated");
  if (!spec.deprecated_by().empty()) absl::StrAppend(&meaning, "; retired: ", spec.deprecated_by());
  return meaning;
}

}  // namespace

std::string FlagsTable(const Flags& flags) {
  std::string table = "| flag | environment | default | |\n| --- | --- | --- | --- |\n";
  for (const FlagSpec& spec : flags.specs()) {
    std::vector<std::string> variables;
    for (const std::string& variable : spec.env_vars()) variables.push_back(Code(variable));
    absl::StrAppend(&table, "| ", NamesOf(spec), " | ", absl::StrJoin(variables, ", "), " | ",
                    DefaultOf(spec), " | ", MeaningOf(spec), " |\n");
  }
  return table;
}

absl::Status CheckReadmeFlags(const std::string& path, const Flags& flags) {
  const char* const source = std::getenv("BUILD_WORKSPACE_DIRECTORY");
  const std::string file = source == nullptr ? path : absl::StrCat(source, "/", path);
  DM_ASSIGN_OR_RETURN(std::string text, common::ReadFile(file));
  const size_t begin = text.find(std::string(kBegin));
  const size_t end = text.find(std::string(kEnd));
  if (begin == std::string::npos || end == std::string::npos || end < begin) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " has no lines \"<!-- flags -->\" and \"<!-- end of flags -->\""));
  }
  const size_t table = begin + kBegin.size();
  const std::string wanted = FlagsTable(flags);
  if (text.substr(table, end - table) == wanted) return absl::OkStatus();
  if (source != nullptr) {
    text.replace(table, end - table, wanted);
    return common::WriteFileAtomically(file, text, 0644);
  }
  return absl::FailedPreconditionError(absl::StrCat(
      path, " is out of step with the flags: `bazel run` this test, or put there:\n", wanted));
}

}  // namespace machine::driver
