#include "drivers/digitalocean/machine_droplet.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/await.h"
#include "drivers/sdk/cloud/choices.h"
#include "drivers/sdk/cloud/names.h"
#include "services/common/status/status.h"

namespace machine::driver::digitalocean {
namespace {

// https://docs.digitalocean.com/reference/api/digitalocean/#tag/Droplets
constexpr StateWord kStates[] = {
    {"new", machine::v1::MACHINE_STATE_STARTING},
    {"active", machine::v1::MACHINE_STATE_RUNNING},
    {"off", machine::v1::MACHINE_STATE_STOPPED},
    {"archive", machine::v1::MACHINE_STATE_STOPPED},
};

absl::Status ActionFailed(absl::string_view type, int64_t id) {
  return common::Error(absl::StatusCode::kFailedPrecondition,
                       machine::v1::ERROR_REASON_HOST_COMMAND_FAILED,
                       absl::StrCat("DigitalOcean could not carry out ", type, " (action ", id,
                                    "); see the droplet's history in its control panel"));
}

absl::Status DidNotObey(const MachineSpec& machine, absl::string_view status,
                        absl::Duration grace) {
  return common::Error(
      absl::StatusCode::kDeadlineExceeded, machine::v1::ERROR_REASON_STEP_TIMEOUT,
      absl::StrCat("machine ", machine.name, " is not ", status, " after ",
                   absl::FormatDuration(grace), status == "off" ? "; kill it if it must be" : ""));
}

// An action that was asked for once, however often the waiting comes by.
class PendingAction {
 public:
  PendingAction(const common::CallScope& call, const DigitalOceanApi& api, int64_t droplet_id,
                absl::string_view type)
      : call_(call), api_(api), droplet_id_(droplet_id), type_(type) {}

  /// Asks for it at the first time, and then how it goes; true once it is carried out.
  absl::StatusOr<bool> Advance() {
    if (done_) return true;
    DM_RETURN_IF_ERROR(call_.Check());
    if (!action_.has_value()) {
      DM_ASSIGN_OR_RETURN(action_, api_.Act(call_, droplet_id_, type_));
      done_ = !action_.has_value();
      return done_;
    }
    DM_ASSIGN_OR_RETURN(const Action action, api_.GetAction(call_, droplet_id_, action_->id));
    if (action.status == "errored") return ActionFailed(type_, action.id);
    done_ = action.status == "completed";
    return done_;
  }

