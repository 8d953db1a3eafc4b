#include "services/provisioner/steps/engine_settings.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/common/status/status.h"
#include "services/provisioner/detect/facts.h"

namespace machine::provisioner {
namespace {

using ::machine::common::InvalidField;
using ::provisioner::v1::ProvisionRequest;

constexpr int kDefaultEnginePort = 2376;
constexpr char kFlagsField[] = "engine.arbitrary_flags";

enum class Type { kBool, kInt, kString, kList, kMap };

struct KnownOption {
  absl::string_view flag;
  absl::string_view key;
  Type type;
};

// From dockerd's reference: options that daemon.json takes, with the type it wants. Those not here
// (of newer engines, and with a structure of their own) go to the command line, which takes
// strings.
constexpr KnownOption kKnownOptions[] = {
    {"authorization-plugin", "authorization-plugins", Type::kList},
    {"bip", "bip", Type::kString},
    {"bridge", "bridge", Type::kString},
    {"cgroup-parent", "cgroup-parent", Type::kString},
    {"data-root", "data-root", Type::kString},
    {"debug", "debug", Type::kBool},
    {"default-cgroupns-mode", "default-cgroupns-mode", Type::kString},
    {"default-gateway", "default-gateway", Type::kString},
    {"default-gateway-v6", "default-gateway-v6", Type::kString},
    {"default-ipc-mode", "default-ipc-mode", Type::kString},
    {"default-runtime", "default-runtime", Type::kString},
    {"default-shm-size", "default-shm-size", Type::kString},
    {"dns", "dns", Type::kList},
    {"dns-opt", "dns-opts", Type::kList},
    {"dns-search", "dns-search", Type::kList},
    {"exec-opt", "exec-opts", Type::kList},
    {"exec-root", "exec-root", Type::kString},
    {"experimental", "experimental", Type::kBool},
    {"fixed-cidr", "fixed-cidr", Type::kString},
    {"fixed-cidr-v6", "fixed-cidr-v6", Type::kString},
    {"group", "group", Type::kString},
    {"icc", "icc", Type::kBool},
    {"init", "init", Type::kBool},
    {"init-path", "init-path", Type::kString},
    {"insecure-registry", "insecure-registries", Type::kList},
    {"ip", "ip", Type::kString},
    {"ip-forward", "ip-forward", Type::kBool},
    {"ip-masq", "ip-masq", Type::kBool},
    {"ip6tables", "ip6tables", Type::kBool},
    {"iptables", "iptables", Type::kBool},
    {"ipv6", "ipv6", Type::kBool},
    {"label", "labels", Type::kList},
    {"live-restore", "live-restore", Type::kBool},
    {"log-driver", "log-driver", Type::kString},
    {"log-level", "log-level", Type::kString},
    {"log-opt", "log-opts", Type::kMap},
    {"max-concurrent-downloads", "max-concurrent-downloads", Type::kInt},
    {"max-concurrent-uploads", "max-concurrent-uploads", Type::kInt},
    {"max-download-attempts", "max-download-attempts", Type::kInt},
    {"metrics-addr", "metrics-addr", Type::kString},
    {"mtu", "mtu", Type::kInt},
    {"network-control-plane-mtu", "network-control-plane-mtu", Type::kInt},
    {"no-new-privileges", "no-new-privileges", Type::kBool},
    {"node-generic-resource", "node-generic-resources", Type::kList},
    {"oom-score-adjust", "oom-score-adjust", Type::kInt},
    {"raw-logs", "raw-logs", Type::kBool},
    {"registry-mirror", "registry-mirrors", Type::kList},
    {"seccomp-profile", "seccomp-profile", Type::kString},
    {"selinux-enabled", "selinux-enabled", Type::kBool},
    {"shutdown-timeout", "shutdown-timeout", Type::kInt},
    {"storage-driver", "storage-driver", Type::kString},
    {"storage-opt", "storage-opts", Type::kList},
    {"swarm-default-advertise-addr", "swarm-default-advertise-addr", Type::kString},
    {"userland-proxy", "userland-proxy", Type::kBool},
    {"userland-proxy-path", "userland-proxy-path", Type::kString},
    {"userns-remap", "userns-remap", Type::kString},
};

// Without these nobody could use the machine, so they are not the user's to set.
const std::set<absl::string_view>& OwnOptions() {
  static const auto& options = *new std::set<absl::string_view>{
      "config-file", "tls", "tlscacert", "tlscert", "tlskey", "tlsverify"};
  return options;
}

bool HasControlCharacter(absl::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); });
}

