#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/await.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/sdk/openstack/machine_server.h"
#include "services/common/status/status.h"

namespace machine::driver::openstack {
namespace {

// One removal of one machine. What it deletes must be gone before what that was made of is deleted.
class ServerRemover {
 public:
  ServerRemover(DriverCall& call, const CloudClient& cloud, const Timing& timing,
                const MachineSpec& machine, const Plan& plan)
      : call_(call),
        cloud_(cloud),
        timing_(timing),
        machine_(machine),
        plan_(plan),
        tag_(UidTag(machine.uid)) {}

  absl::Status Run() {
    DM_RETURN_IF_ERROR(machine_.ParseState(state_));
    DM_RETURN_IF_ERROR(common::Annotate(DeleteServers(), "deleting server"));
    if (plan_.use_network) DM_RETURN_IF_ERROR(DeleteNetworkParts());
    if (plan_.boot_from_volume) {
      DM_RETURN_IF_ERROR(common::Annotate(DeleteVolumes(), "deleting volume"));
    }
    if (plan_.key_pair.empty()) {
      DM_RETURN_IF_ERROR(common::Annotate(DeleteKeyPair(call_, cloud_, tag_), "deleting key pair"));
    }
    if (state_.imported_key_pair().empty()) return absl::OkStatus();
    return common::Annotate(DeleteKeyPair(call_, cloud_, state_.imported_key_pair()),
                            "deleting key pair");
  }

 private:
  // Calls `step` until it has nothing left to do; refusals that pass are waited for.
  absl::Status Repeat(absl::FunctionRef<absl::StatusOr<bool>()> step) {
    return Await<bool>(call_, timing_.poll,
                       [&]() -> absl::StatusOr<std::optional<bool>> {
                         DM_RETURN_IF_ERROR(call_.Check());
                         absl::StatusOr<bool> done = step();
                         // "In use" and "another task is under way" pass.
                         if (absl::IsAborted(done.status())) {
                           return absl::UnavailableError(done.status().message());
                         }
                         if (!done.ok()) return done.status();
                         return *done ? std::make_optional(true) : std::nullopt;
                       })
        .status();
  }

  absl::StatusOr<std::vector<Server>> Servers() {
    DM_ASSIGN_OR_RETURN(std::vector<Server> servers, ListServers(call_, cloud_, tag_));
    std::erase_if(servers,
                  [&](const Server& each) { return each.Metadata(kUidKey) != machine_.uid; });
    if (state_.server_id().empty()) return servers;
    for (const Server& server : servers) {
      if (server.id == state_.server_id()) return servers;
    }
    // Not by its id alone: the state might be that of another project.
    DM_ASSIGN_OR_RETURN(std::optional<Server> known, FindServer(call_, cloud_, state_.server_id()));
    if (known.has_value() && (state_.imported() || known->Metadata(kUidKey) == machine_.uid)) {
      servers.push_back(*std::move(known));
    }
    return servers;
  }

  absl::Status DeleteServers() {
    // One that was asked for and never seen may still appear.
    if (state_.create_requested() && state_.server_id().empty()) {
      const auto look = [&]() -> absl::StatusOr<std::optional<bool>> {
        DM_ASSIGN_OR_RETURN(const std::vector<Server> servers, Servers());
        return servers.empty() ? std::nullopt : std::make_optional(true);
      };
      DM_RETURN_IF_ERROR(FindSettled<bool>(call_, timing_.settling, look).status());
    }
    return Repeat([&]() -> absl::StatusOr<bool> {
      DM_ASSIGN_OR_RETURN(const std::vector<Server> servers, Servers());
      for (const Server& server : servers) {
        if (server.task == "deleting") continue;
        DM_RETURN_IF_ERROR(DeleteServer(call_, cloud_, server.id));
      }
      return servers.empty();
    });
  }

  absl::Status DeleteNetworkParts() {
    const auto ips = [&]() -> absl::StatusOr<bool> {
      DM_ASSIGN_OR_RETURN(const std::vector<FloatingIp> all, ListFloatingIps(call_, cloud_));
      bool done = true;
      for (const FloatingIp& ip : all) {
        if (ip.description != tag_) continue;
        done = false;
        DM_RETURN_IF_ERROR(DeleteFloatingIp(call_, cloud_, ip.id));
      }
      return done;
    };
    if (!plan_.floating_pool.empty()) {
      DM_RETURN_IF_ERROR(common::Annotate(Repeat(ips), "releasing floating IP"));
    }
    const auto ports = [&]() -> absl::StatusOr<bool> {
      DM_ASSIGN_OR_RETURN(const std::vector<Port> all, ListPorts(call_, cloud_, tag_));
      for (const Port& port : all) DM_RETURN_IF_ERROR(DeletePort(call_, cloud_, port.id));
      return all.empty();
    };
    DM_RETURN_IF_ERROR(common::Annotate(Repeat(ports), "deleting port"));
    if (plan_.open_cidrs.empty()) return absl::OkStatus();
    return common::Annotate(DeleteGroup(), "deleting security group");
  }

  // Unless another machine uses it.
  absl::Status DeleteGroup() {
    const std::string name = GroupName(plan_);
    DM_ASSIGN_OR_RETURN(const std::vector<SecurityGroup> groups, ListSecurityGroups(call_, cloud_));
    for (const SecurityGroup& group : groups) {
      if (group.name != name) continue;
      DM_RETURN_IF_ERROR(call_.Check());
      const absl::Status deleted = DeleteSecurityGroup(call_, cloud_, group.id);
      if (!deleted.ok() && !absl::IsAborted(deleted)) return deleted;
    }
    return absl::OkStatus();
  }

  // It goes with the server, unless that was never made.
  absl::Status DeleteVolumes() {
    return Repeat([&]() -> absl::StatusOr<bool> {
      DM_ASSIGN_OR_RETURN(const std::vector<Volume> volumes, ListVolumes(call_, cloud_, tag_));
      for (const Volume& volume : volumes) {
        const bool ready = volume.status == "available" || absl::StartsWith(volume.status, "error");
        if (ready) DM_RETURN_IF_ERROR(DeleteVolume(call_, cloud_, volume.id));
      }
      return volumes.empty();
    });
  }

  DriverCall& call_;
  const CloudClient& cloud_;
  const Timing& timing_;
  const MachineSpec& machine_;
  const Plan& plan_;
  const std::string tag_;
  State state_;
};

}  // namespace

absl::Status RemoveAll(DriverCall& call, const CloudClient& cloud, const Timing& timing,
                       const MachineSpec& machine, const Plan& plan) {
  return ServerRemover(call, cloud, timing, machine, plan).Run();
}

}  // namespace machine::driver::openstack