 private:
  const common::CallScope& call_;
  const DigitalOceanApi& api_;
  const int64_t droplet_id_;
  const std::string type_;
  std::optional<Action> action_;
  bool done_ = false;
};

// The ssh keys that were made for the machine: by the state where that tells, as few lists of them
// are allowed.
absl::StatusOr<std::vector<int64_t>> KeysToDelete(const common::CallScope& call,
                                                  const DigitalOceanApi& api, const State& state,
                                                  absl::string_view tag) {
  const int64_t known = state.imported() ? state.imported_ssh_key_id() : state.ssh_key_id();
  if (known != 0) return std::vector<int64_t>{known};
  std::vector<int64_t> ids;
  if (state.imported()) return ids;
  DM_ASSIGN_OR_RETURN(const std::vector<SshKey> keys, api.ListSshKeys(call));
  for (const SshKey& key : keys) {
    if (key.name == tag) ids.push_back(key.id);
  }
  return ids;
}

}  // namespace

MachineState StateOfDroplet(absl::string_view status) { return StateOf(kStates, status); }

Observation ObservationOf(const Droplet& droplet, const Settings& settings) {
  Observation observation;
  observation.set_state(StateOfDroplet(droplet.status));
  observation.set_instance_id(absl::StrCat(droplet.id));
  machine::v1::Endpoint& endpoint = *observation.mutable_endpoint();
  // The first one is the one to use.
  for (const auto* const addresses :
       {&droplet.public_v4, &droplet.private_v4, &droplet.public_v6}) {
    for (const std::string& address : *addresses) endpoint.add_ip_addresses(address);
  }
  endpoint.set_ssh_port(settings.ssh_port);
  endpoint.set_ssh_user(settings.ssh_user);
  if (endpoint.ip_addresses().empty()) return observation;
  endpoint.set_ssh_host(endpoint.ip_addresses(0));
  if (observation.state() == machine::v1::MACHINE_STATE_RUNNING) {
    endpoint.set_docker_url(absl::StrCat("tcp://", endpoint.ip_addresses(0), ":", kEnginePort));
  }
  return observation;
}

absl::StatusOr<std::optional<Droplet>> FindDroplet(const common::CallScope& call,
                                                   const DigitalOceanApi& api,
                                                   const MachineSpec& machine) {
  const std::string tag = UidTag(machine.uid);
  State state;
  DM_RETURN_IF_ERROR(machine.ParseState(state));
  if (state.droplet_id() != 0) {
    DM_ASSIGN_OR_RETURN(std::optional<Droplet> droplet, api.FindDroplet(call, state.droplet_id()));
    if (state.imported()) return droplet;
    if (droplet.has_value() && droplet->HasTag(tag)) return droplet;
  }
  DM_ASSIGN_OR_RETURN(std::vector<Droplet> droplets, api.ListDroplets(call, tag));
  if (droplets.empty()) return std::nullopt;
  return *std::min_element(droplets.begin(), droplets.end(),
                           [](const Droplet& a, const Droplet& b) { return a.id < b.id; });
}

absl::StatusOr<Droplet> RequireDroplet(const common::CallScope& call, const DigitalOceanApi& api,
                                       const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(std::optional<Droplet> droplet, FindDroplet(call, api, machine));
  if (droplet.has_value()) return *std::move(droplet);
  return InstanceGone(absl::StrCat("DigitalOcean has no droplet of machine ", machine.name));
}

absl::StatusOr<Droplet> BringTo(const common::CallScope& call, const DigitalOceanApi& api,
                                const Timing& timing, const MachineSpec& machine,
                                absl::string_view status, absl::string_view type,
                                absl::Duration grace) {
  DM_ASSIGN_OR_RETURN(const Droplet found, RequireDroplet(call, api, machine));
  PendingAction action(call, api, found.id, type);
  const absl::Time deadline = absl::Now() + grace;
  return Await<Droplet>(call, timing.poll, [&]() -> absl::StatusOr<std::optional<Droplet>> {
    DM_ASSIGN_OR_RETURN(Droplet droplet, RequireDroplet(call, api, machine));
    if (droplet.status == status && !droplet.locked) return droplet;
    const absl::StatusOr<bool> done = action.Advance();
    if (absl::Now() >= deadline) return DidNotObey(machine, status, grace);
    if (!done.ok()) return done.status();
    return std::nullopt;
  });
}

absl::Status RunAction(const common::CallScope& call, const DigitalOceanApi& api,
                       const Timing& timing, int64_t droplet_id, absl::string_view type) {
  PendingAction action(call, api, droplet_id, type);
  return Await<bool>(call, timing.poll,
                     [&]() -> absl::StatusOr<std::optional<bool>> {
                       DM_ASSIGN_OR_RETURN(const bool done, action.Advance());
                       return done ? std::make_optional(true) : std::nullopt;
                     })
      .status();
}

absl::Status RemoveAll(const common::CallScope& call, const DigitalOceanApi& api,
                       const Timing& timing, const MachineSpec& machine) {
  const std::string tag = UidTag(machine.uid);
  State state;
  DM_RETURN_IF_ERROR(machine.ParseState(state));
  const auto list = [&]() -> absl::StatusOr<std::optional<std::vector<Droplet>>> {
    DM_ASSIGN_OR_RETURN(std::vector<Droplet> droplets, api.ListDroplets(call, tag));
    if (droplets.empty()) return std::nullopt;
    return droplets;
  };
  // One that was asked for and never seen may still appear.
  if (state.create_requested() && state.droplet_id() == 0) {
    DM_RETURN_IF_ERROR(FindSettled<std::vector<Droplet>>(call, timing.settling, list).status());
  }
  if (state.droplet_id() != 0) {
    // Not by its id alone: the state might be that of another account.
    DM_ASSIGN_OR_RETURN(const std::optional<Droplet> known,
                        api.FindDroplet(call, state.droplet_id()));
    if (known.has_value() && (state.imported() || known->HasTag(tag))) {
      DM_RETURN_IF_ERROR(call.Check());
      DM_RETURN_IF_ERROR(common::Annotate(api.DeleteDroplet(call, known->id), "deleting droplet"));
    }
  }
  DM_RETURN_IF_ERROR(Await<bool>(call, timing.poll, [&]() -> absl::StatusOr<std::optional<bool>> {
                       DM_ASSIGN_OR_RETURN(const std::optional<std::vector<Droplet>> left, list());
                       if (!left.has_value()) return true;
                       for (const Droplet& droplet : *left) {
                         DM_RETURN_IF_ERROR(call.Check());
                         DM_RETURN_IF_ERROR(common::Annotate(api.DeleteDroplet(call, droplet.id),
                                                             "deleting droplet"));
                       }
                       return std::nullopt;
                     }).status());
  DM_ASSIGN_OR_RETURN(const std::vector<int64_t> keys, KeysToDelete(call, api, state, tag));
  for (const int64_t key : keys) {
    DM_RETURN_IF_ERROR(common::Annotate(api.DeleteSshKey(call, key), "deleting ssh key"));
  }
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  if (!settings.open_cidrs.empty()) {
    DM_ASSIGN_OR_RETURN(const std::vector<Firewall> firewalls, api.ListFirewalls(call));
    for (const Firewall& firewall : firewalls) {
      if (firewall.name != tag) continue;
      DM_RETURN_IF_ERROR(
          common::Annotate(api.DeleteFirewall(call, firewall.id), "deleting firewall"));
    }
  }
  const absl::Status untagged = api.DeleteTag(call, tag);
  // A token need not be allowed to; an empty tag costs nothing.
  return absl::IsPermissionDenied(untagged) ? absl::OkStatus() : untagged;
}

absl::StatusOr<State> ImportedState(absl::string_view driver_json) {
  const auto fields = nlohmann::json::parse(driver_json, nullptr, /*allow_exceptions=*/false);
  const auto number = [&](const char* name) -> int64_t {
    if (!fields.is_object()) return 0;
    const auto it = fields.find(name);
    return it != fields.end() && it->is_number_integer() ? it->get<int64_t>() : 0;
  };
  State state;
  state.set_imported(true);
  state.set_droplet_id(number("DropletID"));
  if (state.droplet_id() == 0) {
    return common::Error(absl::StatusCode::kFailedPrecondition,
                         machine::v1::ERROR_REASON_INSTANCE_GONE,
                         "the imported config.json has no DropletID: no droplet was made");
  }
  // A key that the user named stays.
  const auto named = fields.find("SSHKeyFingerprint");
  if (named == fields.end() || !named->is_string() || named->get<std::string>().empty()) {
    state.set_imported_ssh_key_id(number("SSHKeyID"));
  }
  return state;
}

DropletCreator::DropletCreator(DriverCall& call, const DigitalOceanApi& api, const Timing& timing,
                               const MachineSpec& machine, const Settings& settings)
    : call_(call),
      api_(api),
      timing_(timing),
      machine_(machine),
      settings_(settings),
      tag_(UidTag(machine.uid)) {}

}  // namespace machine::driver::digitalocean
