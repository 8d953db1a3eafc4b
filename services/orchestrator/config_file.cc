#include "services/orchestrator/config_file.h"

#include <yaml-cpp/yaml.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/common/file/file.h"
#include "services/common/status/status.h"

namespace machine::orchestrator {
namespace {

absl::Status Bad(const std::string& path, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("--config: ", path, ": ", what));
}

absl::Status AddOption(const std::string& path, const std::string& name, const YAML::Node& value,
                       std::vector<std::string>& options) {
  if (value.IsSequence()) {
    for (const YAML::Node& each : value) {
      if (!each.IsScalar()) return Bad(path, absl::StrCat(name, " is not a list of texts"));
      options.push_back(absl::StrCat("--", name, "=", each.Scalar()));
    }
    return absl::OkStatus();
  }
  if (!value.IsScalar()) return Bad(path, absl::StrCat(name, " is not a text"));
  if (name != "private") {
    options.push_back(absl::StrCat("--", name, "=", value.Scalar()));
  } else if (value.Scalar() == "true") {
    options.push_back("--private");
  } else if (value.Scalar() != "false") {
    return Bad(path, "private is neither true nor false");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> OptionsOf(const std::string& path) {
  const absl::StatusOr<std::string> text = common::ReadFile(path);
  if (!text.ok()) return Bad(path, text.status().message());
  std::vector<std::string> options;
  try {  // yaml-cpp reports by exceptions, which end here.
    const YAML::Node file = YAML::Load(*text);
    if (file.IsNull()) return options;
    if (!file.IsMap()) return Bad(path, "expected lines such as \"listen: 0.0.0.0:7676\"");
    for (const auto& entry : file) {
      if (!entry.first.IsScalar() || entry.first.Scalar() == "config") {
        return Bad(path, "an option's name is missing or is config itself");
      }
      DM_RETURN_IF_ERROR(AddOption(path, entry.first.Scalar(), entry.second, options));
    }
  } catch (const YAML::Exception& error) {
    return Bad(path, error.what());
  }
  return options;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> WithConfigFile(std::vector<std::string> words) {
  std::vector<std::string> all;
  std::vector<std::string> rest;
  for (size_t i = 0; i < words.size(); ++i) {
    absl::string_view value = words[i];
    if (words[i] == "--config") {
      if (++i == words.size()) return absl::InvalidArgumentError("--config needs a value");
      value = words[i];
    } else if (!absl::ConsumePrefix(&value, "--config=")) {
      rest.push_back(std::move(words[i]));
      continue;
    }
    DM_ASSIGN_OR_RETURN(std::vector<std::string> options, OptionsOf(std::string(value)));
    all.insert(all.end(), options.begin(), options.end());
  }
  all.insert(all.end(), rest.begin(), rest.end());
  return all;
}

}  // namespace machine::orchestrator
