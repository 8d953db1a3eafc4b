#include "services/common/legacy/machine_config.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"

namespace machine::common {
namespace {

using nlohmann::ordered_json;

constexpr int kConfigVersion = 3;
constexpr absl::string_view kDefaultSwarmHost = "tcp://0.0.0.0:3376";
constexpr absl::string_view kDefaultSwarmStrategy = "spread";

// Words that Go writes in capitals.
constexpr absl::string_view kInitialisms[] = {"ami", "api", "cpu", "iam", "id",  "ip", "os",
                                              "ssh", "tls", "url", "vm",  "vpc", "ca"};

std::string Text(absl::string_view text) { return std::string(text); }

// "ip-address" as "IPAddress".
std::string GoFieldName(absl::string_view words) {
  std::string name;
  for (absl::string_view word : absl::StrSplit(words, '-', absl::SkipEmpty())) {
    bool initialism = false;
    for (absl::string_view candidate : kInitialisms) initialism |= candidate == word;
    std::string part = Text(word);
    if (initialism) {
      absl::AsciiStrToUpper(&part);
    } else {
      part[0] = absl::ascii_toupper(part[0]);
    }
    absl::StrAppend(&name, part);
  }
  return name;
}

ordered_json StringArray(const google::protobuf::RepeatedPtrField<std::string>& values) {
  ordered_json array = ordered_json::array();
  for (const std::string& value : values) array.push_back(value);
  return array;
}

void AddOption(const machine::v1::OptionValue& option, absl::string_view driver,
               ordered_json& fields) {
  const std::string name = GoFieldName(absl::StripPrefix(option.name(), absl::StrCat(driver, "-")));
  if (name.empty() || fields.contains(name)) return;
  switch (option.value_case()) {
    case machine::v1::OptionValue::kStringValue:
      fields[name] = option.string_value();
      break;
    case machine::v1::OptionValue::kIntValue:
      fields[name] = option.int_value();
      break;
    case machine::v1::OptionValue::kBoolValue:
      fields[name] = option.bool_value();
      break;
    case machine::v1::OptionValue::kListValue:
      fields[name] = StringArray(option.list_value().values());
      break;
    case machine::v1::OptionValue::kSecretRef:
    case machine::v1::OptionValue::kSecretValue:
    case machine::v1::OptionValue::VALUE_NOT_SET:
      break;
  }
}

std::string SwarmHost(const machine::v1::SwarmOptions& swarm) {
  return swarm.host().empty() ? Text(kDefaultSwarmHost) : swarm.host();
}

ordered_json DriverFields(const machine::v1::Machine& machine, absl::string_view storage_path,
                          absl::string_view folder) {
  const machine::v1::Endpoint& endpoint = machine.endpoint();
  ordered_json fields;
  fields["IPAddress"] = endpoint.ip_addresses().empty() ? "" : endpoint.ip_addresses(0);
  fields["MachineName"] = Text(MachineId(machine.name()));
  fields["SSHUser"] = endpoint.ssh_user();
  fields["SSHPort"] = endpoint.ssh_port();
  fields["SSHKeyPath"] = endpoint.ssh_host().empty() ? "" : absl::StrCat(folder, "/id_rsa");
  fields["StorePath"] = Text(storage_path);
  fields["SwarmMaster"] = machine.swarm().master();
  fields["SwarmHost"] = SwarmHost(machine.swarm());
  fields["SwarmDiscovery"] = machine.swarm().discovery();
  for (const auto& option : machine.driver_options()) AddOption(option, machine.driver(), fields);
  return fields;
}

ordered_json EngineFields(const machine::v1::Machine& machine) {
  const machine::v1::EngineOptions& engine = machine.engine();
  ordered_json fields;
  fields["ArbitraryFlags"] = StringArray(engine.arbitrary_flags());
  fields["Dns"] = nullptr;
  fields["GraphDir"] = "";
  fields["Env"] = StringArray(engine.env());
  fields["Ipv6"] = false;
  fields["InsecureRegistry"] = StringArray(engine.insecure_registries());
  fields["Labels"] = StringArray(engine.labels());
  fields["LogLevel"] = "";
  fields["StorageDriver"] = engine.storage_driver();
  fields["SelinuxEnabled"] = false;
  fields["TlsVerify"] = !machine.endpoint().docker_plaintext();
  fields["RegistryMirror"] = StringArray(engine.registry_mirrors());
  fields["InstallURL"] = engine.install_url();
  return fields;
}

ordered_json SwarmFields(const machine::v1::SwarmOptions& swarm) {
  ordered_json fields;
  fields["IsSwarm"] = swarm.is_swarm();
  fields["Address"] = swarm.address();
  fields["Discovery"] = swarm.discovery();
  fields["Agent"] = swarm.is_swarm();
  fields["Master"] = swarm.master();
  fields["Host"] = SwarmHost(swarm);
  fields["Image"] = swarm.image();
  fields["Strategy"] = swarm.strategy().empty() ? Text(kDefaultSwarmStrategy) : swarm.strategy();
  fields["Heartbeat"] = 0;
  fields["Overcommit"] = 0;
  fields["ArbitraryFlags"] = StringArray(swarm.arbitrary_flags());
  fields["ArbitraryJoinFlags"] = StringArray(swarm.join_flags());
  fields["Env"] = nullptr;
  fields["IsExperimental"] = swarm.experimental();
  return fields;
}

ordered_json AuthFields(const machine::v1::Machine& machine, absl::string_view folder) {
  const bool provisioned = !machine.endpoint().ssh_host().empty();
  const auto remote = [&](absl::string_view file) {
    return provisioned ? absl::StrCat("/etc/docker/", file) : std::string();
  };
  ordered_json fields;
  fields["CertDir"] = Text(folder);
  fields["CaCertPath"] = absl::StrCat(folder, "/ca.pem");
  fields["CaPrivateKeyPath"] = "";
  fields["CaCertRemotePath"] = remote("ca.pem");
  fields["ServerCertPath"] = "";
  fields["ServerKeyPath"] = "";
  fields["ClientKeyPath"] = absl::StrCat(folder, "/key.pem");
  fields["ServerCertRemotePath"] = remote("server.pem");
  fields["ServerKeyRemotePath"] = remote("server-key.pem");
  fields["ClientCertPath"] = absl::StrCat(folder, "/cert.pem");
  fields["ServerCertSANs"] = StringArray(machine.auth().server_cert_sans());
  fields["StorePath"] = Text(folder);
  // Not the original's, which does not mind.
  if (machine.auth().has_server_cert_expire_time()) {
    fields["ServerCertExpireTime"] =
        absl::FormatTime("%Y-%m-%dT%H:%M:%SZ",
                         absl::FromUnixSeconds(machine.auth().server_cert_expire_time().seconds()),
                         absl::UTCTimeZone());
  }
  return fields;
}

}  // namespace

absl::string_view MachineId(absl::string_view resource_name) {
  return absl::StripPrefix(resource_name, "machines/");
}

std::string MachineFolder(absl::string_view storage_path, absl::string_view machine_id) {
  return absl::StrCat(storage_path, "/machines/", machine_id);
}

nlohmann::ordered_json LegacyConfig(const machine::v1::Machine& machine,
                                    absl::string_view storage_path) {
  const std::string folder = MachineFolder(storage_path, MachineId(machine.name()));
  ordered_json config;
  config["ConfigVersion"] = kConfigVersion;
  config["Driver"] = DriverFields(machine, storage_path, folder);
  config["DriverName"] = machine.driver();
  ordered_json& options = config["HostOptions"];
  options["Driver"] = "";
  options["Memory"] = 0;
  options["Disk"] = 0;
  options["EngineOptions"] = EngineFields(machine);
  options["SwarmOptions"] = SwarmFields(machine.swarm());
  options["AuthOptions"] = AuthFields(machine, folder);
  config["Name"] = Text(MachineId(machine.name()));
  return config;
}

std::string LegacyConfigText(const nlohmann::ordered_json& config) {
  // Bytes that are not UTF-8 are replaced rather than thrown at the caller.
  return absl::StrCat(config.dump(4, ' ', false, ordered_json::error_handler_t::replace), "\n");
}

}  // namespace machine::common
