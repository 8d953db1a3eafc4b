#include "drivers/google/catalog.h"

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "drivers/sdk/cloud/choices.h"
#include "services/common/status/status.h"

namespace machine::driver::gce {
namespace {

// An engine hardly runs in less.
constexpr int64_t kLeastMemoryMib = 1024;
// https://cloud.google.com/compute/docs/images/os-details#ubuntu_lts
constexpr absl::string_view kUbuntuProject = "ubuntu-os-cloud";
constexpr absl::string_view kUbuntuFamily = "ubuntu-2404-lts-amd64";
constexpr absl::string_view kUbuntuArmFamily = "ubuntu-2404-lts-arm64";

// Whether new instances of it can be made.
bool IsGone(absl::string_view deprecation) {
  return deprecation == "OBSOLETE" || deprecation == "DELETED";
}

absl::Status Gone(absl::string_view flag, absl::string_view name, absl::string_view replacement) {
  return PreCreateCheckFailed(absl::StrCat("--", flag, ": \"", name,
                                           "\" is withdrawn by Google; use ",
                                           replacement.empty() ? "a current one" : replacement));
}

absl::StatusOr<MachineType> ChooseMachineType(const common::CallScope& call, const GoogleApi& api,
                                              const Settings& settings) {
  DM_ASSIGN_OR_RETURN(const std::vector<MachineType> types,
                      api.ListMachineTypes(call, settings.zone));
  if (settings.machine_type.empty()) {
    std::optional<MachineType> smallest = SmallestUsable(types);
    if (smallest.has_value()) return *std::move(smallest);
    return PreCreateCheckFailed(absl::StrCat("zone ", settings.zone,
                                             " has no machine type with 1 GiB of memory; choose "
                                             "another zone with --",
                                             kZoneFlag));
  }
  std::vector<std::string> names;
  for (const MachineType& type : types) {
    if (type.name == settings.machine_type) {
      if (IsGone(type.deprecation)) return Gone(kMachineTypeFlag, type.name, type.replacement);
      return type;
    }
    if (type.deprecation.empty()) names.push_back(type.name);
  }
  // Custom types, as "e2-custom-2-4096", are in no list; Google says when one cannot be.
  if (absl::StrContains(settings.machine_type, "custom-")) {
    return MachineType{.name = settings.machine_type, .memory_mib = kLeastMemoryMib};
  }
  return NoSuchChoice(kMachineTypeFlag, absl::StrCat("machine type in zone ", settings.zone),
                      settings.machine_type, std::move(names));
}

// Image or family of that name.
absl::StatusOr<Image> FindNamedImage(const common::CallScope& call, const GoogleApi& api,
                                     const ImageName& wanted) {
  DM_ASSIGN_OR_RETURN(std::optional<Image> image,
                      api.FindImageOfFamily(call, wanted.project, wanted.name));
  if (!image.has_value()) {
    DM_ASSIGN_OR_RETURN(image, api.FindImage(call, wanted.project, wanted.name));
  }
  if (image.has_value()) {
    if (IsGone(image->deprecation)) return Gone(kImageFlag, image->name, image->replacement);
    return *std::move(image);
  }
  DM_ASSIGN_OR_RETURN(const std::vector<Image> images, api.ListImages(call, wanted.project));
  std::vector<std::string> names;
  for (const Image& each : images) {
    if (each.deprecation.empty()) names.push_back(each.family.empty() ? each.name : each.family);
  }
  return NoSuchChoice(kImageFlag, absl::StrCat("image or family in project ", wanted.project),
                      wanted.name, std::move(names));
}

absl::StatusOr<Image> ChooseImage(const common::CallScope& call, const GoogleApi& api,
                                  const Settings& settings, const MachineType& type) {
  ImageName wanted = settings.image;
  if (wanted.name.empty()) {
    wanted = {std::string(kUbuntuProject),
              std::string(type.arm ? kUbuntuArmFamily : kUbuntuFamily)};
  }
  DM_ASSIGN_OR_RETURN(Image image, FindNamedImage(call, api, wanted));
  if (image.arm != type.arm) {
    return PreCreateCheckFailed(absl::StrCat(
        "--", kImageFlag, ": ", image.name, " is for ", image.arm ? "ARM" : "x86-64", ", and ",
        type.name, " is ", type.arm ? "ARM" : "x86-64", "; choose another --", kMachineTypeFlag));
  }
  if (image.disk_gb > settings.disk_gb) {
    return PreCreateCheckFailed(absl::StrCat("--", kDiskSizeFlag, ": the image ", image.name,
                                             " needs ", image.disk_gb, " GB"));
  }
  return image;
}

absl::Status CheckZone(const common::CallScope& call, const GoogleApi& api,
                       const Settings& settings) {
  DM_ASSIGN_OR_RETURN(const std::vector<Zone> zones, api.ListZones(call));
  std::vector<std::string> names;
  for (const Zone& zone : zones) {
    if (zone.status == "UP") names.push_back(zone.name);
  }
  return CheckChoice(kZoneFlag, "zone", settings.zone, std::move(names));
}

absl::Status CheckNetwork(const common::CallScope& call, const GoogleApi& api,
                          const Settings& settings) {
  DM_ASSIGN_OR_RETURN(const std::optional<Network> network,
                      api.FindNetwork(call, settings.network));
  if (!network.has_value()) {
    const std::vector<std::string> parts = absl::StrSplit(settings.network, '/');
    DM_ASSIGN_OR_RETURN(std::vector<std::string> names, api.ListNetworks(call, parts[1]));
    return NoSuchChoice(kNetworkFlag, absl::StrCat("network in project ", parts[1]), parts.back(),
                        std::move(names));
  }
  std::vector<std::string> here;
  const std::string region = absl::StrCat("/regions/", settings.region, "/");
  for (const std::string& path : network->subnetworks) {
    if (absl::StrContains(path, region)) here.push_back(LastPart(path));
  }
  const std::string what =
      absl::StrCat("subnetwork of ", network->name, " in region ", settings.region);
  if (!settings.subnetwork.empty()) {
    DM_ASSIGN_OR_RETURN(const bool there, api.HasSubnetwork(call, settings.subnetwork));
    if (there) return absl::OkStatus();
    return NoSuchChoice(kSubnetworkFlag, what, LastPart(settings.subnetwork), std::move(here));
  }
  if (network->automatic || network->subnetworks.empty()) return absl::OkStatus();
  return NoSuchChoice(kSubnetworkFlag, what, "", std::move(here));
}

}  // namespace

std::optional<MachineType> SmallestUsable(absl::Span<const MachineType> types) {
  const auto order = [](const MachineType& type) {
    return std::make_tuple(type.memory_mib, -type.cpus, type.name);
  };
  const MachineType* smallest = nullptr;
  for (const MachineType& type : types) {
    if (type.arm || type.has_accelerators || !type.deprecation.empty() ||
        type.memory_mib < kLeastMemoryMib) {
      continue;
    }
    if (smallest == nullptr || order(type) < order(*smallest)) smallest = &type;
  }
  return smallest == nullptr ? std::nullopt : std::make_optional(*smallest);
}

absl::StatusOr<Choice> Choose(const common::CallScope& call, const GoogleApi& api,
                              const Settings& settings) {
  DM_ASSIGN_OR_RETURN(const MachineType type, ChooseMachineType(call, api, settings));
  DM_ASSIGN_OR_RETURN(const Image image, ChooseImage(call, api, settings, type));
  return Choice{.image = image.path,
                .machine_type = type.name,
                .little_memory = type.memory_mib < kLeastMemoryMib};
}

absl::StatusOr<std::string> IpOfAddress(const common::CallScope& call, const GoogleApi& api,
                                        const Settings& settings) {
  DM_ASSIGN_OR_RETURN(const std::vector<Address> addresses,
                      api.ListAddresses(call, settings.region));
  std::vector<std::string> names;
  for (const Address& address : addresses) {
    if (address.name == settings.address || address.ip == settings.address) return address.ip;
    names.push_back(absl::StrCat(address.name, " (", address.ip, ")"));
  }
  return NoSuchChoice(kAddressFlag, absl::StrCat("address in region ", settings.region),
                      settings.address, std::move(names));
}

absl::StatusOr<Choice> CheckSettings(const common::CallScope& call, const GoogleApi& api,
                                     const Settings& settings) {
  DM_RETURN_IF_ERROR(CheckZone(call, api, settings));
  DM_ASSIGN_OR_RETURN(Choice choice, Choose(call, api, settings));
  DM_ASSIGN_OR_RETURN(std::vector<std::string> disk_types, api.ListDiskTypes(call, settings.zone));
  DM_RETURN_IF_ERROR(CheckChoice(kDiskTypeFlag, absl::StrCat("disk type in zone ", settings.zone),
                                 settings.disk_type, std::move(disk_types)));
  DM_RETURN_IF_ERROR(CheckNetwork(call, api, settings));
  if (!settings.address.empty()) DM_RETURN_IF_ERROR(IpOfAddress(call, api, settings).status());
  return choice;
}

}  // namespace machine::driver::gce
