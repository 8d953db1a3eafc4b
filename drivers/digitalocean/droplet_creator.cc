#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "drivers/digitalocean/catalog.h"
#include "drivers/digitalocean/machine_droplet.h"
#include "drivers/sdk/cloud/names.h"
#include "services/common/status/status.h"

namespace machine::driver::digitalocean {
namespace {

constexpr int kSwarmPort = 3376;

// The key itself, without its comment.
std::string KeyMaterial(absl::string_view public_key) {
  const std::vector<std::string> words = absl::StrSplit(public_key, ' ', absl::SkipEmpty());
  return words.size() < 2 ? std::string(public_key) : absl::StrCat(words[0], " ", words[1]);
}

}  // namespace

absl::StatusOr<Observation> DropletCreator::Run() {
  DM_RETURN_IF_ERROR(machine_.ParseState(state_));
  call_.Progress("Creating SSH key...");
  DM_ASSIGN_OR_RETURN(const std::vector<int64_t> keys,
                      common::Annotate(EnsureKeys(), "creating ssh key"));
  // Before the droplet, so that it is never open to others.
  if (!settings_.open_cidrs.empty()) {
    DM_RETURN_IF_ERROR(common::Annotate(EnsureFirewall(), "creating firewall"));
  }
  DM_RETURN_IF_ERROR(ChooseOnce());
  call_.Progress("Creating Digital Ocean droplet...");
  DM_ASSIGN_OR_RETURN(Droplet droplet, common::Annotate(EnsureDroplet(keys), "creating droplet"));
  state_.set_droplet_id(droplet.id);
  call_.Checkpoint(state_);
  call_.Progress("Waiting for IP address to be assigned to the Droplet...");
  DM_ASSIGN_OR_RETURN(droplet, AwaitRunning(droplet.id));
  DM_RETURN_IF_ERROR(KeepOne().status());
  Observation observation = ObservationOf(droplet, settings_);
  SetState(state_, observation);
  return observation;
}

absl::StatusOr<std::vector<int64_t>> DropletCreator::EnsureKeys() {
  std::vector<int64_t> ids;
  if (!machine_.ssh_public_key.empty()) {
    DM_ASSIGN_OR_RETURN(const SshKey key, EnsureMachineKey());
    ids.push_back(key.id);
  }
  if (settings_.key_fingerprint.empty()) return ids;
  DM_ASSIGN_OR_RETURN(const std::optional<SshKey> named,
                      api_.FindSshKey(call_, settings_.key_fingerprint));
  if (!named.has_value()) {
    return BadOption(kKeyFlag, absl::StrCat("the account has no key ", settings_.key_fingerprint));
  }
  if (std::find(ids.begin(), ids.end(), named->id) == ids.end()) ids.push_back(named->id);
  return ids;
}

absl::StatusOr<SshKey> DropletCreator::EnsureMachineKey() {
  DM_RETURN_IF_ERROR(call_.Check());
  // The account has each key once, so that it may be asked for again and again. One that is there
  // is an earlier attempt's, or one that the user put there: that is used, and stays.
  absl::StatusOr<SshKey> made = api_.CreateSshKey(call_, tag_, machine_.ssh_public_key);
  if (absl::IsAlreadyExists(made.status())) {
    const std::string material = KeyMaterial(machine_.ssh_public_key);
    const auto find = [&]() -> absl::StatusOr<std::optional<SshKey>> {
      DM_ASSIGN_OR_RETURN(const std::vector<SshKey> keys, api_.ListSshKeys(call_));
      for (const SshKey& key : keys) {
        if (KeyMaterial(key.public_key) == material) return key;
      }
      return std::nullopt;
    };
    DM_ASSIGN_OR_RETURN(const std::optional<SshKey> found,
                        FindSettled<SshKey>(call_, timing_.settling, find));
    if (found.has_value()) made = *found;
  }
  if (made.ok() && made->name == tag_) state_.set_ssh_key_id(made->id);
  return made;
}

absl::Status DropletCreator::EnsureFirewall() {
  DM_RETURN_IF_ERROR(call_.Check());
  // A firewall takes only tags that exist.
  DM_RETURN_IF_ERROR(api_.CreateTag(call_, tag_));
  const auto find = [&]() -> absl::StatusOr<std::optional<Firewall>> {
    DM_ASSIGN_OR_RETURN(const std::vector<Firewall> firewalls, api_.ListFirewalls(call_));
    for (const Firewall& firewall : firewalls) {
      if (firewall.name == tag_) return firewall;
    }
    return std::nullopt;
  };
  const auto create = [&] {
    return api_.CreateFirewall(call_, {.name = tag_,
                                       .tag = tag_,
                                       .tcp_ports = {settings_.ssh_port, kEnginePort, kSwarmPort},
                                       .cidrs = settings_.open_cidrs});
  };
  return CreateOnce<Firewall>(call_, timing_.settling, /*maybe_made=*/false, find, create,
                              [](const Firewall&) { return absl::OkStatus(); })
      .status();
}

absl::Status DropletCreator::ChooseOnce() {
  if (!state_.image().empty() && !state_.size().empty()) return absl::OkStatus();
  DM_ASSIGN_OR_RETURN(Choice choice, Choose(call_, api_, settings_));
  state_.set_image(std::move(choice.image));
  state_.set_size(std::move(choice.size));
  return absl::OkStatus();
}

absl::StatusOr<Droplet> DropletCreator::EnsureDroplet(const std::vector<int64_t>& keys) {
  if (state_.droplet_id() != 0) {
    DM_ASSIGN_OR_RETURN(std::optional<Droplet> known, FindDroplet(call_, api_, machine_));
    if (known.has_value()) {
      DM_RETURN_IF_ERROR(CheckSame(*known));
      return *std::move(known);
    }
  }
  const bool maybe_made = state_.create_requested() || call_.attempt() > 1;
  state_.set_create_requested(true);
  call_.Checkpoint(state_);
  DropletSpec spec = {.name = HostName(machine_.name, 63, /*allow_dots=*/true),
                      .region = settings_.region,
                      .size = state_.size(),
                      .image = state_.image(),
                      .ssh_keys = keys,
                      .tags = {tag_, std::string(kMachineTag)},
                      .user_data = settings_.user_data,
                      .vpc_uuid = settings_.vpc_uuid,
                      .ipv6 = settings_.ipv6,
                      .backups = settings_.backups,
                      .monitoring = settings_.monitoring,
                      .public_network = !settings_.private_address_only};
  if (!call_.orchestrator_id().empty()) {
    spec.tags.push_back(OrchestratorTag(call_.orchestrator_id()));
  }
  spec.tags.insert(spec.tags.end(), settings_.tags.begin(), settings_.tags.end());
  return CreateOnce<Droplet>(
      call_, timing_.settling, maybe_made, [&] { return KeepOne(); },
      [&] { return api_.CreateDroplet(call_, spec); },
      [&](const Droplet& found) { return CheckSame(found); });
}

absl::StatusOr<std::optional<Droplet>> DropletCreator::KeepOne() {
  DM_ASSIGN_OR_RETURN(std::vector<Droplet> droplets, api_.ListDroplets(call_, tag_));
  if (droplets.empty()) return std::nullopt;
  // The oldest, so that every attempt keeps the same; the one in the state before all others.
  std::sort(droplets.begin(), droplets.end(), [&](const Droplet& a, const Droplet& b) {
    const bool a_known = a.id == state_.droplet_id();
    const bool b_known = b.id == state_.droplet_id();
    return a_known != b_known ? a_known : a.id < b.id;
  });
  for (size_t i = 1; i < droplets.size(); ++i) {
    DM_RETURN_IF_ERROR(call_.Check());
    DM_RETURN_IF_ERROR(api_.DeleteDroplet(call_, droplets[i].id));
  }
  return std::move(droplets.front());
}

absl::Status DropletCreator::CheckSame(const Droplet& droplet) const {
  const std::string id = absl::StrCat(droplet.id);
  if (droplet.region != settings_.region) {
    return InstanceDiffers(id, absl::StrCat("it is in region ", droplet.region));
  }
  if (!settings_.size.empty() && droplet.size != settings_.size) {
    return InstanceDiffers(id, absl::StrCat("its size is ", droplet.size));
  }
  if (!settings_.image.empty() && droplet.image_slug != settings_.image &&
      absl::StrCat(droplet.image_id) != settings_.image) {
    return InstanceDiffers(id, absl::StrCat("its image is ", droplet.image_slug));
  }
  return absl::OkStatus();
}

absl::StatusOr<Droplet> DropletCreator::AwaitRunning(int64_t id) {
  int unseen = 0;
  return Await<Droplet>(call_, timing_.poll, [&]() -> absl::StatusOr<std::optional<Droplet>> {
    DM_ASSIGN_OR_RETURN(std::optional<Droplet> droplet, api_.FindDroplet(call_, id));
    if (!droplet.has_value()) {
      // What was just made may take a while to show.
      if (++unseen < 2 * timing_.settling.looks) return std::nullopt;
      return InstanceGone(absl::StrCat("droplet ", id, " is gone before it ran"));
    }
    if (droplet->status == "off" && !droplet->locked) {
      DM_RETURN_IF_ERROR(RunAction(call_, api_, timing_, id, "power_on"));
      return std::nullopt;
    }
    const bool ready =
        droplet->status == "active" && !(droplet->public_v4.empty() && droplet->private_v4.empty());
    if (!ready) return std::nullopt;
    return droplet;
  });
}

}  // namespace machine::driver::digitalocean