absl::Status CheckStorageDriver(absl::string_view field, absl::string_view name) {
  if (name == "aufs" || name == "overlay" || name == "devicemapper") {
    return InvalidField(field, absl::StrCat("storage driver \"", name,
                                            "\" no longer exists in the engine; leave it out, or "
                                            "use overlay2"));
  }
  return absl::OkStatus();
}

// Collects settings so that one given twice is one setting.
class Collector {
 public:
  explicit Collector(EngineSettings& settings) : settings_(settings) {}

  template <typename T>
  void Set(absl::string_view key, absl::string_view flag, T value) {
    Find(key, flag, T()).value = std::move(value);
  }

  void AddToList(absl::string_view key, absl::string_view flag, absl::string_view value) {
    auto& list = std::get<StringList>(Find(key, flag, StringList()).value);
    if (std::find(list.begin(), list.end(), value) == list.end()) list.emplace_back(value);
  }

  void AddToMap(absl::string_view key, absl::string_view flag, absl::string_view name,
                absl::string_view value) {
    std::get<StringMap>(Find(key, flag, StringMap()).value)[std::string(name)] = std::string(value);
  }

  absl::Status AddKnown(const KnownOption& option, absl::string_view value, bool has_value) {
    switch (option.type) {
      case Type::kBool: {
        bool parsed = true;
        if (has_value && !absl::SimpleAtob(value, &parsed)) return Wrong(option, "true or false");
        Set(option.key, option.flag, parsed);
        return absl::OkStatus();
      }
      case Type::kInt: {
        int64_t parsed = 0;
        if (!absl::SimpleAtoi(value, &parsed)) return Wrong(option, "a number");
        Set(option.key, option.flag, parsed);
        return absl::OkStatus();
      }
      case Type::kString:
        if (!has_value) return Wrong(option, "a value");
        Set(option.key, option.flag, std::string(value));
        return absl::OkStatus();
      case Type::kList:
        if (value.empty()) return Wrong(option, "a value");
        AddToList(option.key, option.flag, value);
        return absl::OkStatus();
      case Type::kMap: {
        const std::pair<absl::string_view, absl::string_view> pair =
            absl::StrSplit(value, absl::MaxSplits('=', 1));
        if (pair.first.empty() || !absl::StrContains(value, '=')) {
          return Wrong(option, "NAME=VALUE as its value");
        }
        AddToMap(option.key, option.flag, pair.first, pair.second);
        return absl::OkStatus();
      }
    }
    return absl::OkStatus();
  }

 private:
  static absl::Status Wrong(const KnownOption& option, absl::string_view wanted) {
    return InvalidField(kFlagsField,
                        absl::StrCat("engine option \"", option.flag, "\" needs ", wanted));
  }

  template <typename T>
  DaemonSetting& Find(absl::string_view key, absl::string_view flag, T empty) {
    for (DaemonSetting& setting : settings_.daemon_json) {
      if (setting.key == key) return setting;
    }
    settings_.daemon_json.push_back({std::string(key), std::string(flag), std::move(empty)});
    return settings_.daemon_json.back();
  }

  EngineSettings& settings_;
};

absl::Status AddFlag(absl::string_view text, EngineSettings& settings, Collector& collector) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits('=', 1));
  absl::string_view name = parts.first;
  while (absl::ConsumePrefix(&name, "-")) {
  }
  const bool has_value = absl::StrContains(text, '=');
  const bool well_formed = !name.empty() &&
                           absl::ascii_isalnum(static_cast<unsigned char>(name[0])) &&
                           std::all_of(name.begin(), name.end(), [](unsigned char c) {
                             return absl::ascii_isalnum(c) || c == '-' || c == '.' || c == '_';
                           });
  if (!well_formed || HasControlCharacter(text)) {
    return InvalidField(kFlagsField,
                        "engine options are NAME=VALUE or NAME, with names such as \"log-level\"");
  }
  if (OwnOptions().count(name) > 0) {
    return InvalidField(kFlagsField,
                        absl::StrCat("engine option \"", name, "\" is set by the machine itself"));
  }
  if (name == "storage-driver" || name == "s") {
    DM_RETURN_IF_ERROR(CheckStorageDriver(kFlagsField, parts.second));
    name = "storage-driver";
  }
  if (name == "host" || name == "H") {
    if (parts.second.empty()) return InvalidField(kFlagsField, "engine option \"host\" is empty");
    settings.hosts.emplace_back(parts.second);
    return absl::OkStatus();
  }
  const auto* known =
      std::find_if(std::begin(kKnownOptions), std::end(kKnownOptions),
                   [name](const KnownOption& o) { return o.flag == name || o.key == name; });
  if (known != std::end(kKnownOptions)) {
    return collector.AddKnown(*known, parts.second, has_value);
  }
  settings.flags.push_back(has_value ? absl::StrCat("--", name, "=", parts.second)
                                     : absl::StrCat("--", name));
  return absl::OkStatus();
}

