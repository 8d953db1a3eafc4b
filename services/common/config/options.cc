#include "services/common/config/options.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "services/common/file/file.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

constexpr size_t kHelpColumn = 25;
constexpr size_t kWidth = 100;
// Those that every program has; they say what to do, not how.
constexpr absl::string_view kQuestions[] = {"help", "version", "check-config", "sample-config"};
constexpr OptionSpec kConfig = {
    .name = "config",
    .value = "FILE",
    .help =
        "Read options from a YAML file, \"log-level: debug\" and so on; variables and the "
        "command line win. See --sample-config"};
constexpr OptionSpec kCheckConfig = {
    .name = "check-config",
    .help = "Say whether all options are good, the file's too, and start nothing"};
constexpr OptionSpec kSampleConfig = {.name = "sample-config",
                                      .help = "Show a file in which every option is explained"};
constexpr OptionSpec kVersion = {.name = "version", .help = "Show the version"};
constexpr OptionSpec kHelp = {.name = "help", .help = "Show this text"};

// How many letters must be put in, taken out or changed.
size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

absl::Status Bad(absl::string_view where, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(where, ": ", what));
}

// The value as Option has it; INVALID_ARGUMENT for a switch that is neither on nor off.
absl::Status CheckSwitch(const Option& option) {
  if (!option.spec->value.empty() || option.value == "true" || option.value == "false") {
    return absl::OkStatus();
  }
  return Bad(option.where, absl::StrCat("\"", option.value, "\" is neither true nor false"));
}

// `text` in lines of at most `width`, each after `indent`.
std::string Wrapped(absl::string_view text, absl::string_view indent, size_t width) {
  std::string lines;
  std::string line(indent);
  for (const absl::string_view word : absl::StrSplit(text, ' ')) {
    if (line.size() > indent.size() && line.size() + 1 + word.size() > width) {
      absl::StrAppend(&lines, line, "\n");
      line = std::string(indent);
    }
    absl::StrAppend(&line, line.size() > indent.size() ? " " : "", word);
  }
  return absl::StrCat(lines, line, "\n");
}

void AppendHelp(const OptionSpec& option, absl::string_view variable, std::string& text) {
  std::string head =
      absl::StrCat("   --", option.name, option.value.empty() ? "" : " ", option.value);
  std::string help(option.help);
  if (!variable.empty()) absl::StrAppend(&help, " [$", variable, "]");
  std::string body = Wrapped(help, std::string(kHelpColumn, ' '), kWidth);
  if (head.size() + 1 < kHelpColumn) {
    absl::StrAppend(&text, head, body.substr(head.size()));
  } else {
    absl::StrAppend(&text, head, "\n", body);
  }
}

}  // namespace

OptionSources::OptionSources(const OptionTable& table, std::vector<std::string> words)
    : table_(table), words_(std::move(words)) {
  const auto variable = [](const std::string& name) {
    const char* const value = std::getenv(name.c_str());
    return std::string(value == nullptr ? "" : value);
  };
  for (const OptionSpec& option : table_.options) {
    std::string value = variable(VariableOf(table_, option));
    if (!value.empty()) variables_.emplace_back(&option, std::move(value));
  }
  file_variable_ = variable(VariableOf(table_, kConfig));
}

bool OptionSources::Asked(absl::string_view name) const {
  return std::any_of(words_.begin(), words_.end(), [&](const std::string& word) {
    return word == absl::StrCat("--", name) || (name == "help" && word == "-h");
  });
}

const OptionSpec* OptionSources::Find(absl::string_view name) const {
  const auto* const found =
      std::find_if(table_.options.begin(), table_.options.end(),
                   [&](const OptionSpec& option) { return option.name == name; });
  return found == table_.options.end() ? nullptr : found;
}

absl::Status OptionSources::Unknown(absl::string_view what, absl::string_view name) const {
  const auto* const nearest = std::min_element(
      table_.options.begin(), table_.options.end(), [&](const OptionSpec& a, const OptionSpec& b) {
        return EditDistance(name, a.name) < EditDistance(name, b.name);
      });
  return absl::InvalidArgumentError(
      absl::StrCat("unknown option ", what, "; the nearest is ", nearest->name, ": see --help"));
}

absl::Status OptionSources::ReadWords(std::vector<Option>& options, std::string& file) const {
  for (size_t i = 0; i < words_.size(); ++i) {
    const std::vector<absl::string_view> parts =
        absl::StrSplit(absl::string_view(words_[i]), absl::MaxSplits('=', 1));
    const absl::string_view flag = parts[0];
    if (!absl::StartsWith(flag, "--")) return Unknown(flag, flag);
    const absl::string_view name = flag.substr(2);
    if (std::find(std::begin(kQuestions), std::end(kQuestions), name) != std::end(kQuestions)) {
      continue;
    }
    const bool is_file = name == kConfig.name;
    const OptionSpec* const spec = is_file ? &kConfig : Find(name);
    if (spec == nullptr) return Unknown(flag, name);
    std::string value = "true";
    if (parts.size() == 2) {
      value = std::string(parts[1]);
    } else if (!spec->value.empty()) {
      if (i + 1 == words_.size()) {
        return absl::InvalidArgumentError(absl::StrCat(flag, " needs a value"));
      }
      value = words_[++i];
    }
    if (is_file) {
      file = std::move(value);
      continue;
    }
    options.push_back({spec, std::move(value), OptionSource::kCommandLine, std::string(flag)});
  }
  return absl::OkStatus();
}

