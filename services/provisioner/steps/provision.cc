#include "services/provisioner/steps/provision.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/common/status/status.h"
#include "services/provisioner/detect/facts.h"
#include "services/provisioner/distro/distro.h"
#include "services/provisioner/host/shell_text.h"
#include "services/provisioner/steps/apply.h"
#include "services/provisioner/steps/boot2docker.h"
#include "services/provisioner/steps/daemon_json.h"
#include "services/provisioner/steps/drop_in.h"
#include "services/provisioner/steps/engine_settings.h"
#include "services/provisioner/steps/install.h"
#include "services/provisioner/steps/swarm.h"

namespace machine::provisioner {
namespace {

using ::machine::common::CallScope;
using ::machine::common::Error;
using ::machine::common::InvalidField;
using ::provisioner::v1::HostInfo;
using ::provisioner::v1::ProvisionRequest;

// systemd says that the engine is ready; what remains is the way to it.
constexpr absl::Duration kCheckTimeout = absl::Seconds(30);

absl::Status CheckHostName(absl::string_view name) {
  const bool good = name.size() <= 64 && std::all_of(name.begin(), name.end(), [](unsigned char c) {
                      return absl::ascii_isalnum(c) || c == '-' || c == '.';
                    });
  if (good) return absl::OkStatus();
  return InvalidField("host_name", "a host name is at most 64 of the characters 0-9a-zA-Z . -");
}

absl::Status CheckRequest(const ProvisionRequest& request) {
  DM_RETURN_IF_ERROR(CheckHostName(request.host_name()));
  const auto& tls = request.tls();
  if (tls.ca_pem().empty() || tls.server_cert_pem().empty() || tls.server_key_pem().empty() ||
      tls.client_cert_pem().empty() || tls.client_key_pem().empty()) {
    return InvalidField("tls",
                        "the CA, and certificate and key of server and client, are required");
  }
  const std::string& url = request.engine().install_url();
  if (!url.empty() && !absl::StartsWith(url, "https://") && !absl::StartsWith(url, "http://")) {
    return InvalidField("engine.install_url",
                        "the install script must be an http:// or https:// URL");
  }
  if (std::any_of(url.begin(), url.end(), [](unsigned char c) { return c <= ' ' || c == 0x7F; })) {
    return InvalidField("engine.install_url",
                        "the URL of the install script holds a blank or control character");
  }
  return CheckSwarmOptions(request.swarm());
}

HostInfo DescribeHost(const Facts& facts, const Distro& distro, const RemoteHost& host) {
  HostInfo info;
  info.set_os_id(facts.os_id);
  info.set_os_version(facts.os_version);
  info.set_os_name(facts.os_name);
  info.set_architecture(facts.architecture);
  info.set_docker_version(facts.docker_version);
  info.set_host_key_sha256(host.host_key_sha256());
  info.set_commands_run(host.commands_run());
  info.set_provisioner(std::string(distro.name));
  return info;
}

std::string EngineUrl(const ProvisionRequest& request) {
  const std::string& name =
      request.engine_host().empty() ? request.target().host() : request.engine_host();
  const bool is_ipv6 = absl::StrContains(name, ':');
  return absl::StrCat("tcp://", is_ipv6 ? "[" : "", name, is_ipv6 ? "]:" : ":",
                      EnginePort(request));
}

// One call of Provision, Upgrade or ConfigureTls.
class Provisioning {
 public:
  Provisioning(CallScope& call, RemoteHost& host, const EngineProbe& probe,
               const ProvisionRequest& request, Purpose purpose)
      : call_(call), host_(host), probe_(probe), request_(request), purpose_(purpose) {}

