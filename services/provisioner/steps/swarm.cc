#include "services/provisioner/steps/swarm.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/common/crypto/digest.h"
#include "services/common/status/status.h"
#include "services/provisioner/steps/engine_api.h"

namespace machine::provisioner {
namespace {

using Json = nlohmann::json;
using ::provisioner::v1::ConfigureSwarmRequest;
using ::provisioner::v1::ConfigureSwarmResponse;

constexpr char kMasterName[] = "swarm-agent-master";
constexpr char kAgentName[] = "swarm-agent";
constexpr char kConfigLabel[] = "org.docker-machine.swarm.config";
constexpr char kMasterPort[] = "3376";
constexpr char kManagerPort[] = "2377";

std::string PortOf(absl::string_view address) {
  const size_t colon = address.rfind(':');
  return colon == absl::string_view::npos ? "" : std::string(address.substr(colon + 1));
}

// "192.0.2.7" of "tcp://192.0.2.7:2376".
std::string HostOf(absl::string_view url) {
  absl::ConsumePrefix(&url, "tcp://");
  return std::string(url.substr(0, url.rfind(':')));
}

// Nobody can register with these: they are lists.
bool IsStatic(absl::string_view discovery) {
  return absl::StartsWith(discovery, "file://") || absl::StartsWith(discovery, "nodes://");
}

// The command of the master, in the order that the original gives it.
std::vector<std::string> MasterCommand(const machine::v1::SwarmOptions& swarm,
                                       absl::string_view docker_url,
                                       absl::string_view certificates) {
  std::vector<std::string> command;
  if (swarm.experimental()) command.emplace_back("--experimental");
  const std::string port = PortOf(swarm.host());
  const std::vector<std::string> fixed = {
      "manage",
      "--tlsverify",
      absl::StrCat("--tlscacert=", certificates, "/ca.pem"),
      absl::StrCat("--tlscert=", certificates, "/server.pem"),
      absl::StrCat("--tlskey=", certificates, "/server-key.pem"),
      "-H",
      swarm.host().empty() ? absl::StrCat("tcp://0.0.0.0:", kMasterPort) : swarm.host(),
      "--strategy",
      swarm.strategy().empty() ? "spread" : swarm.strategy(),
      "--advertise",
      absl::StrCat(HostOf(docker_url), ":", port.empty() ? kMasterPort : port)};
  command.insert(command.end(), fixed.begin(), fixed.end());
  for (const std::string& flag : swarm.arbitrary_flags()) {
    command.push_back(absl::StrCat("--", flag));
  }
  command.push_back(swarm.discovery());
  return command;
}

std::vector<std::string> AgentCommand(const machine::v1::SwarmOptions& swarm,
                                      absl::string_view docker_url) {
  std::string address = swarm.address();
  if (address.empty()) address = HostOf(docker_url);
  // An address with a port, or an IPv6 address without one, stays as it is.
  if (!absl::StrContains(address, ':')) absl::StrAppend(&address, ":", PortOf(docker_url));
  std::vector<std::string> command;
  if (swarm.experimental()) command.emplace_back("--experimental");
  command.insert(command.end(), {"join", "--advertise", address});
  for (const std::string& flag : swarm.join_flags()) command.push_back(absl::StrCat("--", flag));
  command.push_back(swarm.discovery());
  return command;
}

class Standalone {
 public:
  Standalone(common::CallScope& call, EngineApi& api, std::string image)
      : call_(call), api_(api), image_(std::move(image)) {}

  // Afterwards a container of this name runs, as `config` wants it.
  absl::Status Ensure(absl::string_view name, Json config, bool restart) {
    config["Image"] = image_;
    const std::string hash = common::Sha256Hex(config.dump());
    config["Labels"] = {{kConfigLabel, hash}};
    const std::string path = absl::StrCat("/containers/", name);
    absl::StatusOr<Json> there = api_.Get(path + "/json", absl::StrCat("looking for ", name));
    if (!there.ok() && !absl::IsNotFound(there.status())) return there.status();
    if (there.ok() && LabelOf(*there) != hash) {
      DM_RETURN_IF_ERROR(api_.Delete(path + "?force=true", absl::StrCat("removing ", name)));
    } else if (there.ok()) {
      return api_
          .Post(path + (restart ? "/restart" : "/start"), nullptr, absl::StrCat("starting ", name))
          .status();
    }
    DM_RETURN_IF_ERROR(EnsureImage());
    const std::string doing = absl::StrCat("creating ", name);
    DM_RETURN_IF_ERROR(
        api_.Post(absl::StrCat("/containers/create?name=", name), config, doing).status());
    return api_.Post(path + "/start", nullptr, absl::StrCat("starting ", name)).status();
  }

 private:
  static std::string LabelOf(const Json& container) {
    const Json::json_pointer label(absl::StrCat("/Config/Labels/", kConfigLabel));
    return container.contains(label) && container[label].is_string()
               ? container[label].get<std::string>()
               : "";
  }

  absl::Status EnsureImage() {
    const absl::Status there = api_.Get(absl::StrCat("/images/", image_, "/json"), image_).status();
    if (!absl::IsNotFound(there)) return there;
    call_.Progress(absl::StrCat("Pulling ", image_, "..."));
    const size_t name = image_.rfind('/') == std::string::npos ? 0 : image_.rfind('/');
    // Without a tag, all of them would be pulled.
    return api_.Pull(image_.find(':', name) == std::string::npos ? image_ + ":latest" : image_);
  }

