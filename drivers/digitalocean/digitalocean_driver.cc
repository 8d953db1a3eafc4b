#include "drivers/digitalocean/digitalocean_driver.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "drivers/digitalocean/catalog.h"
#include "drivers/digitalocean/settings.h"
#include "drivers/sdk/cloud/batch.h"
#include "drivers/sdk/cloud/choices.h"
#include "drivers/sdk/cloud/instance_driver.h"
#include "drivers/sdk/cloud/names.h"
#include "services/common/status/status.h"

namespace machine::driver::digitalocean {
namespace {

// What an action may take at the provider before something is wrong there.
constexpr absl::Duration kActionLimit = absl::Minutes(5);
// Machines of a batch that are asked for one by one when the list lacks them.
constexpr size_t kMaxSingleLooks = 20;

// The uid of the machine that a droplet was made for; empty for none.
std::string UidOf(const Droplet& droplet) {
  for (const std::string& tag : droplet.tags) {
    if (std::optional<std::string> uid = UidOfTag(tag); uid.has_value()) return *std::move(uid);
  }
  return "";
}

void WarnOf(DriverCall& call, const Options& options, const Settings& settings) {
  if (!options.GetString(kSizeFlag).empty() && options.GetString(kSizeFlag) != settings.size) {
    call.Warning(absl::StrCat("--", kSizeFlag, ": ", options.GetString(kSizeFlag),
                              " is now called ", settings.size));
  }
  if (settings.private_networking) {
    call.Warning(
        "--digitalocean-private-networking has no effect: every droplet is in a private network");
  }
  if (std::any_of(settings.open_cidrs.begin(), settings.open_cidrs.end(), IsEverywhere)) {
    call.Warning(absl::StrCat("--", kOpenCidrFlag,
                              ": the whole internet may try to reach ssh and the engine"));
  }
}

absl::StatusOr<std::vector<Observation>> InspectAll(DriverCall& call, const DigitalOceanApi& api,
                                                    const AccountMachines& machines) {
  DM_ASSIGN_OR_RETURN(const std::vector<Droplet> droplets, api.ListDroplets(call, kMachineTag));
  std::map<std::string, const Droplet*> by_uid;
  for (const Droplet& droplet : droplets) by_uid.emplace(UidOf(droplet), &droplet);
  size_t single_looks = 0;
  std::vector<Observation> observations;
  for (const MachineSpec* const machine : machines) {
    DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine->options));
    const auto listed = by_uid.find(machine->uid);
    if (listed != by_uid.end()) {
      observations.push_back(ObservationOf(*listed->second, settings));
      continue;
    }
    // Pages shift while they are read, and lists lag: absence is worth another look.
    std::optional<Droplet> droplet;
    State state;
    DM_RETURN_IF_ERROR(machine->ParseState(state));
    // One that was imported is never listed by our tag.
    if (state.imported() || single_looks++ < kMaxSingleLooks) {
      DM_ASSIGN_OR_RETURN(droplet, FindDroplet(call, api, *machine));
    }
    observations.push_back(droplet.has_value() ? ObservationOf(*droplet, settings)
                                               : NotFoundObservation());
  }
  return observations;
}

}  // namespace

DriverInfo DigitalOceanDriver::info() const {
  return CloudDriverInfo("digitalocean", absl::Minutes(5));
}

Flags DigitalOceanDriver::flags() const { return DigitalOceanFlags(); }

absl::Status DigitalOceanDriver::Init(const DriverEnvironment&) {
  http_ = std::make_unique<common::HttpClient>();
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<DigitalOceanApi>> DigitalOceanDriver::AccountOf(
    const Options& options) {
  DM_ASSIGN_OR_RETURN(const Credentials credentials, ReadCredentials(options));
  return accounts_.Of(absl::StrCat(credentials.endpoint, "\n", credentials.token), [&] {
    return std::make_shared<DigitalOceanApi>(*http_, credentials.endpoint, credentials.token,
                                             timing_.retry);
  });
}

absl::Status DigitalOceanDriver::Validate(Options& options) const {
  DM_RETURN_IF_ERROR(ReadCredentials(options).status());
  return ReadSettings(options).status();
}

absl::Status DigitalOceanDriver::PreCreateCheck(DriverCall& call, const MachineSpec& machine) {
  DM_RETURN_IF_ERROR(CheckRetiredValues(machine.options));
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  WarnOf(call, machine.options, settings);
  const absl::StatusOr<Account> account = api->GetAccount(call);
  if (account.ok() && account->status == "locked") {
    return PreCreateCheckFailed(
        absl::StrCat("the DigitalOcean account is locked. ", account->status_message));
  }
  // A token need not be allowed to read the account.
  const bool may_go_on = account.ok() || absl::IsPermissionDenied(account.status());
  return ExplainCheck(may_go_on ? CheckSettings(call, *api, settings) : account.status(),
                      absl::StrCat("--", kTokenFlag), absl::StrCat("--", kEndpointFlag));
}

absl::StatusOr<Observation> DigitalOceanDriver::Create(DriverCall& call,
                                                       const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  return DropletCreator(call, *api, timing_, machine, settings).Run();
}

absl::StatusOr<Observation> DigitalOceanDriver::Bring(DriverCall& call, const MachineSpec& machine,
                                                      absl::string_view status,
                                                      absl::string_view type,
                                                      absl::Duration grace) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  DM_ASSIGN_OR_RETURN(const Droplet droplet,
                      BringTo(call, *api, timing_, machine, status, type, grace));
  return ObservationOf(droplet, settings);
}