  absl::StatusOr<HostInfo> Run() {
    DM_RETURN_IF_ERROR(CheckRequest(request_));
    DM_ASSIGN_OR_RETURN(settings_, ReadEngineSettings(request_));
    DM_ASSIGN_OR_RETURN(facts_, DetectFacts(call_, host_));
    DM_ASSIGN_OR_RETURN(const Distro distro, FindDistro(facts_));
    init_ = distro.init;
    DM_RETURN_IF_ERROR(CheckRootAccess(facts_));
    if (purpose_ != Purpose::kConfigureTls) {
      // Nothing is installed beside a file that is not to be touched.
      DM_RETURN_IF_ERROR(
          MergeDaemonJson(facts_.daemon_json, settings_, daemon_json_path()).status());
    }
    if (purpose_ != Purpose::kConfigureTls) {
      call_.Progress(absl::StrCat("Provisioning with ", distro.name, "..."));
    }
    DM_RETURN_IF_ERROR(PrepareEngine(distro));
    DM_RETURN_IF_ERROR(Configure());
    DM_ASSIGN_OR_RETURN(const EngineVersion version, Check());
    DM_RETURN_IF_ERROR(RunSwarm());
    HostInfo info = DescribeHost(facts_, distro, host_);
    info.set_docker_version(version.version);
    info.set_docker_api_version(version.api_version);
    info.set_changed(changed_);
    info.set_engine_installed(installed_);
    return info;
  }

 private:
  // Afterwards there is an engine, of the version that is wanted.
  absl::Status PrepareEngine(const Distro& distro) {
    const InstallOptions options{request_.engine().install_url(), ProxyVariables(settings_.env)};
    if (distro.package_manager.empty()) return CheckBuiltInEngine(distro);
    if (facts_.engine_installed()) {
      if (purpose_ != Purpose::kUpgrade) return absl::OkStatus();
      call_.Progress("Upgrading docker...");
      DM_ASSIGN_OR_RETURN(changed_, UpgradeEngine(call_, host_, distro, options, facts_));
      return absl::OkStatus();
    }
    if (purpose_ == Purpose::kConfigureTls) {
      return Error(
          absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_HOST_COMMAND_FAILED,
          "the host has no engine to configure; provision it first", {{"step", "configure"}});
    }
    call_.Progress("Installing Docker...");
    DM_RETURN_IF_ERROR(InstallEngine(call_, host_, distro, options, facts_));
    changed_ = true;
    installed_ = true;
    return absl::OkStatus();
  }

  // An engine that comes with its system, and goes with it.
  absl::Status CheckBuiltInEngine(const Distro& distro) {
    std::string problem;
    if (!facts_.engine_installed()) {
      problem = "the host has no engine, and none can be installed on it";
    } else if (purpose_ == Purpose::kUpgrade) {
      problem = absl::StrCat("the engine of a ", distro.name,
                             " host cannot be upgraded: it is part of a system that is no longer "
                             "made; create a new machine instead");
    } else if (!request_.engine().install_url().empty() && purpose_ == Purpose::kProvision) {
      call_.Warning(absl::StrCat("--engine-install-url is not used on a ", distro.name,
                                 " host, which has its engine built in"));
    }
    if (problem.empty()) return absl::OkStatus();
    return Error(absl::StatusCode::kFailedPrecondition,
                 machine::v1::ERROR_REASON_HOST_COMMAND_FAILED, problem, {{"step", "upgrade"}});
  }

  bool boot2docker() const { return init_ == Init::kBoot2docker; }

  absl::string_view daemon_json_path() const {
    return boot2docker() ? kBoot2dockerDaemonJsonPath : kDaemonJsonPath;
  }

  // Others may keep what is secret in it.
  int daemon_json_mode() const {
    const auto old = facts_.files.find(std::string(daemon_json_path()));
    return old == facts_.files.end() ? 0644 : old->second.mode;
  }

  bool EngineRuns() const {
    if (boot2docker()) return facts_.engine_alive;
    return facts_.docker_service.active_state == "active" &&
           !facts_.docker_service.need_daemon_reload;
  }

