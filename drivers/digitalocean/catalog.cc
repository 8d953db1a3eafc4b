#include "drivers/digitalocean/catalog.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "drivers/sdk/cloud/choices.h"
#include "services/common/status/status.h"

namespace machine::driver::digitalocean {
namespace {

// An engine and its image layers do not fit into less for long.
constexpr int64_t kLeastMemoryMib = 1024;
constexpr int64_t kLeastDiskGib = 10;

bool IsIn(const std::vector<std::string>& regions, absl::string_view region) {
  return std::find(regions.begin(), regions.end(), region) != regions.end();
}

// {24, 4} of "ubuntu-24-04-x64".
std::optional<std::pair<int, int>> UbuntuVersion(absl::string_view slug) {
  const std::vector<absl::string_view> parts = absl::StrSplit(slug, '-');
  std::pair<int, int> version;
  if (parts.size() != 4 || parts[0] != "ubuntu" || parts[3] != "x64" ||
      !absl::SimpleAtoi(parts[1], &version.first) || !absl::SimpleAtoi(parts[2], &version.second)) {
    return std::nullopt;
  }
  return version;
}

absl::StatusOr<Image> ChooseImage(const common::CallScope& call, const DigitalOceanApi& api,
                                  const Settings& settings) {
  std::optional<Image> image;
  if (!settings.image.empty()) {
    DM_ASSIGN_OR_RETURN(image, api.FindImage(call, settings.image));
    if (image.has_value() && IsIn(image->regions, settings.region)) return *std::move(image);
  }
  DM_ASSIGN_OR_RETURN(const std::vector<Image> images, api.ListDistributions(call));
  if (settings.image.empty()) {
    image = NewestUbuntuLts(images, settings.region);
    if (image.has_value()) return *std::move(image);
    return PreCreateCheckFailed(absl::StrCat("region ", settings.region,
                                             " has no image of an Ubuntu LTS; choose one with --",
                                             kImageFlag));
  }
  std::vector<std::string> slugs;
  for (const Image& each : images) {
    if (!each.slug.empty() && IsIn(each.regions, settings.region)) slugs.push_back(each.slug);
  }
  return NoSuchChoice(kImageFlag, absl::StrCat("image in region ", settings.region), settings.image,
                      std::move(slugs));
}

absl::StatusOr<std::string> ChooseSize(const common::CallScope& call, const DigitalOceanApi& api,
                                       const Settings& settings, const Image& image) {
  DM_ASSIGN_OR_RETURN(const std::vector<Size> sizes, api.ListSizes(call));
  if (settings.size.empty()) {
    const std::optional<Size> size =
        CheapestUsable(sizes, settings.region, std::max(kLeastDiskGib, image.min_disk_gib));
    if (size.has_value()) return size->slug;
    return PreCreateCheckFailed(absl::StrCat(
        "region ", settings.region, " has no size with ", kLeastMemoryMib,
        " MiB of memory and enough disk for the image; choose another with --", kRegionFlag));
  }
  std::vector<std::string> slugs;
  for (const Size& size : sizes) {
    if (!size.available || !IsIn(size.regions, settings.region)) continue;
    slugs.push_back(size.slug);
    if (size.slug == settings.size && size.disk_gib < image.min_disk_gib) {
      return PreCreateCheckFailed(absl::StrCat("--", kSizeFlag, ": the disk of ", size.slug,
                                               " has ", size.disk_gib, " GiB, and the image needs ",
                                               image.min_disk_gib));
    }
  }
  DM_RETURN_IF_ERROR(CheckChoice(kSizeFlag, absl::StrCat("size in region ", settings.region),
                                 settings.size, std::move(slugs)));
  return settings.size;
}

absl::Status CheckRegion(const common::CallScope& call, const DigitalOceanApi& api,
                         const Settings& settings) {
  DM_ASSIGN_OR_RETURN(const std::vector<Region> regions, api.ListRegions(call));
  std::vector<std::string> slugs;
  for (const Region& region : regions) {
    if (region.available) slugs.push_back(region.slug);
  }
  return CheckChoice(kRegionFlag, "region", settings.region, std::move(slugs));
}

absl::Status CheckVpc(const common::CallScope& call, const DigitalOceanApi& api,
                      const Settings& settings) {
  DM_ASSIGN_OR_RETURN(const std::vector<Vpc> vpcs, api.ListVpcs(call));
  std::vector<std::string> ids;
  for (const Vpc& vpc : vpcs) {
    if (vpc.region == settings.region) ids.push_back(vpc.id);
  }
  return CheckChoice(kVpcFlag, absl::StrCat("VPC in region ", settings.region), settings.vpc_uuid,
                     std::move(ids));
}

absl::Status CheckKey(const common::CallScope& call, const DigitalOceanApi& api,
                      const Settings& settings) {
  DM_ASSIGN_OR_RETURN(const std::optional<SshKey> known,
                      api.FindSshKey(call, settings.key_fingerprint));
  if (known.has_value()) return absl::OkStatus();
  DM_ASSIGN_OR_RETURN(const std::vector<SshKey> keys, api.ListSshKeys(call));
  std::vector<std::string> fingerprints;
  for (const SshKey& key : keys) fingerprints.push_back(key.fingerprint);
  return CheckChoice(kKeyFlag, "ssh key", settings.key_fingerprint, std::move(fingerprints));
}

}  // namespace

std::optional<Image> NewestUbuntuLts(absl::Span<const Image> images, absl::string_view region) {
  std::optional<Image> newest;
  std::pair<int, int> newest_version;
  for (const Image& image : images) {
    const auto version = UbuntuVersion(image.slug);
    if (!version.has_value() || !absl::StrContains(image.name, "LTS") ||
        !IsIn(image.regions, region) || (newest.has_value() && *version < newest_version)) {
      continue;
    }
    newest = image;
    newest_version = *version;
  }
  return newest;
}

std::optional<Size> CheapestUsable(absl::Span<const Size> sizes, absl::string_view region,
                                   int64_t least_disk_gib) {
  std::optional<Size> cheapest;
  for (const Size& size : sizes) {
    if (size.available && size.memory_mib >= kLeastMemoryMib && size.disk_gib >= least_disk_gib &&
        IsIn(size.regions, region) &&
        (!cheapest.has_value() || size.price_hourly < cheapest->price_hourly)) {
      cheapest = size;
    }
  }
  return cheapest;
}

absl::StatusOr<Choice> Choose(const common::CallScope& call, const DigitalOceanApi& api,
                              const Settings& settings) {
  DM_ASSIGN_OR_RETURN(const Image image, ChooseImage(call, api, settings));
  Choice choice;
  choice.image = image.slug.empty() ? absl::StrCat(image.id) : image.slug;
  DM_ASSIGN_OR_RETURN(choice.size, ChooseSize(call, api, settings, image));
  return choice;
}

absl::Status CheckSettings(const common::CallScope& call, const DigitalOceanApi& api,
                           const Settings& settings) {
  DM_RETURN_IF_ERROR(CheckRegion(call, api, settings));
  DM_RETURN_IF_ERROR(Choose(call, api, settings).status());
  if (!settings.vpc_uuid.empty()) DM_RETURN_IF_ERROR(CheckVpc(call, api, settings));
  if (!settings.key_fingerprint.empty()) DM_RETURN_IF_ERROR(CheckKey(call, api, settings));
  return absl::OkStatus();
}

}  // namespace machine::driver::digitalocean
