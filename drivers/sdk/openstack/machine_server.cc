#include "drivers/sdk/openstack/machine_server.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "drivers/sdk/cloud/await.h"
#include "drivers/sdk/cloud/choices.h"
#include "drivers/sdk/cloud/names.h"
#include "services/common/crypto/digest.h"
#include "services/common/status/status.h"

namespace machine::driver::openstack {
namespace {

// https://docs.openstack.org/api-guide/compute/server_concepts.html#server-status
constexpr StateWord kStates[] = {
    {"ACTIVE", machine::v1::MACHINE_STATE_RUNNING},
    {"BUILD", machine::v1::MACHINE_STATE_STARTING},
    {"REBUILD", machine::v1::MACHINE_STATE_STARTING},
    {"REBOOT", machine::v1::MACHINE_STATE_STARTING},
    {"HARD_REBOOT", machine::v1::MACHINE_STATE_STARTING},
    {"PASSWORD", machine::v1::MACHINE_STATE_RUNNING},
    {"MIGRATING", machine::v1::MACHINE_STATE_RUNNING},
    {"RESIZE", machine::v1::MACHINE_STATE_STOPPING},
    {"VERIFY_RESIZE", machine::v1::MACHINE_STATE_RUNNING},
    {"REVERT_RESIZE", machine::v1::MACHINE_STATE_STARTING},
    {"RESCUE", machine::v1::MACHINE_STATE_ERROR},
    {"PAUSED", machine::v1::MACHINE_STATE_PAUSED},
    {"SUSPENDED", machine::v1::MACHINE_STATE_SAVED},
    {"SHUTOFF", machine::v1::MACHINE_STATE_STOPPED},
    {"SHELVED", machine::v1::MACHINE_STATE_STOPPED},
    {"SHELVED_OFFLOADED", machine::v1::MACHINE_STATE_STOPPED},
    {"ERROR", machine::v1::MACHINE_STATE_ERROR},
    {"DELETED", machine::v1::MACHINE_STATE_REMOVING},
    {"SOFT_DELETED", machine::v1::MACHINE_STATE_REMOVING},
};

// What it is busy with counts for more than what it was before.
constexpr StateWord kTasks[] = {
    {"powering-off", machine::v1::MACHINE_STATE_STOPPING},
    {"suspending", machine::v1::MACHINE_STATE_STOPPING},
    {"shelving", machine::v1::MACHINE_STATE_STOPPING},
    {"powering-on", machine::v1::MACHINE_STATE_STARTING},
    {"resuming", machine::v1::MACHINE_STATE_STARTING},
    {"unshelving", machine::v1::MACHINE_STATE_STARTING},
    {"reboot_pending", machine::v1::MACHINE_STATE_STARTING},
    {"reboot_started", machine::v1::MACHINE_STATE_STARTING},
    {"rebooting", machine::v1::MACHINE_STATE_STARTING},
    {"rebooting_hard", machine::v1::MACHINE_STATE_STARTING},
    {"deleting", machine::v1::MACHINE_STATE_REMOVING},
};

struct PowerAction {
  absl::string_view status;
  absl::string_view action;
};
constexpr PowerAction kToRun[] = {{"SHUTOFF", "os-start"},
                                  {"PAUSED", "unpause"},
                                  {"SUSPENDED", "resume"},
                                  {"SHELVED", "unshelve"},
                                  {"SHELVED_OFFLOADED", "unshelve"}};
constexpr PowerAction kToStop[] = {
    {"ACTIVE", "os-stop"}, {"ERROR", "os-stop"}, {"PAUSED", "unpause"}, {"SUSPENDED", "resume"}};

absl::string_view ActionFor(MachineState wanted, absl::string_view status) {
  const absl::Span<const PowerAction> actions = wanted == machine::v1::MACHINE_STATE_RUNNING
                                                    ? absl::MakeConstSpan(kToRun)
                                                    : absl::MakeConstSpan(kToStop);
  for (const PowerAction& each : actions) {
    if (each.status == status) return each.action;
  }
  return "";
}

absl::Status DidNotObey(const MachineSpec& machine, MachineState wanted, absl::Duration limit) {
  const bool stop = wanted == machine::v1::MACHINE_STATE_STOPPED;
  return common::Error(
      absl::StatusCode::kDeadlineExceeded, machine::v1::ERROR_REASON_STEP_TIMEOUT,
      absl::StrCat("machine ", machine.name, stop ? " is not off" : " does not run", " after ",
                   absl::FormatDuration(limit)));
}

}  // namespace

MachineState StateOfServer(absl::string_view status, absl::string_view task) {
  const MachineState busy = StateOf(kTasks, task);
  return busy != machine::v1::MACHINE_STATE_UNSPECIFIED ? busy : StateOf(kStates, status);
}

Observation ObservationOf(const Server& server, const Plan& plan, absl::string_view floating_ip) {
  Observation observation;
  observation.set_state(StateOfServer(server.status, server.task));
  observation.set_instance_id(server.id);
  machine::v1::Endpoint& endpoint = *observation.mutable_endpoint();
  std::vector<Address> addresses = server.addresses;
  const bool shows_floating = std::any_of(addresses.begin(), addresses.end(),
                                          [](const Address& each) { return each.floating; });
  if (!shows_floating && !floating_ip.empty() && !addresses.empty()) {
    addresses.push_back({.ip = std::string(floating_ip), .version = 4, .floating = true});
  }
  // The first one is the one to use. Rackspace calls the network that leads outside "public".
  const auto rank = [&](const Address& address) {
    const bool outside = address.floating || address.network == "public";
    return std::make_tuple(address.version != plan.ip_version && !address.floating,
                           outside == plan.private_only);
  };
  std::stable_sort(addresses.begin(), addresses.end(),
                   [&](const Address& a, const Address& b) { return rank(a) < rank(b); });
  for (const Address& address : addresses) endpoint.add_ip_addresses(address.ip);
  endpoint.set_ssh_port(plan.ssh_port);
  endpoint.set_ssh_user(plan.ssh_user);
  if (addresses.empty()) return observation;
  endpoint.set_ssh_host(addresses.front().ip);
  if (observation.state() == machine::v1::MACHINE_STATE_RUNNING) {
    const std::string& ip = addresses.front().ip;
    const bool v6 = addresses.front().version == 6;
    endpoint.set_docker_url(
        absl::StrCat("tcp://", v6 ? "[" : "", ip, v6 ? "]" : "", ":", kEnginePort));
  }
  return observation;
}

absl::StatusOr<State> ImportedState(absl::string_view driver_json) {
  const Json fields = ParseJson(driver_json);
  State state;
  state.set_imported(true);
  state.set_server_id(Text(fields, "MachineId"));
  if (state.server_id().empty()) {
    return common::Error(absl::StatusCode::kFailedPrecondition,
                         machine::v1::ERROR_REASON_INSTANCE_GONE,
                         "the imported config.json has no MachineId: no server was made");
  }
  // A pair that the user named stays.
  if (!Flag(fields, "ExistingKey")) state.set_imported_key_pair(Text(fields, "KeyPairName"));
  return state;
}

absl::StatusOr<std::optional<Server>> FindServerOf(const common::CallScope& call,
                                                   const CloudClient& cloud,
                                                   const MachineSpec& machine) {
  State state;
  DM_RETURN_IF_ERROR(machine.ParseState(state));
  if (!state.server_id().empty()) {
    DM_ASSIGN_OR_RETURN(std::optional<Server> server, FindServer(call, cloud, state.server_id()));
    if (state.imported()) return server;
    if (server.has_value() && server->Metadata(kUidKey) == machine.uid) return server;
  }
  DM_ASSIGN_OR_RETURN(std::vector<Server> servers, ListServers(call, cloud, UidTag(machine.uid)));
  std::erase_if(servers,
                [&](const Server& server) { return server.Metadata(kUidKey) != machine.uid; });
  if (servers.empty()) return std::nullopt;
  return *std::min_element(servers.begin(), servers.end(), [](const Server& a, const Server& b) {
    return std::tie(a.created, a.id) < std::tie(b.created, b.id);
  });
}

absl::StatusOr<Server> RequireServer(const common::CallScope& call, const CloudClient& cloud,
                                     const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(std::optional<Server> server, FindServerOf(call, cloud, machine));
  if (server.has_value()) return *std::move(server);
  return InstanceGone(absl::StrCat(cloud.access().provider, " has no server of machine ",
                                   machine.name, " in this project and region"));
}

absl::StatusOr<Server> BringTo(const common::CallScope& call, const CloudClient& cloud,
                               const Timing& timing, const MachineSpec& machine,
                               MachineState wanted, absl::Duration limit) {
  // Each action is asked for once, however often the waiting comes by.
  std::set<std::string> asked;
  const absl::Time deadline = absl::Now() + limit;
  return Await<Server>(call, timing.poll, [&]() -> absl::StatusOr<std::optional<Server>> {
    DM_ASSIGN_OR_RETURN(Server server, RequireServer(call, cloud, machine));
    if (StateOfServer(server.status, server.task) == wanted && server.task.empty()) return server;
    const std::string action(ActionFor(wanted, server.status));
    if (server.status == "ERROR" && action.empty()) {
      return common::Error(
          absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_HOST_COMMAND_FAILED,
          absl::StrCat("server ", server.id, " is in ERROR: ",
                       server.fault.empty() ? "see its history in the cloud" : server.fault));
    }
    absl::Status sent;
    if (!action.empty() && server.task.empty() && !asked.contains(action)) {
      DM_RETURN_IF_ERROR(call.Check());
      sent = ActOnServer(call, cloud, server.id, {{action, nullptr}});
      if (sent.ok()) asked.insert(action);
    }
    if (absl::Now() >= deadline) return DidNotObey(machine, wanted, limit);
    if (!sent.ok()) return sent;
    return std::nullopt;
  });
}

absl::Status Reboot(const common::CallScope& call, const CloudClient& cloud, const Timing& timing,
                    absl::string_view server_id) {
  return Await<bool>(call, timing.poll,
                     [&]() -> absl::StatusOr<std::optional<bool>> {
                       DM_RETURN_IF_ERROR(call.Check());
                       DM_RETURN_IF_ERROR(
                           ActOnServer(call, cloud, server_id, {{"reboot", {{"type", "SOFT"}}}}));
                       return true;
                     })
      .status();
}

std::string GroupName(const Plan& plan) {
  std::vector<std::string> cidrs = plan.open_cidrs;
  std::sort(cidrs.begin(), cidrs.end());
  const std::string digest =
      common::Sha256(absl::StrCat(plan.ssh_port, "\n", absl::StrJoin(cidrs, "\n")));
  return absl::StrCat(kMachineTag, "-", absl::BytesToHexString(digest.substr(0, 6)));
}

}  // namespace machine::driver::openstack
