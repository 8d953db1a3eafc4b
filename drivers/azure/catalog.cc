#include "drivers/azure/catalog.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "drivers/sdk/cloud/choices.h"
#include "services/common/status/status.h"

namespace machine::driver::azure {
namespace {

constexpr double kLeastMemoryGib = 1;
constexpr absl::string_view kUbuntuPublisher = "Canonical";
constexpr absl::string_view kLatest = "latest";

bool IsIn(const std::vector<std::string>& all, absl::string_view one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

// Azure takes names in any case.
absl::Status CheckName(absl::string_view flag, absl::string_view what, absl::string_view value,
                       std::vector<std::string> existing) {
  const bool there = std::any_of(existing.begin(), existing.end(), [&](const std::string& each) {
    return absl::EqualsIgnoreCase(each, value);
  });
  return there ? absl::OkStatus() : NoSuchChoice(flag, what, value, std::move(existing));
}

std::vector<int64_t> NumbersOf(absl::string_view version) {
  std::vector<int64_t> numbers;
  for (const absl::string_view part : absl::StrSplit(version, '.')) {
    int64_t number = 0;
    if (!absl::SimpleAtoi(part, &number)) number = -1;
    numbers.push_back(number);
  }
  return numbers;
}

absl::StatusOr<Size> ChooseSize(const std::vector<Size>& sizes, const Settings& settings) {
  if (settings.size.empty()) {
    std::optional<Size> size = SmallestUsable(sizes, settings.zone);
    if (size.has_value()) return *std::move(size);
    return PreCreateCheckFailed(absl::StrCat("location ", settings.location,
                                             " has no size with 1 GiB of memory for this "
                                             "subscription; choose another with --",
                                             kLocationFlag));
  }
  std::vector<std::string> names;
  for (const Size& size : sizes) {
    if (!absl::EqualsIgnoreCase(size.name, settings.size)) {
      if (size.restriction.empty()) names.push_back(size.name);
      continue;
    }
    if (!size.restriction.empty()) {
      return PreCreateCheckFailed(absl::StrCat("--", kSizeFlag, ": this subscription may not have ",
                                               size.name, " in ", settings.location, " (",
                                               size.restriction, "); choose another size or --",
                                               kLocationFlag));
    }
    if (!settings.zone.empty() && !IsIn(size.zones, settings.zone)) {
      return NoSuchChoice(kZoneFlag, absl::StrCat("zone with ", size.name), settings.zone,
                          size.zones);
    }
    return size;
  }
  return NoSuchChoice(kSizeFlag, absl::StrCat("size in location ", settings.location),
                      settings.size, std::move(names));
}

absl::StatusOr<ImageName> DefaultImage(const common::CallScope& call, const AzureApi& api,
                                       const Settings& settings, const Size& size) {
  DM_ASSIGN_OR_RETURN(const std::vector<std::string> offers,
                      api.ListOffers(call, settings.location, kUbuntuPublisher));
  const std::optional<std::string> offer = NewestUbuntuLts(offers);
  if (!offer.has_value()) {
    return PreCreateCheckFailed(absl::StrCat("location ", settings.location,
                                             " has no image of an Ubuntu LTS; choose one with --",
                                             kImageFlag));
  }
  return ImageName{.publisher = std::string(kUbuntuPublisher),
                   .offer = *offer,
                   .sku = size.arm           ? "server-arm64"
                          : size.generation2 ? "server"
                                             : "server-gen1",
                   .version = std::string(kLatest),
                   .id = ""};
}

// The image as asked for, with its version; a failed check says what exists.
absl::StatusOr<ImageName> Resolve(const common::CallScope& call, const AzureApi& api,
                                  const Settings& settings, ImageName image) {
  if (!image.id.empty()) {
    DM_ASSIGN_OR_RETURN(const bool there, api.HasImage(call, image.id));
    if (there) return image;
    return PreCreateCheckFailed(absl::StrCat("--", kImageFlag, ": there is no image ", image.id,
                                             ", or these credentials may not read it"));
  }
  const std::string& location = settings.location;
  DM_ASSIGN_OR_RETURN(const std::vector<std::string> versions,
                      api.ListVersions(call, location, image));
  if (!versions.empty()) {
    if (image.version == kLatest) {
      image.version = NewestVersion(versions);
      return image;
    }
    DM_RETURN_IF_ERROR(CheckName(kImageFlag, "version of that image", image.version, versions));
    return image;
  }
  DM_ASSIGN_OR_RETURN(std::vector<std::string> offers,
                      api.ListOffers(call, location, image.publisher));
  if (offers.empty()) {
    return PreCreateCheckFailed(absl::StrCat("--", kImageFlag, ": location ", location,
                                             " has no publisher \"", image.publisher,
                                             "\"; see \"az vm image list-publishers\""));
  }
  DM_RETURN_IF_ERROR(CheckName(kImageFlag, absl::StrCat("offer of ", image.publisher), image.offer,
                               std::move(offers)));
  DM_ASSIGN_OR_RETURN(std::vector<std::string> skus,
                      api.ListImageSkus(call, location, image.publisher, image.offer));
  return NoSuchChoice(kImageFlag, absl::StrCat("sku of ", image.offer), image.sku, std::move(skus));
}

absl::Status CheckNetwork(const common::CallScope& call, const AzureApi& api,
                          const Settings& settings) {
  DM_ASSIGN_OR_RETURN(const std::optional<Resource> network,
                      api.Find(call, Kind::kNetwork, settings.network_group, settings.network));
  if (!network.has_value()) {
    return PreCreateCheckFailed(absl::StrCat("--", kNetworkFlag, ": resource group ",
                                             settings.network_group, " has no virtual network ",
                                             settings.network));
  }
  if (LocationName(network->location) != settings.location) {
    return PreCreateCheckFailed(absl::StrCat("--", kNetworkFlag, ": ", settings.network, " is in ",
                                             network->location,
                                             "; a machine must be in the same "
                                             "location (--",
                                             kLocationFlag, ")"));
  }
  std::vector<std::string> subnets;
  for (const Json& subnet : Elements(Member(network->json, "properties"), "subnets")) {
    subnets.push_back(Text(subnet, "name"));
  }
  return CheckName(kSubnetFlag, absl::StrCat("subnet of ", settings.network), settings.subnet,
                   std::move(subnets));
}

}  // namespace

std::optional<std::string> NewestUbuntuLts(absl::Span<const std::string> offers) {
  std::optional<std::string> newest;
  int newest_year = 0;
  for (const std::string& offer : offers) {
    const std::vector<absl::string_view> parts = absl::StrSplit(offer, '-');
    int year = 0;
    // LTS releases are those of April of even years.
    if (parts.size() == 3 && parts[0] == "ubuntu" && parts[2] == "lts" &&
        absl::EndsWith(parts[1], "_04") &&
        absl::SimpleAtoi(parts[1].substr(0, parts[1].size() - 3), &year) && year % 2 == 0 &&
        year > newest_year) {
      newest = offer;
      newest_year = year;
    }
  }
  return newest;
}

std::string NewestVersion(absl::Span<const std::string> versions) {
  const auto newest = std::max_element(
      versions.begin(), versions.end(),
      [](const std::string& a, const std::string& b) { return NumbersOf(a) < NumbersOf(b); });
  return newest == versions.end() ? "" : *newest;
}

std::optional<Size> SmallestUsable(absl::Span<const Size> sizes, absl::string_view zone) {
  std::optional<Size> smallest;
  const auto rank = [](const Size& size) {
    // Of two with as much memory and as many cores, burstable ones cost less.
    return std::tuple(size.memory_gib, size.cpus, !absl::StartsWith(size.name, "Standard_B"),
                      size.name);
  };
  for (const Size& size : sizes) {
    const bool usable = size.restriction.empty() && size.memory_gib >= kLeastMemoryGib &&
                        size.generation2 && !size.arm && (zone.empty() || IsIn(size.zones, zone));
    if (usable && (!smallest.has_value() || rank(size) < rank(*smallest))) smallest = size;
  }
  return smallest;
}

absl::StatusOr<Choice> Choose(const common::CallScope& call, const AzureApi& api,
                              const Settings& settings) {
  DM_ASSIGN_OR_RETURN(const std::vector<Size> sizes, api.ListSizes(call, settings.location));
  DM_ASSIGN_OR_RETURN(const Size size, ChooseSize(sizes, settings));
  ImageName image = settings.image;
  if (image.empty()) {
    DM_ASSIGN_OR_RETURN(image, DefaultImage(call, api, settings, size));
  }
  DM_ASSIGN_OR_RETURN(image, Resolve(call, api, settings, std::move(image)));
  return Choice{std::move(image), size.name, size.memory_gib};
}

absl::StatusOr<Choice> CheckSettings(const common::CallScope& call, const AzureApi& api,
                                     const Settings& settings) {
  DM_ASSIGN_OR_RETURN(std::vector<std::string> locations, api.ListLocations(call));
  DM_RETURN_IF_ERROR(CheckName(kLocationFlag, "location", settings.location, std::move(locations)));
  if (!settings.resource_group.empty()) {
    DM_ASSIGN_OR_RETURN(const std::optional<Resource> group,
                        api.FindGroup(call, settings.resource_group));
    if (!group.has_value()) {
      DM_ASSIGN_OR_RETURN(std::vector<std::string> groups, api.ListGroups(call));
      return NoSuchChoice(kGroupFlag, "resource group", settings.resource_group, std::move(groups));
    }
  }
  if (settings.network.empty() && !settings.public_ip) {
    return PreCreateCheckFailed(absl::StrCat(
        "--", kNoPublicIpFlag,
        ": nobody could reach the machine, nor it a registry, in a network of its own; "
        "name one with a way in and a NAT gateway by --",
        kNetworkFlag));
  }
  if (!settings.network.empty()) DM_RETURN_IF_ERROR(CheckNetwork(call, api, settings));
  return Choose(call, api, settings);
}

}  // namespace machine::driver::azure
