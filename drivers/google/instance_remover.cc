#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "drivers/google/machine_instance.h"
#include "drivers/sdk/cloud/await.h"
#include "drivers/sdk/cloud/names.h"
#include "services/common/status/status.h"

namespace machine::driver::gce {
namespace {

// One removal of one machine.
class InstanceRemover {
 public:
  InstanceRemover(DriverCall& call, const GoogleApi& api, const Timing& timing,
                  const MachineSpec& machine, const Settings& settings)
      : call_(call),
        api_(api),
        timing_(timing),
        machine_(machine),
        settings_(settings),
        tag_(UidTag(machine.uid)),
        ids_(call) {}

  absl::Status Run() {
    DM_RETURN_IF_ERROR(machine_.ParseState(state_));
    // One that was asked for and never seen may still appear.
    if (state_.create_requested() && !state_.created()) {
      DM_RETURN_IF_ERROR(FindSettled<Instance>(call_, timing_.settling, [&] {
                           return FindInstance(call_, api_, machine_, settings_);
                         }).status());
    }
    if (state_.imported()) return RemoveImported();
    DM_RETURN_IF_ERROR(common::Annotate(DeleteInstances(), "deleting instance"));
    DM_RETURN_IF_ERROR(common::Annotate(DeleteDisk(), "deleting disk"));
    if (!settings_.open_cidrs.empty()) {
      DM_RETURN_IF_ERROR(common::Annotate(
          DeleteAll([&] { return api_.DeleteFirewall(call_, tag_, ids_.Next("delete firewall")); }),
          "deleting firewall rule"));
    }
    if (!settings_.static_address) return absl::OkStatus();
    return common::Annotate(DeleteAll([&] {
                              return api_.DeleteAddress(call_, settings_.region, tag_,
                                                        ids_.Next("delete address"));
                            }),
                            "releasing address");
  }

 private:
  absl::Status Ended(const absl::StatusOr<std::optional<Operation>>& operation) {
    if (!operation.ok()) return operation.status();
    return AwaitOperation(call_, api_, timing_, *operation);
  }

  // Asks until there is nothing left to delete.
  absl::Status DeleteAll(absl::FunctionRef<absl::StatusOr<std::optional<Operation>>()> send) {
    return Await<bool>(call_, timing_.poll,
                       [&]() -> absl::StatusOr<std::optional<bool>> {
                         DM_RETURN_IF_ERROR(call_.Check());
                         DM_ASSIGN_OR_RETURN(const std::optional<Operation> operation, send());
                         if (!operation.has_value()) return true;
                         DM_RETURN_IF_ERROR(AwaitOperation(call_, api_, timing_, *operation));
                         return std::nullopt;
                       })
        .status();
  }

  // One that another docker-machine made: its instance and its disk, which has a name of its own
  // there. The firewall rule is that of all its machines and stays, as does what was the user's.
  absl::Status RemoveImported() {
    if (settings_.use_existing) return absl::OkStatus();
    const auto instance = [&] {
      return api_.DeleteInstance(call_, settings_.zone, state_.instance(),
                                 ids_.Next("delete instance"));
    };
    DM_RETURN_IF_ERROR(common::Annotate(DeleteAll(instance), "deleting instance"));
    const auto disk = [&] {
      return api_.DeleteDisk(call_, settings_.zone, absl::StrCat(state_.instance(), "-disk"),
                             ids_.Next("delete disk"));
    };
    return common::Annotate(DeleteAll(disk), "deleting disk");
  }