absl::StatusOr<Observation> DigitalOceanDriver::Start(DriverCall& call,
                                                      const MachineSpec& machine) {
  call.Progress("Starting droplet...");
  return Bring(call, machine, "active", "power_on", kActionLimit);
}

absl::StatusOr<Observation> DigitalOceanDriver::Stop(DriverCall& call, const MachineSpec& machine,
                                                     std::optional<absl::Duration> grace) {
  call.Progress("Stopping droplet...");
  return Bring(call, machine, "off", "shutdown", grace.value_or(timing_.grace));
}

absl::StatusOr<Observation> DigitalOceanDriver::Kill(DriverCall& call, const MachineSpec& machine) {
  call.Progress("Powering off droplet...");
  return Bring(call, machine, "off", "power_off", kActionLimit);
}

absl::StatusOr<Observation> DigitalOceanDriver::Restart(DriverCall& call,
                                                        const MachineSpec& machine) {
  call.Progress("Restarting droplet...");
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  DM_ASSIGN_OR_RETURN(const Droplet droplet, RequireDroplet(call, *api, machine));
  if (droplet.status == "active") {
    DM_RETURN_IF_ERROR(RunAction(call, *api, timing_, droplet.id, "reboot"));
  }
  return Bring(call, machine, "active", "power_on", kActionLimit);
}

absl::Status DigitalOceanDriver::Remove(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  call.Progress("Removing droplet...");
  return RemoveAll(call, *api, timing_, machine);
}

absl::StatusOr<Observation> DigitalOceanDriver::Inspect(DriverCall& call,
                                                        const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  DM_ASSIGN_OR_RETURN(const std::optional<Droplet> droplet, FindDroplet(call, *api, machine));
  return droplet.has_value() ? ObservationOf(*droplet, settings) : NotFoundObservation();
}

absl::StatusOr<std::vector<Observation>> DigitalOceanDriver::BatchInspect(
    DriverCall& call, absl::Span<const MachineSpec> machines) {
  return InspectByAccount<DigitalOceanApi>(
      machines, [&](const MachineSpec& machine) { return AccountOf(machine.options); },
      [&](DigitalOceanApi& api, const AccountMachines& share) {
        return InspectAll(call, api, share);
      });
}

absl::StatusOr<std::vector<::driver::v1::ListInstancesResponse>> DigitalOceanDriver::ListInstances(
    DriverCall& call, absl::string_view orchestrator_id, const Options& options) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(options));
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(options));
  DM_ASSIGN_OR_RETURN(const std::vector<Droplet> droplets,
                      api->ListDroplets(call, OrchestratorTag(orchestrator_id)));
  std::vector<::driver::v1::ListInstancesResponse> instances;
  for (const Droplet& droplet : droplets) {
    ::driver::v1::ListInstancesResponse& instance = instances.emplace_back();
    instance.set_machine_uid(UidOf(droplet));
    *instance.mutable_observation() = ObservationOf(droplet, settings);
  }
  return instances;
}

absl::StatusOr<std::string> DigitalOceanDriver::UpgradeState(DriverCall& call,
                                                             const MachineSpec& machine) {
  if (machine.state_version != kImportedStateVersion) return Driver::UpgradeState(call, machine);
  DM_ASSIGN_OR_RETURN(const State state, ImportedState(machine.state.value_or("")));
  return state.SerializeAsString();
}

}  // namespace machine::driver::digitalocean