absl::Status AddLists(const machine::v1::EngineOptions& engine, EngineSettings& settings,
                      Collector& collector) {
  for (const std::string& label : engine.labels()) {
    // dockerd does not start with one that has no value.
    const size_t equals = label.find('=');
    if (equals == std::string::npos || equals == 0 || HasControlCharacter(label)) {
      return InvalidField("engine.labels", "a label is KEY=VALUE");
    }
    collector.AddToList("labels", "label", label);
  }
  for (const std::string& registry : engine.insecure_registries()) {
    if (registry.empty())
      return InvalidField("engine.insecure_registries",
                          "the name of an insecure registry is empty");
    collector.AddToList("insecure-registries", "insecure-registry", registry);
  }
  for (const std::string& mirror : engine.registry_mirrors()) {
    if (!absl::StartsWith(mirror, "http://") && !absl::StartsWith(mirror, "https://")) {
      return InvalidField("engine.registry_mirrors", "a mirror is an http:// or https:// URL");
    }
    collector.AddToList("registry-mirrors", "registry-mirror", mirror);
  }
  for (const std::string& variable : engine.env()) {
    const size_t equals = variable.find('=');
    if (equals == std::string::npos || equals == 0 || HasControlCharacter(variable)) {
      return InvalidField("engine.env", "a variable of the engine is NAME=VALUE on one line");
    }
    settings.env.push_back(variable);
  }
  return absl::OkStatus();
}

}  // namespace

StringList ProxyVariables(const StringList& env) {
  StringList proxies;
  for (const std::string& variable : env) {
    const std::string name = absl::AsciiStrToUpper(variable.substr(0, variable.find('=')));
    if (name == "HTTP_PROXY" || name == "HTTPS_PROXY" || name == "NO_PROXY") {
      proxies.push_back(absl::StrCat(name, variable.substr(name.size())));
    }
  }
  return proxies;
}

int EnginePort(const ProvisionRequest& request) {
  return request.engine_port() != 0 ? request.engine_port() : kDefaultEnginePort;
}

absl::StatusOr<EngineSettings> ReadEngineSettings(const ProvisionRequest& request) {
  if (request.engine_port() < 0 || request.engine_port() > 65535) {
    return InvalidField("engine_port", "the engine's port must be 0 to 65535");
  }
  const machine::v1::EngineOptions& engine = request.engine();
  EngineSettings settings;
  Collector collector(settings);
  settings.hosts.push_back(absl::StrCat("tcp://0.0.0.0:", EnginePort(request)));
  collector.Set("tlsverify", "tlsverify", true);
  collector.Set("tlscacert", "tlscacert", std::string(kCaPath));
  collector.Set("tlscert", "tlscert", std::string(kServerCertPath));
  collector.Set("tlskey", "tlskey", std::string(kServerKeyPath));
  if (!engine.storage_driver().empty()) {
    DM_RETURN_IF_ERROR(CheckStorageDriver("engine.storage_driver", engine.storage_driver()));
    collector.Set("storage-driver", "storage-driver", engine.storage_driver());
  }
  for (const std::string& flag : engine.arbitrary_flags()) {
    DM_RETURN_IF_ERROR(AddFlag(flag, settings, collector));
  }
  DM_RETURN_IF_ERROR(AddLists(engine, settings, collector));
  if (!request.driver().empty()) {
    collector.AddToList("labels", "label", absl::StrCat("provider=", request.driver()));
  }
  return settings;
}

}  // namespace machine::provisioner
