#include "drivers/openstack/clouds_yaml.h"

#include <yaml-cpp/yaml.h>

#include <cstdlib>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/common/file/file.h"
#include "services/common/status/status.h"

namespace machine::driver::openstack {
namespace {

using Values = std::map<std::string, std::string>;

constexpr int64_t kMaxFileBytes = 1 << 20;

std::string Variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// The first of `paths` that exists; empty where there is none.
absl::StatusOr<std::string> ReadFirst(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    absl::StatusOr<std::string> text = common::ReadFile(path, kMaxFileBytes);
    if (text.ok() || !absl::IsNotFound(text.status())) return text;
  }
  return "";
}

void AddScalars(const YAML::Node& node, Values& values) {
  if (!node.IsMap()) return;
  for (const auto& member : node) {
    if (member.second.IsScalar()) values[member.first.Scalar()] = member.second.Scalar();
  }
}

// What `text` says of cloud `name`; fills `names` with all clouds there.
absl::Status AddCloud(absl::string_view file, const std::string& text, absl::string_view name,
                      Values& values, std::vector<std::string>& names) {
  try {
    const YAML::Node document = YAML::Load(text);
    const YAML::Node clouds = document.IsMap() ? document["clouds"] : YAML::Node();
    if (!clouds || !clouds.IsMap()) {
      return absl::InvalidArgumentError(absl::StrCat(file, " has no clouds"));
    }
    for (const auto& cloud : clouds) {
      names.push_back(cloud.first.Scalar());
      if (names.back() != name) continue;
      AddScalars(cloud.second, values);
      if (cloud.second.IsMap() && cloud.second["auth"]) AddScalars(cloud.second["auth"], values);
    }
    return absl::OkStatus();
  } catch (const YAML::Exception& error) {
    // Its words may quote the file.
    return absl::InvalidArgumentError(
        absl::StrCat(file, ", line ", error.mark.line + 1, ": this is not YAML"));
  }
}

}  // namespace

absl::StatusOr<CloudsFiles> ReadCloudsFiles() {
  std::string config = Variable("XDG_CONFIG_HOME");
  if (config.empty()) config = absl::StrCat(Variable("HOME"), "/.config");
  const auto paths = [&](absl::string_view name) {
    std::vector<std::string> all;
    for (const std::string& folder :
         {absl::StrCat(config, "/openstack"), std::string("/etc/openstack")}) {
      all.push_back(absl::StrCat(folder, "/", name, ".yaml"));
      all.push_back(absl::StrCat(folder, "/", name, ".yml"));
    }
    return all;
  };
  CloudsFiles files;
  DM_ASSIGN_OR_RETURN(files.clouds, ReadFirst(paths("clouds")));
  DM_ASSIGN_OR_RETURN(files.secure, ReadFirst(paths("secure")));
  return files;
}

absl::StatusOr<Values> FindCloud(const CloudsFiles& files, absl::string_view name) {
  if (files.clouds.empty()) {
    return absl::InvalidArgumentError(
        "there is no clouds.yaml in ~/.config/openstack or /etc/openstack of the driver's host; "
        "give one with --openstack-clouds-file");
  }
  Values values;
  std::vector<std::string> names;
  DM_RETURN_IF_ERROR(AddCloud("clouds.yaml", files.clouds, name, values, names));
  if (values.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("clouds.yaml has no cloud \"", name,
                                                   "\"; there are ", absl::StrJoin(names, ", ")));
  }
  if (files.secure.empty()) return values;
  std::vector<std::string> secure_names;
  DM_RETURN_IF_ERROR(AddCloud("secure.yaml", files.secure, name, values, secure_names));
  return values;
}

}  // namespace machine::driver::openstack