absl::Status OptionSources::ReadFile(const std::string& path, std::vector<Option>& options) const {
  const absl::StatusOr<std::string> text = common::ReadFile(path);
  if (!text.ok()) return Bad("--config", text.status().message());
  try {  // yaml-cpp reports by exceptions, which end here.
    const YAML::Node file = YAML::Load(*text);
    if (file.IsNull()) return absl::OkStatus();
    if (!file.IsMap()) return Bad(path, "expected lines such as \"log-level: debug\"");
    for (const auto& entry : file) {
      if (!entry.first.IsScalar()) return Bad(path, "a key is no text");
      const std::string& name = entry.first.Scalar();
      const OptionSpec* const spec = Find(name);
      if (spec == nullptr) return Unknown(absl::StrCat(name, " in ", path), name);
      const std::string where = absl::StrCat(name, " in ", path);
      const bool is_list = entry.second.IsSequence();
      if (is_list && !spec->repeated) return Bad(where, "takes one value, not a list");
      if (!is_list && !entry.second.IsScalar()) return Bad(where, "is not a text");
      if (std::any_of(options.begin(), options.end(),
                      [&](const Option& option) { return option.spec == spec; })) {
        return Bad(where, "stands there twice");
      }
      if (!is_list) {
        options.push_back({spec, entry.second.Scalar(), OptionSource::kFile, where});
        continue;
      }
      for (const YAML::Node& each : entry.second) {
        if (!each.IsScalar()) return Bad(where, "is not a list of texts");
        options.push_back({spec, each.Scalar(), OptionSource::kFile, where});
      }
    }
  } catch (const YAML::Exception& error) {
    return Bad(path, error.what());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Option>> OptionSources::Read() const {
  std::vector<Option> words;
  std::string file = file_variable_;
  DM_RETURN_IF_ERROR(ReadWords(words, file));
  std::vector<Option> all;
  if (!file.empty()) DM_RETURN_IF_ERROR(ReadFile(file, all));
  for (const auto& [spec, value] : variables_) {
    const std::string where = absl::StrCat("$", VariableOf(table_, *spec));
    if (!spec->repeated) {
      all.push_back({spec, value, OptionSource::kVariable, where});
      continue;
    }
    for (const absl::string_view each : absl::StrSplit(value, ',', absl::SkipWhitespace())) {
      all.push_back(
          {spec, std::string(absl::StripAsciiWhitespace(each)), OptionSource::kVariable, where});
    }
  }
  all.insert(all.end(), words.begin(), words.end());

  std::vector<Option> strongest;
  for (Option& option : all) {
    DM_RETURN_IF_ERROR(CheckSwitch(option));
    const bool overruled = std::any_of(all.begin(), all.end(), [&](const Option& other) {
      return other.spec == option.spec && other.source > option.source;
    });
    if (!overruled) strongest.push_back(option);
  }
  return strongest;
}

std::string VariableOf(const OptionTable& table, const OptionSpec& option) {
  if (!option.variable.empty()) return std::string(option.variable);
  return absl::StrCat(table.prefix,
                      absl::StrReplaceAll(absl::AsciiStrToUpper(option.name), {{"-", "_"}}));
}

std::string OptionHelp(const OptionTable& table) {
  std::string text;
  for (const OptionSpec& option : table.options) {
    AppendHelp(option, VariableOf(table, option), text);
  }
  AppendHelp(kConfig, VariableOf(table, kConfig), text);
  for (const OptionSpec* option : {&kCheckConfig, &kSampleConfig, &kVersion, &kHelp}) {
    AppendHelp(*option, "", text);
  }
  return text;
}

std::string SampleFile(const OptionTable& table) {
  std::string text = absl::StrCat("# Configuration of ", table.program, ": its options by name. ",
                                  "See\n# ", table.program, " --help; --check-config says whether ",
                                  "a file is good.\n# A variable of the environment is stronger ",
                                  "than this file, an option of the command line than both.\n");
  for (const OptionSpec& option : table.options) {
    const std::string live = option.live ? " A change is taken on SIGHUP." : "";
    absl::StrAppend(
        &text, "\n",
        Wrapped(absl::StrCat(option.help, ".", live, " [$", VariableOf(table, option), "]"), "# ",
                kWidth),
        "#", option.name, ": ", option.sample, "\n");
  }
  return text;
}

std::vector<const OptionSpec*> Changed(const std::vector<Option>& before,
                                       const std::vector<Option>& after) {
  const auto values_of = [](const std::vector<Option>& options, const OptionSpec* spec) {
    std::vector<absl::string_view> values;
    for (const Option& option : options) {
      if (option.spec == spec) values.push_back(option.value);
    }
    return values;
  };
  std::vector<const OptionSpec*> changed;
  for (const std::vector<Option>* options : {&before, &after}) {
    for (const Option& option : *options) {
      if (std::find(changed.begin(), changed.end(), option.spec) == changed.end() &&
          values_of(before, option.spec) != values_of(after, option.spec)) {
        changed.push_back(option.spec);
      }
    }
  }
  return changed;
}

}  // namespace machine::common
