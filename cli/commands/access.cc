#include "cli/commands/access.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cli/args/flags.h"
#include "cli/commands/dial.h"
#include "cli/commands/engine_check.h"
#include "cli/commands/errors.h"
#include "cli/commands/machines.h"
#include "cli/commands/tunnel.h"
#include "services/common/file/file.h"
#include "services/common/legacy/machine_config.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using machine::v1::Machines;

// A silent engine keeps a script this long, for each step of the handshake.
constexpr absl::Duration kEngineTimeout = absl::Seconds(5);
constexpr char kSwarmNotStarted[] =
    "Connection to Swarm cannot be checked but the certs are valid. Maybe swarm is not started";

struct HostPort {
  std::string host;
  std::string port;
};

// "tcp://[2001:db8::1]:2376" as host and port.
HostPort SplitUrl(absl::string_view url) {
  absl::ConsumePrefix(&url, "tcp://");
  const size_t colon = url.rfind(':');
  absl::string_view host = url.substr(0, colon);
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  return {std::string(host),
          colon == absl::string_view::npos ? "" : std::string(url.substr(colon + 1))};
}

// A shared orchestrator has no folder here, so this makes one.
absl::StatusOr<std::string> WriteBundle(const std::string& storage_path, absl::string_view machine,
                                        const machine::v1::AccessBundle& bundle) {
  std::string folder = common::MachineFolder(storage_path, machine);
  DM_RETURN_IF_ERROR(common::EnsureDir(storage_path, 0700));
  DM_RETURN_IF_ERROR(common::EnsureDir(storage_path + "/machines", 0700));
  DM_RETURN_IF_ERROR(common::EnsurePrivateDir(folder));
  DM_RETURN_IF_ERROR(common::WriteFileAtomically(folder + "/ca.pem", bundle.ca_pem(), 0600));
  DM_RETURN_IF_ERROR(
      common::WriteFileAtomically(folder + "/cert.pem", bundle.client_cert_pem(), 0600));
  DM_RETURN_IF_ERROR(
      common::WriteFileAtomically(folder + "/key.pem", bundle.client_key_pem(), 0600));
  return folder;
}

absl::StatusOr<std::string> UrlOfSwarm(CommandContext& context, absl::string_view name) {
  DM_ASSIGN_OR_RETURN(const machine::v1::Machine machine,
                      GetMachine(context, name, {.fields = {"endpoint", "swarm"}}));
  std::string url = SwarmMasterUrl(machine);
  if (url.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(GoQuote(name),
                     " is not a swarm master. The --swarm flag is intended for use "
                     "with swarm masters"));
  }
  return url;
}

// Whether an engine without TLS lets clients in, or one with TLS answers them. A swarm's manager
// has the certificate of its engine.
absl::Status Check(const Access& access, absl::string_view url) {
  const HostPort target = SplitUrl(url);
  if (access.plaintext) return TryConnect(target.host, target.port);
  return CheckEngine({target.host, target.port, access.cert_path}, kEngineTimeout);
}

// `url` where clients get an answer there, else that of a tunnel through a shared orchestrator.
absl::StatusOr<std::string> Reach(CommandContext& context, absl::string_view machine,
                                  const Access& access, const std::string& url) {
  const absl::Status reached = Check(access, url);
  if (reached.ok()) return url;
  // Certificates are as bad by any way.
  if (!absl::IsUnavailable(reached)) return reached;
  // A private orchestrator has the same way to the machine as this process.
  int port = 0;
  if (context.orchestrator.is_private() || !absl::SimpleAtoi(SplitUrl(url).port, &port)) {
    return reached;
  }
  DM_ASSIGN_OR_RETURN(const std::string local,
                      BackgroundTunnel(context, std::string(machine), port));
  // Engines are certified for this name, too.
  std::string tunnel = absl::StrCat("tcp://localhost:", SplitUrl(local).port);
  DM_RETURN_IF_ERROR(Check(access, tunnel));
  return tunnel;
}

}  // namespace

absl::StatusOr<Access> GetAccess(CommandContext& context, absl::string_view machine, bool swarm) {
  // The record must be fresh enough to know a machine that was switched off behind its back.
  DM_ASSIGN_OR_RETURN(const machine::v1::Machine record,
                      GetMachine(context, machine, {.fields = {"state"}, .max_age = kMaxAge}));
  if (IsOff(record.state())) return absl::FailedPreconditionError(kHostNotRunning);
  machine::v1::GetAccessBundleRequest request;
  request.set_name(ResourceName(machine));
  const auto bundle =
      context.orchestrator.Call<Machines>(&Machines::Stub::GetAccessBundle, request);
  if (!bundle.ok()) return UserError(bundle.status(), machine);

  Access access;
  const std::string& engine_url = bundle->endpoint().docker_url();
  access.url = engine_url;
  access.plaintext = bundle->endpoint().docker_plaintext();
  if (!bundle->endpoint().ip_addresses().empty()) access.ip = bundle->endpoint().ip_addresses(0);
  if (swarm) {
    DM_ASSIGN_OR_RETURN(access.url, UrlOfSwarm(context, machine));
  }
  if (!access.plaintext) {
    if (context.orchestrator.is_private() && !bundle->local_folder().empty()) {
      access.cert_path = bundle->local_folder();
    } else {
      DM_ASSIGN_OR_RETURN(access.cert_path, WriteBundle(context.storage_path, machine, *bundle));
    }
  }
  absl::StatusOr<std::string> reached = Reach(context, machine, access, access.url);
  if (!reached.ok()) {
    // Certificates that the engine takes are not to be made anew for a swarm that does not run.
    if (swarm && !access.plaintext && Reach(context, machine, access, engine_url).ok()) {
      return absl::FailedPreconditionError(kSwarmNotStarted);
    }
    return reached.status();
  }
  access.url = *std::move(reached);
  return access;
}

nlohmann::ordered_json AccessData(absl::string_view machine, const Access& access) {
  nlohmann::ordered_json data = {{"name", std::string(machine)},
                                 {"url", access.url},
                                 {"tls", !access.plaintext},
                                 {"ip", access.ip}};
  if (!access.plaintext) data["cert_path"] = access.cert_path;
  return data;
}

}  // namespace machine::cli
