#include "drivers/softlayer/catalog.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "drivers/sdk/cloud/choices.h"
#include "drivers/sdk/errors.h"
#include "services/common/status/status.h"

namespace machine::driver::softlayer {
namespace {

// The original's data center; it need not take orders any longer.
constexpr absl::string_view kPreferredRegion = "dal01";

std::vector<std::string> TextsOf(std::vector<int64_t> numbers) {
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  std::vector<std::string> texts;
  for (const int64_t number : numbers) texts.push_back(absl::StrCat(number));
  return texts;
}

absl::Status CheckNumber(absl::string_view flag, absl::string_view what, int64_t value,
                         const std::vector<int64_t>& existing) {
  if (std::find(existing.begin(), existing.end(), value) != existing.end()) return absl::OkStatus();
  return NoSuchChoice(flag, what, absl::StrCat(value), TextsOf(existing));
}

absl::StatusOr<std::string> ChooseRegion(const CreateOptions& options, const Settings& settings) {
  std::vector<std::string> regions = options.datacenters;
  std::sort(regions.begin(), regions.end());
  if (settings.region.empty() && !regions.empty()) {
    // Where the original's default is closed: another of the same town, else any.
    for (const absl::string_view wanted : {kPreferredRegion, kPreferredRegion.substr(0, 3)}) {
      for (const std::string& region : regions) {
        if (absl::StartsWith(region, wanted)) return region;
      }
    }
    return regions.front();
  }
  DM_RETURN_IF_ERROR(CheckChoice(kRegionFlag, "data center that takes orders", settings.region,
                                 std::move(regions)));
  return settings.region;
}

// Year of a 64-bit Ubuntu LTS, which come out in even years; 0 for other codes.
int LtsYear(absl::string_view code) {
  int year = 0;
  if (!absl::ConsumePrefix(&code, "UBUNTU_") || !absl::ConsumeSuffix(&code, "_64") ||
      !absl::SimpleAtoi(code, &year) || year % 2 != 0) {
    return 0;
  }
  return year;
}

absl::StatusOr<std::string> ChooseImage(const CreateOptions& options, const Settings& settings) {
  if (IsImageTemplate(settings.image)) return settings.image;
  if (settings.image == "UBUNTU_LATEST" || settings.image == "UBUNTU_LATEST_64") {
    const auto newest = std::max_element(
        options.images.begin(), options.images.end(),
        [](const std::string& a, const std::string& b) { return LtsYear(a) < LtsYear(b); });
    if (newest != options.images.end() && LtsYear(*newest) != 0) return *newest;
    return settings.image;
  }
  // "DEBIAN_LATEST" and the like are known to the order alone.
  if (absl::StrContains(settings.image, "_LATEST")) return settings.image;
  DM_RETURN_IF_ERROR(CheckChoice(kImageFlag, "image", settings.image, options.images));
  return settings.image;
}

absl::Status CheckVlans(const common::CallScope& call, const SoftLayerApi& api,
                        const Settings& settings) {
  if (settings.public_vlan == 0 && settings.private_vlan == 0) return absl::OkStatus();
  DM_ASSIGN_OR_RETURN(const std::vector<int64_t> vlans, api.ListVlans(call));
  if (settings.public_vlan != 0) {
    DM_RETURN_IF_ERROR(CheckNumber(kPublicVlanFlag, "VLAN", settings.public_vlan, vlans));
  }
  if (settings.private_vlan == 0) return absl::OkStatus();
  return CheckNumber(kPrivateVlanFlag, "VLAN", settings.private_vlan, vlans);
}

absl::Status CheckKey(const common::CallScope& call, const SoftLayerApi& api,
                      const Settings& settings) {
  if (settings.key_id == 0) return absl::OkStatus();
  DM_ASSIGN_OR_RETURN(const std::vector<SshKey> keys, api.ListSshKeys(call));
  std::vector<int64_t> ids;
  for (const SshKey& key : keys) ids.push_back(key.id);
  return CheckNumber(kKeyIdFlag, "ssh key", settings.key_id, ids);
}

}  // namespace

absl::StatusOr<Choice> Choose(const common::CallScope& call, const SoftLayerApi& api,
                              const Settings& settings) {
  DM_ASSIGN_OR_RETURN(const CreateOptions options, api.GetCreateOptions(call));
  Choice choice;
  DM_ASSIGN_OR_RETURN(choice.region, ChooseRegion(options, settings));
  DM_ASSIGN_OR_RETURN(choice.image, ChooseImage(options, settings));
  DM_RETURN_IF_ERROR(CheckNumber(kCpuFlag, "number of CPUs", settings.cpus, options.cpus));
  DM_RETURN_IF_ERROR(
      CheckNumber(kMemoryFlag, "size of memory", settings.memory_mib, options.memory_mib));
  if (settings.disk_gib != 0) {
    DM_RETURN_IF_ERROR(
        CheckNumber(kDiskFlag, settings.local_disk ? "local disk" : "disk", settings.disk_gib,
                    settings.local_disk ? options.local_disks_gib : options.san_disks_gib));
  }
  return choice;
}

GuestSpec OrderOf(const Settings& settings, const Choice& choice) {
  return {.hostname = settings.hostname,
          .domain = settings.domain,
          .datacenter = choice.region,
          .image = choice.image,
          .cpus = settings.cpus,
          .memory_mib = settings.memory_mib,
          .disk_gib = settings.disk_gib,
          .hourly = settings.hourly,
          .local_disk = settings.local_disk,
          .private_only = settings.private_only,
          .public_vlan = settings.public_vlan,
          .private_vlan = settings.private_vlan};
}

absl::Status CheckSettings(const common::CallScope& call, const SoftLayerApi& api,
                           const Settings& settings) {
  DM_ASSIGN_OR_RETURN(const Choice choice, Choose(call, api, settings));
  DM_RETURN_IF_ERROR(CheckVlans(call, api, settings));
  DM_RETURN_IF_ERROR(CheckKey(call, api, settings));
  const absl::Status order = api.CheckOrder(call, OrderOf(settings, choice));
  if (absl::IsPermissionDenied(order)) {
    return PreCreateCheckFailed(absl::StrCat(
        "--", kUserFlag, ": the user may not order this; it takes the permission \"Add Server\"",
        settings.private_only ? "" : " and \"Add Compute with Public Network Port\"", ". ",
        order.message()));
  }
  if (absl::IsInvalidArgument(order) || absl::IsFailedPrecondition(order)) {
    return PreCreateCheckFailed(
        absl::StrCat("SoftLayer does not take this order: ", order.message()));
  }
  return order;
}

}  // namespace machine::driver::softlayer
