#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "drivers/sdk/cloud/await.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/sdk/openstack/machine_server.h"
#include "services/common/status/status.h"

namespace machine::driver::openstack {
namespace {

constexpr int kSwarmPort = 3376;
constexpr int kMaxAttempts = 3;
// 255 characters are allowed; a host name has 63.
constexpr size_t kMaxNameBytes = 63;

// The key itself, without its comment.
std::string KeyMaterial(absl::string_view public_key) {
  const std::vector<std::string> words = absl::StrSplit(public_key, ' ', absl::SkipEmpty());
  return words.size() < 2
             ? std::string(public_key)
             : std::string(absl::StripAsciiWhitespace(absl::StrCat(words[0], " ", words[1])));
}

}  // namespace

ServerCreator::ServerCreator(DriverCall& call, const CloudClient& cloud, const Timing& timing,
                             const MachineSpec& machine, const Plan& plan)
    : call_(call),
      cloud_(cloud),
      timing_(timing),
      machine_(machine),
      plan_(plan),
      tag_(UidTag(machine.uid)) {}

absl::StatusOr<Observation> ServerCreator::Run() {
  DM_RETURN_IF_ERROR(machine_.ParseState(state_));
  DM_RETURN_IF_ERROR(ChooseOnce());
  call_.Progress("Creating key pair...");
  DM_ASSIGN_OR_RETURN(const std::string key_pair,
                      common::Annotate(EnsureKeyPair(), "creating key pair"));
  std::vector<std::string> ports;
  if (plan_.use_network) {
    call_.Progress("Creating port and security group...");
    DM_ASSIGN_OR_RETURN(const Port port, common::Annotate(EnsurePort(), "creating port"));
    ports.push_back(port.id);
    if (!state_.pool_id().empty()) {
      call_.Progress("Assigning floating IP...");
      DM_RETURN_IF_ERROR(common::Annotate(EnsureFloatingIp(port), "assigning floating IP"));
    }
  }
  DM_ASSIGN_OR_RETURN(const std::string volume,
                      common::Annotate(EnsureVolume(), "creating volume"));
  call_.Progress("Creating server...");
  DM_ASSIGN_OR_RETURN(Server server,
                      common::Annotate(EnsureServer(key_pair, ports, volume), "creating server"));
  state_.set_server_id(server.id);
  call_.Checkpoint(state_);
  call_.Progress("Waiting for the server to run...");
  DM_ASSIGN_OR_RETURN(server, AwaitRunning(server.id));
  DM_RETURN_IF_ERROR(KeepOne().status());
  Observation observation = ObservationOf(server, plan_, state_.floating_ip());
  SetState(state_, observation);
  return observation;
}

absl::Status ServerCreator::ChooseOnce() {
  if (!state_.image_id().empty()) return absl::OkStatus();
  return Choose(call_, cloud_, plan_, state_);
}

absl::StatusOr<std::string> ServerCreator::EnsureKeyPair() {
  if (!plan_.key_pair.empty()) {
    DM_ASSIGN_OR_RETURN(const std::optional<KeyPair> named,
                        FindKeyPair(call_, cloud_, plan_.key_pair));
    if (named.has_value() && !machine_.ssh_public_key.empty() &&
        KeyMaterial(named->public_key) != KeyMaterial(machine_.ssh_public_key)) {
      return PreCreateCheckFailed(
          absl::StrCat("key pair ", plan_.key_pair,
                       " is of another key than the machine's; give its private "
                       "key with --",
                       cloud_.access().flag_prefix, "-private-key-file"));
    }
    return plan_.key_pair;
  }
  if (machine_.ssh_public_key.empty()) return "";
  const auto find = [&] { return FindKeyPair(call_, cloud_, tag_); };
  const auto create = [&] {
    return CreateKeyPair(call_, cloud_, {.name = tag_, .public_key = machine_.ssh_public_key});
  };
  const auto same = [&](const KeyPair& found) {
    return KeyMaterial(found.public_key) == KeyMaterial(machine_.ssh_public_key)
               ? absl::OkStatus()
               : absl::FailedPreconditionError("another key");
  };
  const auto ensure = [&] {
    return CreateOnce<KeyPair>(call_, timing_.settling, /*maybe_made=*/false, find, create, same);
  };
  absl::StatusOr<KeyPair> key = ensure();
  if (absl::IsFailedPrecondition(key.status()) && key.status().message() == "another key") {
    // The machine has got a new key since.
    DM_RETURN_IF_ERROR(DeleteKeyPair(call_, cloud_, tag_));
    key = ensure();
  }
  if (!key.ok()) return key.status();
  return tag_;
}

absl::StatusOr<std::optional<std::vector<std::string>>> ServerCreator::EnsureGroups() {
  if (state_.without_groups()) return std::nullopt;
  DM_ASSIGN_OR_RETURN(std::vector<std::string> ids, NamedGroups(call_, cloud_, plan_));
  if (!plan_.open_cidrs.empty()) {
    DM_ASSIGN_OR_RETURN(std::string own,
                        common::Annotate(EnsureOwnGroup(), "creating security group"));
    ids.push_back(std::move(own));
  }
  // Without any the project's group "default" counts.
  if (ids.empty()) return std::nullopt;
  return ids;
}

absl::StatusOr<std::string> ServerCreator::EnsureOwnGroup() {
  const std::string name = GroupName(plan_);
  const auto find = [&]() -> absl::StatusOr<std::optional<SecurityGroup>> {
    DM_ASSIGN_OR_RETURN(const std::vector<SecurityGroup> groups, ListSecurityGroups(call_, cloud_));
    std::optional<SecurityGroup> first;
    for (const SecurityGroup& group : groups) {
      // Two creates at once may have made two: every one takes the same.
      if (group.name == name && (!first.has_value() || group.id < first->id)) first = group;
    }
    return first;
  };
  const auto create = [&] {
    return CreateSecurityGroup(call_, cloud_, name,
                               "Made by docker-machine; goes with the last machine that uses it");
  };
  DM_ASSIGN_OR_RETURN(
      const SecurityGroup group,
      CreateOnce<SecurityGroup>(call_, timing_.settling, /*maybe_made=*/false, find, create,
                                [](const SecurityGroup&) { return absl::OkStatus(); }));
  for (const int port : {plan_.ssh_port, kEnginePort, kSwarmPort}) {
    for (const std::string& cidr : plan_.open_cidrs) {
      const std::string rule = absl::StrCat(port, " ", cidr);
      if (std::find(group.open.begin(), group.open.end(), rule) != group.open.end()) continue;
      DM_RETURN_IF_ERROR(
          Await<bool>(call_, timing_.poll, [&]() -> absl::StatusOr<std::optional<bool>> {
            DM_RETURN_IF_ERROR(call_.Check());
            DM_RETURN_IF_ERROR(OpenPort(call_, cloud_, group.id, port, cidr));
            return true;
          }).status());
    }
  }
  return group.id;
}

absl::StatusOr<Port> ServerCreator::EnsurePort() {
  const auto find = [&]() -> absl::StatusOr<std::optional<Port>> {
    DM_ASSIGN_OR_RETURN(const std::vector<Port> ports, ListPorts(call_, cloud_, tag_));
    if (ports.empty()) return std::nullopt;
    // The one that is in use; then the same every time.
    return *std::min_element(ports.begin(), ports.end(), [](const Port& a, const Port& b) {
      return std::make_tuple(a.device_id.empty(), a.id) <
             std::make_tuple(b.device_id.empty(), b.id);
    });
  };
  for (int attempt = 1;; ++attempt) {
    const auto create = [&]() -> absl::StatusOr<Port> {
      DM_ASSIGN_OR_RETURN(const auto groups, EnsureGroups());
      return CreatePort(call_, cloud_, tag_, state_.network_id(), groups);
    };
    absl::StatusOr<Port> port =
        CreateOnce<Port>(call_, timing_.settling, /*maybe_made=*/false, find, create,
                         [](const Port&) { return absl::OkStatus(); });
    // The removal of another machine may just have taken the group away.
    if (!absl::IsNotFound(port.status()) || attempt == kMaxAttempts) return port;
  }
}

absl::StatusOr<FloatingIp> ServerCreator::TakeFloatingIp(const Port& port) {
  DM_ASSIGN_OR_RETURN(const std::vector<FloatingIp> ips, ListFloatingIps(call_, cloud_));
  for (const FloatingIp& ip : ips) {
    if (ip.port_id == port.id) return ip;
  }
  DM_RETURN_IF_ERROR(call_.Check());
  for (const FloatingIp& ip : ips) {
    // One that carries a tag of ours is another machine's, which is about to go, or to use it.
    const bool free = ip.port_id.empty() && ip.network_id == state_.pool_id() &&
                      (!UidOfTag(ip.description).has_value() || ip.description == tag_);
    if (!free) continue;
    const absl::Status used = UseFloatingIp(call_, cloud_, ip, port.id);
    if (used.ok()) return ip;
    if (!absl::IsAborted(used) && !absl::IsNotFound(used)) return used;
  }
  return AllocateFloatingIp(call_, cloud_, state_.pool_id(), port.id, tag_);
}

absl::Status ServerCreator::EnsureFloatingIp(const Port& port) {
  absl::StatusOr<FloatingIp> taken;
  for (int attempt = 1; attempt <= kMaxAttempts; ++attempt) {
    taken = TakeFloatingIp(port);
    // After a lost answer the next look finds it, also where the request was sent again meanwhile
    // and the port is said to have one already.
    if (taken.ok() || (!MayHaveHappened(taken.status()) && !absl::IsAborted(taken.status()))) break;
    DM_RETURN_IF_ERROR(call_.Check());
  }
  if (absl::IsNotFound(taken.status())) {
    // ExternalGatewayForFloatingIPNotFound.
    return common::Error(
        absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_HOST_COMMAND_FAILED,
        absl::StrCat(taken.status().message(),
                     "; a floating IP needs a router between the machine's network and that of --",
                     cloud_.access().flag_prefix, "-floatingip-pool"));
  }
  if (!taken.ok()) return taken.status();
  state_.set_floating_ip(taken->ip);
  return absl::OkStatus();
}

absl::StatusOr<std::string> ServerCreator::EnsureVolume() {
  if (state_.volume_gib() == 0) return "";
  call_.Progress("Creating volume...");
  const auto find = [&]() -> absl::StatusOr<std::optional<Volume>> {
    DM_ASSIGN_OR_RETURN(const std::vector<Volume> volumes, ListVolumes(call_, cloud_, tag_));
    if (volumes.empty()) return std::nullopt;
    return *std::min_element(volumes.begin(), volumes.end(), [](const Volume& a, const Volume& b) {
      return std::make_tuple(a.status != "in-use", a.id) <
             std::make_tuple(b.status != "in-use", b.id);
    });
  };
  const auto create = [&] {
    return CreateVolume(call_, cloud_,
                        {.name = tag_,
                         .size_gib = state_.volume_gib(),
                         .image_id = state_.image_id(),
                         .type = plan_.volume_type,
                         .metadata = Metadata()});
  };
  DM_ASSIGN_OR_RETURN(const Volume made,
                      CreateOnce<Volume>(call_, timing_.settling, /*maybe_made=*/false, find,
                                         create, [](const Volume&) { return absl::OkStatus(); }));
  int unseen = 0;
  const auto ready = [&]() -> absl::StatusOr<std::optional<std::string>> {
    DM_ASSIGN_OR_RETURN(const std::vector<Volume> volumes, ListVolumes(call_, cloud_, tag_));
    for (const Volume& volume : volumes) {
      if (volume.id != made.id) continue;
      if (volume.status == "available" || volume.status == "in-use") return volume.id;
      if (!absl::StartsWith(volume.status, "error")) return std::nullopt;
      return common::Error(absl::StatusCode::kFailedPrecondition,
                           machine::v1::ERROR_REASON_HOST_COMMAND_FAILED,
                           absl::StrCat("volume ", volume.id, " is in status ", volume.status));
    }
    if (++unseen < timing_.settling.looks) return std::nullopt;
    return InstanceGone(absl::StrCat("volume ", made.id, " is gone before it was used"));
  };
  return Await<std::string>(call_, timing_.poll, ready);
}

std::map<std::string, std::string> ServerCreator::Metadata() const {
  std::map<std::string, std::string> metadata = plan_.metadata;
  metadata[std::string(kUidKey)] = machine_.uid;
  metadata[std::string(kMachineKey)] = HostName(machine_.name, kMaxNameBytes);
  if (!call_.orchestrator_id().empty()) {
    metadata[std::string(kOrchestratorKey)] = call_.orchestrator_id();
  }
  return metadata;
}

absl::StatusOr<Server> ServerCreator::EnsureServer(const std::string& key_pair,
                                                   const std::vector<std::string>& ports,
                                                   const std::string& volume) {
  if (!state_.server_id().empty()) {
    DM_ASSIGN_OR_RETURN(std::optional<Server> known, FindServerOf(call_, cloud_, machine_));
    if (known.has_value()) {
      DM_RETURN_IF_ERROR(CheckSame(*known));
      return *std::move(known);
    }
  }
  const bool maybe_made = state_.create_requested() || call_.attempt() > 1;
  state_.set_create_requested(true);
  call_.Checkpoint(state_);
  ServerSpec spec = {.name = HostName(machine_.name, kMaxNameBytes),
                     .flavor_id = state_.flavor_id(),
                     .image_id = volume.empty() ? state_.image_id() : "",
                     .volume_id = volume,
                     .key_name = key_pair,
                     .port_ids = ports,
                     .availability_zone = plan_.zone,
                     .config_drive = plan_.config_drive,
                     .user_data = plan_.user_data,
                     .metadata = Metadata(),
                     .tags = {tag_, std::string(kMachineTag)}};
  if (!call_.orchestrator_id().empty()) {
    spec.tags.push_back(OrchestratorTag(call_.orchestrator_id()));
  }
  const auto create = [&]() -> absl::StatusOr<Server> {
    absl::StatusOr<Server> made = CreateServer(call_, cloud_, spec);
    // Port or volume in use: an earlier request has made the server after all.
    if (absl::IsAborted(made.status())) return absl::AlreadyExistsError(made.status().message());
    return made;
  };
  return CreateOnce<Server>(
      call_, timing_.settling, maybe_made, [&] { return KeepOne(); }, create,
      [&](const Server& found) { return CheckSame(found); });
}

absl::StatusOr<std::optional<Server>> ServerCreator::KeepOne() {
  DM_ASSIGN_OR_RETURN(std::vector<Server> servers, ListServers(call_, cloud_, tag_));
  std::erase_if(servers, [&](const Server& server) {
    return server.Metadata(kUidKey) != machine_.uid || server.task == "deleting";
  });
  if (servers.empty()) return std::nullopt;
  // The oldest, so that every attempt keeps the same; the one in the state before all others, one
  // that failed after them.
  std::sort(servers.begin(), servers.end(), [&](const Server& a, const Server& b) {
    const auto rank = [&](const Server& server) {
      return std::make_tuple(server.id != state_.server_id(), server.status == "ERROR",
                             server.created, server.id);
    };
    return rank(a) < rank(b);
  });
  for (size_t i = 1; i < servers.size(); ++i) {
    DM_RETURN_IF_ERROR(call_.Check());
    DM_RETURN_IF_ERROR(DeleteServer(call_, cloud_, servers[i].id));
  }
  return std::move(servers.front());
}

absl::Status ServerCreator::CheckSame(const Server& server) const {
  DM_ASSIGN_OR_RETURN(const std::optional<Flavor> flavor, NamedFlavor(call_, cloud_, plan_));
  if (flavor.has_value() && server.flavor_id != flavor->id && server.flavor_name != flavor->name) {
    return InstanceDiffers(server.id,
                           absl::StrCat("its flavor is ", server.flavor_name, server.flavor_id));
  }
  DM_ASSIGN_OR_RETURN(const std::optional<Image> image, NamedImage(call_, cloud_, plan_));
  if (image.has_value() && !server.image_id.empty() && server.image_id != image->id) {
    return InstanceDiffers(server.id, absl::StrCat("its image is ", server.image_id));
  }
  return absl::OkStatus();
}

absl::StatusOr<Server> ServerCreator::AwaitRunning(const std::string& id) {
  int unseen = 0;
  const absl::Time deadline = absl::Now() + plan_.active_timeout;
  return Await<Server>(call_, timing_.poll, [&]() -> absl::StatusOr<std::optional<Server>> {
    DM_ASSIGN_OR_RETURN(std::optional<Server> server, FindServer(call_, cloud_, id));
    if (!server.has_value()) {
      // What was just made may take a while to show.
      if (++unseen < 2 * timing_.settling.looks) return std::nullopt;
      return InstanceGone(absl::StrCat("server ", id, " is gone before it ran"));
    }
    if (server->status == "ERROR") {
      return common::Error(
          absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_HOST_COMMAND_FAILED,
          absl::StrCat("server ", id, " failed to start: ",
                       server->fault.empty() ? "the cloud does not say why" : server->fault));
    }
    if (server->status == "SHUTOFF" && server->task.empty()) {
      DM_RETURN_IF_ERROR(call_.Check());
      DM_RETURN_IF_ERROR(ActOnServer(call_, cloud_, id, {{"os-start", nullptr}}));
    }
    if (server->status == "ACTIVE" && !server->addresses.empty()) return server;
    if (absl::Now() < deadline) return std::nullopt;
    return common::Error(absl::StatusCode::kDeadlineExceeded,
                         machine::v1::ERROR_REASON_STEP_TIMEOUT,
                         absl::StrCat("server ", id, " is ", server->status, " after ",
                                      absl::FormatDuration(plan_.active_timeout), "; see --",
                                      cloud_.access().flag_prefix, "-active-timeout"));
  });
}

}  // namespace machine::driver::openstack