  // Whatever carries the machine's uid, in whichever zone.
  absl::Status DeleteInstances() {
    DM_ASSIGN_OR_RETURN(const std::optional<Instance> known,
                        FindInstance(call_, api_, machine_, settings_));
    if (known.has_value()) DM_RETURN_IF_ERROR(Delete(*known));
    const auto look = [&]() -> absl::StatusOr<std::optional<bool>> {
      DM_ASSIGN_OR_RETURN(const InstanceList list,
                          api_.ListInstances(call_, kUidLabel, machine_.uid));
      for (const Instance& instance : list.instances) DM_RETURN_IF_ERROR(Delete(instance));
      if (!list.instances.empty()) return std::nullopt;
      const auto& zones = list.unreachable_zones;
      if (std::find(zones.begin(), zones.end(), settings_.zone) != zones.end()) {
        return absl::UnavailableError(absl::StrCat("zone ", settings_.zone, " does not answer"));
      }
      return true;
    };
    return Await<bool>(call_, timing_.poll, look).status();
  }

  absl::Status Delete(const Instance& instance) {
    DM_RETURN_IF_ERROR(call_.Check());
    if (!instance.Label(kAdoptedLabel).empty()) return GiveBack(instance);
    return Ended(
        api_.DeleteInstance(call_, instance.zone, instance.name, ids_.Next("delete instance")));
  }

  // An instance that was there before the machine stays, without what the machine put there. The
  // labels go last: by them it is found if this is cut short.
  absl::Status GiveBack(const Instance& instance) {
    const auto drop_key = [&](Instance& now) {
      for (auto& [key, value] : now.metadata) {
        if (key != "ssh-keys") continue;
        std::vector<std::string> lines = absl::StrSplit(value, '\n');
        const size_t count = lines.size();
        std::erase_if(lines, [&](const std::string& line) { return absl::EndsWith(line, tag_); });
        if (lines.size() == count) return false;
        value = absl::StrJoin(lines, "\n");
        return true;
      }
      return false;
    };
    DM_RETURN_IF_ERROR(ChangeInstance(
        call_, api_, timing_, instance.zone, instance.name, drop_key,
        [&](const Instance& now) { return api_.SetMetadata(call_, now, ids_.Next("metadata")); }));
    DM_RETURN_IF_ERROR(ChangeInstance(
        call_, api_, timing_, instance.zone, instance.name,
        [&](Instance& now) { return std::erase(now.tags, tag_) > 0; },
        [&](const Instance& now) { return api_.SetTags(call_, now, ids_.Next("tags")); }));
    return ChangeInstance(
        call_, api_, timing_, instance.zone, instance.name,
        [&](Instance& now) {
          return std::erase_if(now.labels, [](const auto& label) {
                   return label.first == kUidLabel || label.first == kMachineLabel ||
                          label.first == kAdoptedLabel;
                 }) > 0;
        },
        [&](const Instance& now) { return api_.SetLabels(call_, now, ids_.Next("labels")); });
  }

  // It goes with the instance, unless that was never made.
  absl::Status DeleteDisk() {
    if (settings_.use_existing) return absl::OkStatus();
    const std::string name =
        state_.instance().empty() ? InstanceName(machine_, settings_) : state_.instance();
    const auto look = [&]() -> absl::StatusOr<std::optional<bool>> {
      DM_ASSIGN_OR_RETURN(const std::optional<Disk> disk,
                          api_.FindDisk(call_, settings_.zone, name));
      if (!disk.has_value()) return true;
      const auto uid = disk->labels.find(std::string(kUidLabel));
      if (uid == disk->labels.end() || uid->second != machine_.uid) return true;
      DM_RETURN_IF_ERROR(call_.Check());
      DM_RETURN_IF_ERROR(
          Ended(api_.DeleteDisk(call_, settings_.zone, name, ids_.Next("delete disk"))));
      return std::nullopt;
    };
    return Await<bool>(call_, timing_.poll, look).status();
  }

  DriverCall& call_;
  const GoogleApi& api_;
  const Timing& timing_;
  const MachineSpec& machine_;
  const Settings& settings_;
  const std::string tag_;
  RequestIds ids_;
  State state_;
};

}  // namespace

absl::Status RemoveAll(DriverCall& call, const GoogleApi& api, const Timing& timing,
                       const MachineSpec& machine, const Settings& settings) {
  return InstanceRemover(call, api, timing, machine, settings).Run();
}

}  // namespace machine::driver::gce