  absl::Status Configure() {
    Changes changes;
    AddCertificates(changes);
    certificates_changed_ = !changes.certificates.empty();
    std::optional<std::string> daemon_json = facts_.daemon_json;
    if (purpose_ != Purpose::kConfigureTls) {
      DM_RETURN_IF_ERROR(AddConfiguration(changes, daemon_json));
    }
    changes.enable = !boot2docker() && facts_.docker_service.unit_file_state != "enabled";
    changes.restart = !changes.certificates.empty() || !changes.configuration.empty() ||
                      facts_.pending || !EngineRuns();
    if (changes.empty()) return absl::OkStatus();
    if (changes.restart && facts_.running_containers > 0 && !LiveRestoreIn(facts_.daemon_json)) {
      const std::string warning = absl::StrCat("the engine is restarted, and with it its ",
                                               facts_.running_containers, " running containers");
      // Where daemon.json is broken there is no way to keep them.
      if (!KeepContainers(changes, daemon_json, warning).ok()) call_.Warning(warning);
    }
    changed_ = true;
    return ApplyChanges(call_, host_, facts_, init_, changes);
  }

  absl::Status KeepContainers(Changes& changes, const std::optional<std::string>& daemon_json,
                              const std::string& warning) {
    const absl::string_view path = daemon_json_path();
    KeptContainers keep;
    keep.path = std::string(path);
    keep.mode = daemon_json_mode();
    DM_ASSIGN_OR_RETURN(keep.before, WithLiveRestore(facts_.daemon_json, true, path));
    DM_ASSIGN_OR_RETURN(keep.during, WithLiveRestore(daemon_json, true, path));
    if (!LiveRestoreIn(daemon_json)) {
      DM_ASSIGN_OR_RETURN(keep.released, WithLiveRestore(daemon_json, false, path));
    }
    keep.after = daemon_json;
    keep.warning = warning;
    changes.keep = std::move(keep);
    return absl::OkStatus();
  }

  void AddCertificates(Changes& changes) {
    const auto& tls = request_.tls();
    const auto add = [&](absl::string_view path, int mode, const std::string& contents) {
      WantedFile file{std::string(path), mode, contents};
      if (!SameFile(facts_, file)) changes.certificates.push_back(std::move(file));
    };
    add(boot2docker() ? kBoot2dockerCaPath : kCaPath, 0644, tls.ca_pem());
    add(boot2docker() ? kBoot2dockerServerCertPath : kServerCertPath, 0644, tls.server_cert_pem());
    add(boot2docker() ? kBoot2dockerServerKeyPath : kServerKeyPath, 0600, tls.server_key_pem());
  }

  // `json` becomes the text of daemon.json as it is to be.
  absl::Status AddConfiguration(Changes& changes, std::optional<std::string>& json) {
    DM_RETURN_IF_ERROR(CheckStorageDriverChange());
    WantedFile starter{std::string(boot2docker() ? kBoot2dockerProfilePath : kDropInPath), 0644,
                       ""};
    if (boot2docker()) {
      DM_ASSIGN_OR_RETURN(starter.contents, RenderBoot2dockerProfile(settings_));
    }
    DM_ASSIGN_OR_RETURN(const MergedDaemonJson daemon_json,
                        MergeDaemonJson(facts_.daemon_json, settings_, daemon_json_path()));
    for (const std::string& warning : daemon_json.warnings) call_.Warning(warning);
    json = daemon_json.text;
    if (daemon_json.changed) {
      changes.configuration.push_back(
          {std::string(daemon_json_path()), daemon_json_mode(), daemon_json.text});
    }
    if (!boot2docker()) {
      DM_ASSIGN_OR_RETURN(starter.contents,
                          RenderDropIn(facts_, settings_, daemon_json.lists_hosts));
    }
    if (!SameFile(facts_, starter)) changes.configuration.push_back(std::move(starter));
    changes.flags = settings_.flags;
    if (boot2docker()) {
      changes.flags.push_back(absl::StrCat("--config-file=", kBoot2dockerDaemonJsonPath));
    }
    if (!daemon_json.lists_hosts) changes.expected_argument = settings_.hosts[0];
    if (request_.host_name() != facts_.hostname) changes.host_name = request_.host_name();
    return absl::OkStatus();
  }

