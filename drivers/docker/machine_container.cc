#include "drivers/docker/machine_container.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "services/common/status/status.h"

namespace machine::driver::docker {
namespace {

using Json = nlohmann::json;

constexpr int kSshPort = 22;
constexpr size_t kMaxHostName = 63;
constexpr int64_t kMib = int64_t{1} << 20;

// Ports to publish: below those that Linux hands out by itself (from 32768), above the well-known.
constexpr int kFirstPublishedPort = 20'000;
constexpr int kPublishedPairs = 6'000;

// In the order of their bits in capabilities(7). The three that came later (PERFMON, BPF,
// CHECKPOINT_RESTORE) are parts of SYS_ADMIN, and not all engines know their names.
constexpr absl::string_view kCapabilities[] = {
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
};

// FNV-1a: short, and the same in every process and version.
uint64_t Digest(absl::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

std::string HostName(absl::string_view machine_name) {
  absl::string_view name = machine_name.substr(0, kMaxHostName);
  while (!name.empty() && !absl::ascii_isalnum(static_cast<unsigned char>(name.back()))) {
    name.remove_suffix(1);
  }
  return std::string(name);
}

Json FixedSettings(const Settings& settings) {
  return {{"image", settings.image},
          {"memory", settings.memory_mib},
          {"cpus", settings.nano_cpus},
          {"disk", settings.disk_mib},
          {"volume", settings.volumes},
          {"network", settings.network},
          {"ip", settings.ip},
          {"engine-port", settings.engine_port},
          {"ssh-user", settings.ssh_user},
          {"label", settings.labels}};
}

std::string LabelOf(const Container& container, absl::string_view label) {
  const auto it = container.labels.find(std::string(label));
  return it == container.labels.end() ? "" : it->second;
}

Labels OwnLabels(const Identity& identity, absl::string_view role) {
  return {{std::string(kUidLabel), identity.uid},
          {std::string(kNameLabel), identity.name},
          {std::string(kOrchestratorLabel), identity.orchestrator_id},
          {std::string(kRoleLabel), std::string(role)}};
}

Json HostConfig(const Identity& identity, const Settings& settings, const Privileges& privileges) {
  Json config = {
      {"Binds", settings.volumes},
      {"NetworkMode", settings.network},
      {"RestartPolicy", {{"Name", "unless-stopped"}}},
      {"Memory", settings.memory_mib * kMib},
      {"NanoCpus", settings.nano_cpus},
      {"CgroupnsMode", "private"},
      {"UsernsMode", "host"},
      {"SecurityOpt", {"seccomp=unconfined", "apparmor=unconfined", "label=disable"}},
      {"MaskedPaths", Json::array()},
      {"ReadonlyPaths", Json::array()},
      {"DeviceCgroupRules", Json::array({"a *:* rwm"})},
      {"Tmpfs", {{"/run", "exec,mode=755"}, {"/run/lock", ""}, {"/tmp", "exec,mode=1777"}}},
  };
  // An overlay file system does not stack on the container's own root.
  for (const char* const part : {"docker", "containerd"}) {
    config["Mounts"].push_back({{"Type", "volume"},
                                {"Source", VolumeName(identity, part)},
                                {"Target", absl::StrCat("/var/lib/", part)}});
  }
  if (privileges.by_capabilities()) {
    config["CapAdd"] = CapabilityNames(privileges.bounding_set());
  } else {
    config["Privileged"] = true;
  }
  return config;
}

void Publish(const PublishedPorts& ports, Json& specification) {
  const std::pair<int, int> inner_and_outer[] = {{kSshPort, ports.ssh},
                                                 {ports.engine, ports.engine}};
  for (const auto& [inner, outer] : inner_and_outer) {
    const std::string key = absl::StrCat(inner, "/tcp");
    specification["ExposedPorts"][key] = Json::object();
    Json binding = {{"HostPort", absl::StrCat(outer)}};
    specification["HostConfig"]["PortBindings"][key] = Json::array({std::move(binding)});
  }
}

std::string AddressOf(const Container& container) {
  const auto it = container.addresses.find(container.network);
  if (it != container.addresses.end()) return it->second;
  return container.addresses.empty() ? "" : container.addresses.begin()->second;
}

int OuterPort(const Container& container, int inner) {
  for (const Container::Port& port : container.ports) {
    if (port.inner == inner && port.outer != 0) return port.outer;
  }
  return 0;
}

std::string Url(const std::string& host, int port) {
  const bool ipv6 = host.find(':') != std::string::npos;
  return absl::StrCat("tcp://", ipv6 ? "[" : "", host, ipv6 ? "]:" : ":", port);
}

}  // namespace

std::string ContainerName(const Identity& identity) {
  return absl::StrCat("machine-", identity.name, "-",
                      absl::Hex(Digest(identity.uid), absl::kZeroPad16));
}

std::string VolumeName(const Identity& identity, absl::string_view part) {
  return absl::StrCat(ContainerName(identity), "-", part);
}

PublishedPorts PortsToTry(absl::string_view uid, int attempt) {
  const uint64_t pair = (Digest(uid) + static_cast<uint64_t>(attempt)) % kPublishedPairs;
  const int first = kFirstPublishedPort + 2 * static_cast<int>(pair);
  return {first, first + 1};
}

Labels MachineLabels(const Identity& identity, const Settings& settings, int engine_port) {
  Labels labels = OwnLabels(identity, kMachineRole);
  labels[std::string(kSettingsLabel)] = Dump(FixedSettings(settings));
  labels[std::string(kEnginePortLabel)] = absl::StrCat(engine_port);
  labels[std::string(kSshUserLabel)] = settings.ssh_user;
  labels.insert(settings.labels.begin(), settings.labels.end());
  return labels;
}

Labels VolumeLabels(const Identity& identity) { return OwnLabels(identity, kMachineRole); }

Labels FindMachine(absl::string_view uid) {
  return {{std::string(kUidLabel), std::string(uid)},
          {std::string(kRoleLabel), std::string(kMachineRole)}};
}

Labels FindAll(absl::string_view uid) { return {{std::string(kUidLabel), std::string(uid)}}; }

std::string MachineSpecification(const Identity& identity, const Settings& settings,
                                 const Privileges& privileges,
                                 const std::optional<PublishedPorts>& ports) {
  const int engine_port = ports.has_value() ? ports->engine : settings.engine_port;
  Json specification = {
      {"Image", settings.image},
      {"Hostname", HostName(identity.name)},
      {"Labels", MachineLabels(identity, settings, engine_port)},
      // What systemd takes as the order to power off.
      {"StopSignal", "SIGRTMIN+3"},
      {"StopTimeout", 30},
      {"HostConfig", HostConfig(identity, settings, privileges)},
  };
  if (ports.has_value()) Publish(*ports, specification);
  if (!settings.ip.empty()) {
    specification["NetworkingConfig"]["EndpointsConfig"][settings.network] = {
        {"IPAMConfig", {{"IPv4Address", settings.ip}}}};
  }
  return Dump(specification);
}

std::string ProbeSpecification(const Identity& identity, absl::string_view image) {
  // In the host's process namespace a container sees the process that started it, whose bounding
  // set is what a container can get.
  return Dump({{"Image", std::string(image)},
               {"Cmd", {"/bin/sh", "-c", "grep CapBnd /proc/$PPID/status"}},
               {"Tty", true},
               {"Labels", OwnLabels(identity, kProbeRole)},
               {"HostConfig",
                {{"PidMode", "host"},
                 {"NetworkMode", "none"},
                 {"UsernsMode", "host"},
                 {"LogConfig", {{"Type", "json-file"}}}}}});
}

absl::StatusOr<uint64_t> ParseBoundingSet(absl::string_view output) {
  absl::string_view digits = absl::StripAsciiWhitespace(output);
  uint64_t bits = 0;
  if (absl::ConsumePrefix(&digits, "CapBnd:") &&
      absl::SimpleHexAtoi(absl::StripAsciiWhitespace(digits), &bits) && bits != 0) {
    return bits;
  }
  return common::Error(absl::StatusCode::kFailedPrecondition,
                       machine::v1::ERROR_REASON_HOST_COMMAND_FAILED,
                       "the container that was to tell the engine's capabilities did not");
}

std::vector<std::string> CapabilityNames(uint64_t bounding_set) {
  std::vector<std::string> names;
  for (const absl::string_view name : kCapabilities) {
    if ((bounding_set & 1) != 0) names.emplace_back(name);
    bounding_set >>= 1;
  }
  return names;
}

absl::Status CheckSameSettings(const Container& container, const Settings& settings) {
  const Json wanted = FixedSettings(settings);
  const Json made = Json::parse(LabelOf(container, kSettingsLabel), nullptr,
                                /*allow_exceptions=*/false);
  std::vector<std::string> differences;
  for (const auto& [key, value] : wanted.items()) {
    const auto it = made.is_object() ? made.find(key) : made.end();
    if (it == made.end()) {
      differences.push_back(absl::StrCat("--docker-", key, " is not known"));
    } else if (*it != value) {
      differences.push_back(
          absl::StrCat("--docker-", key, " was ", Dump(*it), ", asked for is ", Dump(value)));
    }
  }
  if (differences.empty()) return absl::OkStatus();
  return InstanceDiffers(container.name, absl::StrJoin(differences, "; "));
}

MachineState StateOf(absl::string_view status) {
  if (status == "running") return machine::v1::MACHINE_STATE_RUNNING;
  if (status == "paused") return machine::v1::MACHINE_STATE_PAUSED;
  if (status == "restarting") return machine::v1::MACHINE_STATE_STARTING;
  if (status == "removing") return machine::v1::MACHINE_STATE_REMOVING;
  if (status == "created" || status == "exited") return machine::v1::MACHINE_STATE_STOPPED;
  // What the engine could not remove; it cannot be started again.
  if (status == "dead") return machine::v1::MACHINE_STATE_ERROR;
  return machine::v1::MACHINE_STATE_UNSPECIFIED;
}

Observation ObservationOf(const Container& container, const Endpoint& endpoint) {
  Observation observation;
  observation.set_state(StateOf(container.status));
  observation.set_instance_id(container.id.substr(0, 12));
  int32_t engine_port = 0;
  const bool ours = absl::SimpleAtoi(LabelOf(container, kEnginePortLabel), &engine_port);
  const std::string host = endpoint.local() ? AddressOf(container) : endpoint.host;
  const int ssh_port = endpoint.local() ? kSshPort : OuterPort(container, kSshPort);
  // While a container is down the engine knows neither its address nor its ports.
  if (!ours || host.empty() || ssh_port == 0) return observation;
  machine::v1::Endpoint& where = *observation.mutable_endpoint();
  where.add_ip_addresses(host);
  where.set_ssh_host(host);
  where.set_ssh_port(ssh_port);
  where.set_ssh_user(LabelOf(container, kSshUserLabel));
  where.set_docker_url(Url(host, engine_port));
  return observation;
}

}  // namespace machine::driver::docker
