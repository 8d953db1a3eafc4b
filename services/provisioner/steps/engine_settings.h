// What the user asked of the engine, sorted by where it goes: daemon.json, dockerd's command line,
// or its environment.
#ifndef SERVICES_PROVISIONER_STEPS_ENGINE_SETTINGS_H_
#define SERVICES_PROVISIONER_STEPS_ENGINE_SETTINGS_H_

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "machine/v1/machine.pb.h"
#include "provisioner/v1/provisioner.pb.h"

namespace machine::provisioner {

using StringList = std::vector<std::string>;
using StringMap = std::map<std::string, std::string>;

/// One key of daemon.json.
struct DaemonSetting {
  std::string key;   ///< In daemon.json: "log-opts".
  std::string flag;  ///< On the command line, without dashes: "log-opt".
  /// Lists and maps are added to what is there; everything else replaces it.
  std::variant<bool, int64_t, std::string, StringList, StringMap> value;
};

struct EngineSettings {
  std::vector<DaemonSetting> daemon_json;
  /// Options of dockerd that are not known here, as whole words: "--name=value".
  StringList flags;
  /// "tcp://…" and others; the first is the one that TLS secures.
  StringList hosts;
  /// "NAME=value".
  StringList env;
};

/// Sorts the options of a request. INVALID_ARGUMENT naming the field for an option that has a wrong
/// type, that is set by the provisioner itself, or that no engine knows any more.
absl::StatusOr<EngineSettings> ReadEngineSettings(
    const ::provisioner::v1::ProvisionRequest& request);

/// The variables among `env` that tell programs how to reach the outside: HTTP_PROXY, HTTPS_PROXY
/// and NO_PROXY, in either spelling.
StringList ProxyVariables(const StringList& env);

/// Port on which the engine is to listen.
int EnginePort(const ::provisioner::v1::ProvisionRequest& request);

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_STEPS_ENGINE_SETTINGS_H_