  // Another storage driver hides every image and container that the host has.
  absl::Status CheckStorageDriverChange() {
    const auto wanted = std::find_if(settings_.daemon_json.begin(), settings_.daemon_json.end(),
                                     [](const auto& s) { return s.key == "storage-driver"; });
    if (wanted == settings_.daemon_json.end()) return absl::OkStatus();
    const auto& name = std::get<std::string>(wanted->value);
    if (facts_.storage_with_data.empty() || facts_.storage_with_data.count(name) > 0 ||
        name == StorageDriverIn(facts_.daemon_json)) {
      return absl::OkStatus();
    }
    return Error(
        absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_HOST_COMMAND_FAILED,
        absl::StrCat("the host has images of storage driver ",
                     absl::StrJoin(facts_.storage_with_data, ", "), "; changing it to ", name,
                     " would hide them: leave the storage driver out, or remove "
                     "/var/lib/docker on the host first"),
        {{"step", "configure"}, {"storage_driver", name}});
  }

  EngineTls ClientTls() const {
    const auto& material = request_.tls();
    return {material.ca_pem(), material.client_cert_pem(), material.client_key_pem()};
  }

  // The engine's own swarm is not the provisioning's affair: see ConfigureSwarm().
  absl::Status RunSwarm() {
    const machine::v1::SwarmOptions& swarm = request_.swarm();
    if (!swarm.is_swarm() || swarm.engine_mode()) return absl::OkStatus();
    const absl::string_view ca = boot2docker() ? kBoot2dockerCaPath : kCaPath;
    return RunStandaloneSwarm(call_, probe_, {EngineUrl(request_), ClientTls()}, swarm,
                              ca.substr(0, ca.rfind('/')), certificates_changed_);
  }

  absl::StatusOr<EngineVersion> Check() {
    absl::StatusOr<EngineVersion> version =
        CheckEngine(call_, probe_, EngineUrl(request_), ClientTls(), kCheckTimeout);
    if (version.ok() || !absl::IsFailedPrecondition(version.status())) return version;
    return WithEngineLog(version.status());
  }

  // The engine's own words often name the cause; when they cannot be had, the first error stands.
  absl::Status WithEngineLog(const absl::Status& status) {
    HostScript script;
    script.run_as = AsRoot(facts_);
    script.text =
        boot2docker()
            ? "tail -n 20 /var/lib/boot2docker/docker.log || tail -n 20 /var/log/docker.log"
            : "journalctl -u docker.service -n 20 --no-pager -o cat 2>&1";
    const auto result = host_.Run(call_, script);
    if (!result.ok()) return status;
    const std::string words =
        PrintableText(absl::StripAsciiWhitespace(result->stdout_data), /*max_bytes=*/3000);
    if (words.empty()) return status;
    return Error(status.code(), machine::v1::ERROR_REASON_ENGINE_UNREACHABLE,
                 absl::StrCat(status.message(), "\nthe last lines of the engine's log:\n", words));
  }

  CallScope& call_;
  RemoteHost& host_;
  const EngineProbe& probe_;
  const ProvisionRequest& request_;
  const Purpose purpose_;
  EngineSettings settings_;
  Facts facts_;
  Init init_ = Init::kSystemd;
  bool changed_ = false;
  bool certificates_changed_ = false;
  bool installed_ = false;
};

}  // namespace

absl::StatusOr<HostInfo> Detect(CallScope& call, RemoteHost& host) {
  DM_ASSIGN_OR_RETURN(const Facts facts, DetectFacts(call, host));
  DM_ASSIGN_OR_RETURN(const Distro distro, FindDistro(facts));
  return DescribeHost(facts, distro, host);
}

absl::StatusOr<HostInfo> Provision(CallScope& call, RemoteHost& host, const EngineProbe& probe,
                                   const ProvisionRequest& request, Purpose purpose) {
  return Provisioning(call, host, probe, request, purpose).Run();
}

}  // namespace machine::provisioner