  common::CallScope& call_;
  EngineApi& api_;
  const std::string image_;
};

bool KnowsManager(const Json& info, absl::string_view manager) {
  const Json::json_pointer place("/Swarm/RemoteManagers");
  if (!info.contains(place) || !info[place].is_array()) return false;
  return std::any_of(info[place].begin(), info[place].end(),
                     [&](const Json& remote) { return TextAt(remote, "/Addr") == manager; });
}

absl::Status BeginOrJoin(EngineApi& api, const ConfigureSwarmRequest& request, const Json& info) {
  const bool joins = !request.manager_address().empty();
  if (TextAt(info, "/Swarm/LocalNodeState") == "active") {
    if (joins ? KnowsManager(info, request.manager_address()) : ManagesSwarm(info)) {
      return absl::OkStatus();
    }
    return SwarmError(
        "the engine is a member of another swarm; run 'docker swarm leave' on it first");
  }
  Json body = {{"ListenAddr", absl::StrCat("0.0.0.0:", kManagerPort)},
               {"AdvertiseAddr", request.advertise_address()}};
  if (!joins) return api.Post("/swarm/init", body, "beginning a swarm").status();
  body["RemoteAddrs"] = Json::array({request.manager_address()});
  body["JoinToken"] = request.join_token();
  return api
      .Post("/swarm/join", body, absl::StrCat("joining the swarm of ", request.manager_address()))
      .status();
}

}  // namespace

absl::Status CheckSwarmOptions(const machine::v1::SwarmOptions& swarm) {
  if (!swarm.is_swarm() || !absl::StartsWith(swarm.discovery(), "token://")) {
    return absl::OkStatus();
  }
  return common::Error(absl::StatusCode::kFailedPrecondition,
                       machine::v1::ERROR_REASON_PRECREATE_CHECK_FAILED,
                       "swarm discovery by token:// needs a hosted service that no longer exists; "
                       "use consul://, file:// or nodes://, or the engine's own swarm with "
                       "--swarm-mode",
                       {{"discovery", "token"}});
}

absl::Status RunStandaloneSwarm(common::CallScope& call, const EngineProbe& probe,
                                const EngineAccess& engine, const machine::v1::SwarmOptions& swarm,
                                absl::string_view certificates, bool certificates_changed) {
  if (swarm.image().empty() || swarm.discovery().empty()) {
    call.Warning(
        "no swarm containers are started: that needs --swarm-image and --swarm-discovery (for the "
        "engine's own swarm, use --swarm-mode)");
    return absl::OkStatus();
  }
  call.Progress("Configuring swarm...");
  EngineApi api(call, probe, engine);
  Standalone containers(call, api, swarm.image());
  const Json always = {{"Name", "always"}};
  if (swarm.master()) {
    std::string port = PortOf(swarm.host());
    if (port.empty()) port = kMasterPort;
    const std::string exposed = absl::StrCat(port, "/tcp");
    const Json binding = {{"HostIp", "0.0.0.0"}, {"HostPort", port}};
    const Json config = {
        {"Cmd", MasterCommand(swarm, engine.docker_url, certificates)},
        {"ExposedPorts", {{exposed, Json::object()}}},
        {"HostConfig",
         {{"RestartPolicy", always},
          {"Binds", Json::array({absl::StrCat(certificates, ":", certificates, ":ro")})},
          {"PortBindings", {{exposed, Json::array({binding})}}}}}};
    DM_RETURN_IF_ERROR(containers.Ensure(kMasterName, config, certificates_changed));
  }
  if (IsStatic(swarm.discovery())) return absl::OkStatus();
  return containers.Ensure(kAgentName,
                           {{"Cmd", AgentCommand(swarm, engine.docker_url)},
                            {"HostConfig", {{"RestartPolicy", always}}}},
                           /*restart=*/false);
}

absl::StatusOr<ConfigureSwarmResponse> ConfigureSwarm(common::CallScope& call,
                                                      const EngineProbe& probe,
                                                      const ConfigureSwarmRequest& request) {
  const EngineAccess engine{
      request.docker_url(),
      {request.tls().ca_pem(), request.tls().client_cert_pem(), request.tls().client_key_pem()}};
  EngineApi api(call, probe, engine);
  DM_ASSIGN_OR_RETURN(Json info, api.Get("/info", "asking the engine"));
  DM_RETURN_IF_ERROR(BeginOrJoin(api, request, info));
  DM_ASSIGN_OR_RETURN(info, api.Get("/info", "asking the engine"));
  ConfigureSwarmResponse response;
  response.set_node_id(TextAt(info, "/Swarm/NodeID"));
  if (!ManagesSwarm(info)) return response;
  DM_ASSIGN_OR_RETURN(const Json swarm, api.Get("/swarm", "asking for the swarm"));
  response.set_swarm_id(TextAt(swarm, "/ID"));
  response.set_manager_address(absl::StrCat(TextAt(info, "/Swarm/NodeAddr"), ":", kManagerPort));
  response.set_worker_join_token(TextAt(swarm, "/JoinTokens/Worker"));
  response.set_manager_join_token(TextAt(swarm, "/JoinTokens/Manager"));
  return response;
}

}  // namespace machine::provisioner
