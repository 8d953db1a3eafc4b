#include "drivers/docker/settings.h"

#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "drivers/docker/machine_container.h"
#include "drivers/sdk/errors.h"
#include "services/common/status/status.h"

namespace machine::driver::docker {
namespace {

constexpr absl::string_view kCaFlag = "docker-tls-ca-cert";
constexpr absl::string_view kCertFlag = "docker-tls-cert";
constexpr absl::string_view kKeyFlag = "docker-tls-key";
constexpr absl::string_view kCaPemFlag = "docker-tls-ca-cert-pem";
constexpr absl::string_view kCertPemFlag = "docker-tls-cert-pem";
constexpr absl::string_view kKeyPemFlag = "docker-tls-key-pem";
constexpr absl::string_view kVolumeFlag = "docker-volume";
constexpr absl::string_view kIpFlag = "docker-ip";
constexpr absl::string_view kLabelFlag = "docker-label";
constexpr absl::string_view kEnginePortFlag = "docker-engine-port";

constexpr int64_t kDefaultEnginePort = 2376;
// The engine itself refuses less.
constexpr int64_t kLeastMemoryMib = 6;
constexpr int64_t kMaxMib = int64_t{1} << 30;
constexpr int64_t kNanosPerCpu = 1'000'000'000;
constexpr double kMaxCpus = 10'000;

absl::StatusOr<int64_t> ReadCpus(absl::string_view text) {
  if (text.empty() || text == "0") return 0;
  double cpus = 0;
  // Written so that it refuses what is not a number at all, too.
  if (!absl::SimpleAtod(text, &cpus) || !(cpus >= 0.01 && cpus <= kMaxCpus)) {
    return BadOption(kCpusFlag,
                     absl::StrCat("\"", text, "\" is not a number from 0.01, such as 1.5"));
  }
  return std::llround(cpus * kNanosPerCpu);
}

absl::Status CheckVolume(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ':');
  const bool well_formed = (parts.size() == 2 || parts.size() == 3) && !parts[0].empty() &&
                           absl::StartsWith(parts[1], "/") && parts[1] != "/";
  if (!well_formed || (parts.size() == 3 && parts[2] != "ro" && parts[2] != "rw")) {
    return BadOption(kVolumeFlag,
                     absl::StrCat("\"", text, "\" is not source:/target or source:/target:ro"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::pair<std::string, std::string>> ReadLabel(absl::string_view text) {
  const std::pair<std::string, std::string> label = absl::StrSplit(text, absl::MaxSplits('=', 1));
  if (label.first.empty()) {
    return BadOption(kLabelFlag, absl::StrCat("\"", text, "\" is not key=value"));
  }
  if (absl::StartsWith(label.first, kLabelPrefix)) {
    return BadOption(kLabelFlag, absl::StrCat(kLabelPrefix, "… is for the driver's own labels"));
  }
  return label;
}

}  // namespace

Flags DockerFlags() {
  return Flags()
      .String(kEndpointFlag)
      .Usage(
          "Docker Engine to run machines on: unix:///path or tcp://host:port (default: the "
          "orchestrator's DOCKER_HOST where that is a Unix socket, else "
          "unix:///var/run/docker.sock)")
      .Env("MACHINE_DOCKER_ENDPOINT")
      .String(kCaFlag)
      .Usage("File with the CA certificate of the engine at a tcp:// endpoint")
      .Env("MACHINE_DOCKER_TLS_CA_CERT")
      .ContentTo(kCaPemFlag)
      .String(kCertFlag)
      .Usage("File with the client certificate for the engine")
      .Env("MACHINE_DOCKER_TLS_CERT")
      .ContentTo(kCertPemFlag)
      .String(kKeyFlag)
      .Usage("File with the client key for the engine")
      .Env("MACHINE_DOCKER_TLS_KEY")
      .ContentTo(kKeyPemFlag)
      .String(kCaPemFlag)
      .Usage("CA certificate of the engine as PEM text")
      .String(kCertPemFlag)
      .Usage("Client certificate for the engine as PEM text")
      .String(kKeyPemFlag)
      .Usage("Client key for the engine as PEM text")
      .Secret()
      .String(kImageFlag)
      .Usage("Image of the machine, as deploy/hostimage/build.sh makes it")
      .Env("MACHINE_DOCKER_IMAGE")
      .Default("machine-host:bookworm")
      .Int(kMemoryFlag)
      .Usage("Memory limit of the machine (0: none)")
      .Env("MACHINE_DOCKER_MEMORY")
      .Unit("MiB")
      .Default(int64_t{0})
      .Range(0, kMaxMib)
      .String(kCpusFlag)
      .Usage("CPU limit of the machine, such as 1.5 (0: none)")
      .Env("MACHINE_DOCKER_CPUS")
      .Default("0")
      .Int(kDiskFlag)
      .Usage(
          "Size limit of the machine's /var/lib/docker (0: none); only where the engine keeps "
          "its volumes on XFS with project quotas")
      .Env("MACHINE_DOCKER_DISK")
      .Unit("MiB")
      .Default(int64_t{0})
      .Range(0, kMaxMib)
      .StringList(kVolumeFlag)
      .Usage("Mount source:/target[:ro] of the engine's host or a volume into the machine")
      .Env("MACHINE_DOCKER_VOLUME")
      .String(kNetworkFlag)
      .Usage("Network of the engine for the machine")
      .Env("MACHINE_DOCKER_NETWORK")
      .Default("bridge")
      .String(kIpFlag)
      .Usage("Fixed address of the machine in a network that you made")
      .Env("MACHINE_DOCKER_IP")
      .StringList(kLabelFlag)
      .Usage("Label key=value for the machine's container")
      .Env("MACHINE_DOCKER_LABEL")
      .Int(kEnginePortFlag)
      .Usage("Port of the machine's own engine; at a tcp:// endpoint a free one is taken instead")
      .Env("MACHINE_DOCKER_ENGINE_PORT")
      .Default(kDefaultEnginePort)
      .Range(1, 65535)
      .String(kSshUserFlag)
      .Usage("User of the image to log in as: root, or one with sudo and no password")
      .Env("MACHINE_DOCKER_SSH_USER")
      .Default("root");
}

absl::StatusOr<Endpoint> ReadEndpoint(const Options& options, absl::string_view default_endpoint) {
  const std::string& given = options.GetString(kEndpointFlag);
  const absl::string_view text = given.empty() ? default_endpoint : given;
  absl::StatusOr<Endpoint> endpoint = ParseEndpoint(text);
  if (!endpoint.ok()) return BadOption(kEndpointFlag, endpoint.status().message());
  const std::string& ca = options.GetString(kCaPemFlag);
  const std::string& cert = options.GetString(kCertPemFlag);
  const std::string& key = options.GetSecret(kKeyPemFlag);
  if (endpoint->local()) {
    if (!ca.empty() || !cert.empty() || !key.empty()) {
      return BadOption(kCaFlag, "only a tcp:// endpoint uses TLS");
    }
    return endpoint;
  }
  if (cert.empty() != key.empty()) {
    return BadOption(cert.empty() ? kCertFlag : kKeyFlag,
                     "certificate and key are given both or not at all");
  }
  if (ca.empty() && (!cert.empty() || !IsLoopback(endpoint->host))) {
    return BadOption(kCaFlag, absl::StrCat("is needed for ", endpoint->ToString(),
                                           ": an engine that others reach must be proven by TLS"));
  }
  endpoint->ca_pem = ca;
  endpoint->cert_pem = cert;
  endpoint->key_pem = key;
  return endpoint;
}

absl::StatusOr<Settings> ReadSettings(const Options& options, absl::string_view default_endpoint) {
  Settings settings;
  DM_ASSIGN_OR_RETURN(settings.endpoint, ReadEndpoint(options, default_endpoint));
  settings.image = options.GetString(kImageFlag);
  settings.memory_mib = options.GetInt(kMemoryFlag);
  if (settings.memory_mib > 0 && settings.memory_mib < kLeastMemoryMib) {
    return BadOption(kMemoryFlag, absl::StrCat("less than ", kLeastMemoryMib, " MiB"));
  }
  DM_ASSIGN_OR_RETURN(settings.nano_cpus, ReadCpus(options.GetString(kCpusFlag)));
  settings.disk_mib = options.GetInt(kDiskFlag);
  settings.volumes = options.GetList(kVolumeFlag);
  for (const std::string& volume : settings.volumes) DM_RETURN_IF_ERROR(CheckVolume(volume));
  settings.network = options.GetString(kNetworkFlag);
  if (settings.network == "host" || settings.network == "none" ||
      absl::StartsWith(settings.network, "container:")) {
    return BadOption(kNetworkFlag, absl::StrCat("\"", settings.network,
                                                "\" gives the machine no address of its own"));
  }
  settings.ip = options.GetString(kIpFlag);
  if (!settings.ip.empty() && settings.network == "bridge") {
    return BadOption(kIpFlag,
                     "the default network has no fixed addresses: give another one with "
                     "--docker-network");
  }
  for (const std::string& text : options.GetList(kLabelFlag)) {
    DM_ASSIGN_OR_RETURN(settings.labels.emplace_back(), ReadLabel(text));
  }
  settings.engine_port = static_cast<int>(options.GetInt(kEnginePortFlag));
  settings.ssh_user = options.GetString(kSshUserFlag);
  return settings;
}

}  // namespace machine::driver::docker
