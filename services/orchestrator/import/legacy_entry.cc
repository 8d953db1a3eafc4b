#include "services/orchestrator/import/legacy_entry.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"
#include "services/orchestrator/import/legacy_drivers.h"

namespace machine::orchestrator {
namespace {

using nlohmann::ordered_json;

constexpr int64_t kNewestVersion = 3;
// What the original wrote where nothing was asked for.
constexpr absl::string_view kDefaultInstallUrl = "https://get.docker.com";
constexpr absl::string_view kDefaultSwarmHost = "tcp://0.0.0.0:3376";

absl::Status Bad(absl::string_view reason) { return absl::FailedPreconditionError(reason); }

const ordered_json& ObjectOf(const ordered_json& parent, absl::string_view name) {
  static const ordered_json& empty = *new ordered_json(ordered_json::object());
  const ordered_json* const value = FindLegacyField(parent, name);
  return value != nullptr && value->is_object() ? *value : empty;
}

void AddTexts(const ordered_json& parent, absl::string_view name,
              google::protobuf::RepeatedPtrField<std::string>& texts) {
  const ordered_json* const value = FindLegacyField(parent, name);
  if (value == nullptr || !value->is_array()) return;
  for (const ordered_json& element : *value) {
    if (element.is_string()) texts.Add(element.get<std::string>());
  }
}

bool IsTrue(const ordered_json& parent, absl::string_view name) {
  const ordered_json* const value = FindLegacyField(parent, name);
  return value != nullptr && value->is_boolean() && value->get<bool>();
}

// The first of the two that is not empty.
std::string FirstOf(std::string first, std::string second) {
  return first.empty() ? second : first;
}

absl::StatusOr<ordered_json> ParseConfig(absl::string_view config_json) {
  ordered_json config = ordered_json::parse(config_json, nullptr, /*allow_exceptions=*/false);
  if (config.is_discarded()) return Bad("its config.json is not JSON");
  if (!config.is_object()) return Bad("its config.json is not an object");
  const int64_t version = LegacyInt(config, "ConfigVersion");
  if (version < 0 || version > kNewestVersion) {
    return Bad(
        absl::StrCat("its config.json has version ", version,
                     "; versions 0 to 3 can be read: it was made by a newer docker-machine"));
  }
  const std::string driver = LegacyText(config, "DriverName");
  if (driver.empty()) return Bad("its config.json names no driver");
  // Names of programs: they are shown, and a driver of this name may be looked for.
  if (!std::all_of(driver.begin(), driver.end(), [](unsigned char c) {
        return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.';
      })) {
    return Bad("its config.json names a driver by what no driver is called");
  }
  return config;
}

absl::StatusOr<ordered_json> DriverFieldsOf(const ordered_json& config) {
  const ordered_json* const fields = FindLegacyField(config, "Driver");
  if (fields != nullptr && fields->is_object() && !fields->empty()) return *fields;
  // Release 0.5.0 kept the driver's own text as bytes.
  std::string raw;
  if (absl::Base64Unescape(LegacyText(config, "RawDriver"), &raw) && !raw.empty()) {
    ordered_json decoded = ordered_json::parse(raw, nullptr, /*allow_exceptions=*/false);
    if (decoded.is_object()) return decoded;
  }
  return Bad("its config.json says nothing of the driver's machine");
}

machine::v1::EngineOptions EngineOf(const ordered_json& options, absl::string_view driver) {
  machine::v1::EngineOptions engine;
  AddTexts(options, "ArbitraryFlags", *engine.mutable_arbitrary_flags());
  AddTexts(options, "Labels", *engine.mutable_labels());
  AddTexts(options, "Env", *engine.mutable_env());
  AddTexts(options, "InsecureRegistry", *engine.mutable_insecure_registries());
  AddTexts(options, "RegistryMirror", *engine.mutable_registry_mirrors());
  engine.set_storage_driver(LegacyText(options, "StorageDriver"));
  if (LegacyText(options, "InstallURL") != kDefaultInstallUrl) {
    engine.set_install_url(LegacyText(options, "InstallURL"));
  }
  // Each provision adds it anyway.
  auto& labels = *engine.mutable_labels();
  labels.erase(std::remove(labels.begin(), labels.end(), absl::StrCat("provider=", driver)),
               labels.end());
  return engine;
}

machine::v1::SwarmOptions SwarmOf(const ordered_json& config, const ordered_json& options) {
  machine::v1::SwarmOptions swarm;
  swarm.set_discovery(
      FirstOf(LegacyText(options, "Discovery"), LegacyText(config, "SwarmDiscovery")));
  swarm.set_master(IsTrue(options, "Master") || IsTrue(config, "SwarmMaster"));
  // Before version 1 there was no IsSwarm: whoever had a discovery took part.
  swarm.set_is_swarm(IsTrue(options, "IsSwarm") || swarm.master() || !swarm.discovery().empty());
  if (!swarm.is_swarm()) return {};
  swarm.set_strategy(LegacyText(options, "Strategy"));
  swarm.set_image(LegacyText(options, "Image"));
  swarm.set_host(FirstOf(LegacyText(options, "Host"), LegacyText(config, "SwarmHost")));
  if (swarm.host().empty()) swarm.set_host(std::string(kDefaultSwarmHost));
  swarm.set_address(LegacyText(options, "Address"));
  AddTexts(options, "ArbitraryFlags", *swarm.mutable_arbitrary_flags());
  AddTexts(options, "ArbitraryJoinFlags", *swarm.mutable_join_flags());
  swarm.set_experimental(IsTrue(options, "IsExperimental"));
  return swarm;
}

LegacyPaths PathsOf(const ordered_json& config, const ordered_json& auth,
                    const ordered_json& fields) {
  // Version 0 has them at the top, or in the driver; from version 2 on a key has another name.
  const auto path = [&](absl::string_view name) {
    return FirstOf(LegacyText(auth, name),
                   FirstOf(LegacyText(config, name), LegacyText(fields, name)));
  };
  return {.ca_cert = path("CaCertPath"),
          .ca_key = FirstOf(path("CaPrivateKeyPath"), path("PrivateKeyPath")),
          .client_cert = path("ClientCertPath"),
          .client_key = path("ClientKeyPath"),
          .server_cert = path("ServerCertPath"),
          .server_key = path("ServerKeyPath"),
          .ssh_key = LegacyText(fields, "SSHKeyPath")};
}

// Moves what stood at the top in version 0, and the key's name of versions 0 and 1.
void UpgradeAuth(const ordered_json& config, ordered_json& auth) {
  for (const char* name : {"StorePath", "CaCertPath", "ServerCertPath", "ServerKeyPath",
                           "ClientKeyPath", "ClientCertPath"}) {
    if (LegacyText(auth, name).empty()) auth[name] = LegacyText(config, name);
  }
  if (LegacyText(auth, "CaPrivateKeyPath").empty()) {
    auth["CaPrivateKeyPath"] =
        FirstOf(LegacyText(auth, "PrivateKeyPath"), LegacyText(config, "PrivateKeyPath"));
  }
  auth.erase("PrivateKeyPath");
}

// Before version 2 the machine's own folder stood at the top, and the driver had none: drivers that
// keep a disk there look for it by the store's.
void PutStorePath(const ordered_json& config, ordered_json& fields) {
  const std::string folder = LegacyText(config, "StorePath");
  if (!LegacyText(fields, "StorePath").empty()) return;
  for (const char* const parent : {"/machines/", "\\machines\\"}) {
    const size_t end = folder.rfind(parent);
    if (end != std::string::npos) fields["StorePath"] = folder.substr(0, end);
  }
}

}  // namespace

absl::StatusOr<LegacyEntry> ParseLegacyEntry(absl::string_view config_json) {
  DM_ASSIGN_OR_RETURN(const ordered_json config, ParseConfig(config_json));
  LegacyEntry entry;
  entry.version = static_cast<int>(LegacyInt(config, "ConfigVersion"));
  entry.driver = LegacyText(config, "DriverName");
  DM_ASSIGN_OR_RETURN(entry.fields, DriverFieldsOf(config));
  PutStorePath(config, entry.fields);
  const ordered_json& options = ObjectOf(config, "HostOptions");
  const ordered_json& auth = ObjectOf(options, "AuthOptions");
  entry.engine = EngineOf(ObjectOf(options, "EngineOptions"), entry.driver);
  entry.swarm = SwarmOf(config, ObjectOf(options, "SwarmOptions"));
  AddTexts(auth, "ServerCertSANs", *entry.auth.mutable_server_cert_sans());
  entry.paths = PathsOf(config, auth, entry.fields);
  return entry;
}

absl::StatusOr<ordered_json> ToLegacyVersion3(absl::string_view config_json) {
  DM_ASSIGN_OR_RETURN(ordered_json config, ParseConfig(config_json));
  DM_ASSIGN_OR_RETURN(config["Driver"], DriverFieldsOf(config));
  if (LegacyInt(config, "ConfigVersion") < kNewestVersion) {
    ordered_json& options = config["HostOptions"];
    if (!options.is_object()) options = ordered_json::object();
    for (const char* name : {"EngineOptions", "SwarmOptions", "AuthOptions"}) {
      if (!options[name].is_object()) options[name] = ordered_json::object();
    }
    UpgradeAuth(config, options["AuthOptions"]);
    for (const auto& [from, to] :
         {std::pair("SwarmHost", "Host"), {"SwarmDiscovery", "Discovery"}}) {
      ordered_json& swarm = options["SwarmOptions"];
      if (LegacyText(swarm, to).empty()) swarm[to] = LegacyText(config, from);
    }
    for (const char* name :
         {"StorePath", "CaCertPath", "PrivateKeyPath", "ServerCertPath", "ServerKeyPath",
          "ClientCertPath", "ClientKeyPath", "SwarmHost", "SwarmMaster", "SwarmDiscovery"}) {
      config.erase(name);
    }
  }
  config.erase("RawDriver");
  config["ConfigVersion"] = kNewestVersion;
  return config;
}

}  // namespace machine::orchestrator
