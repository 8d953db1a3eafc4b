#include "drivers/template/catalog.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/choices.h"
#include "drivers/sdk/errors.h"
#include "services/common/status/status.h"

namespace machine::driver::template_cloud {
namespace {

// An engine and its image layers do not fit into less for long.
constexpr int64_t kLeastMemoryMib = 1024;
constexpr absl::string_view kDefaultFamily = "ubuntu-lts";

absl::StatusOr<std::string> ChooseSize(const common::CallScope& call, const TemplateApi& api,
                                       const Settings& settings) {
  DM_ASSIGN_OR_RETURN(std::vector<Size> sizes, api.ListSizes(call));
  std::erase_if(sizes, [&](const Size& size) {
    return std::find(size.regions.begin(), size.regions.end(), settings.region) ==
           size.regions.end();
  });
  if (settings.size.empty()) {
    const Size* smallest = nullptr;
    for (const Size& size : sizes) {
      if (size.memory_mib < kLeastMemoryMib) continue;
      if (smallest == nullptr || size.memory_mib < smallest->memory_mib) smallest = &size;
    }
    if (smallest != nullptr) return smallest->name;
    return PreCreateCheckFailed(
        absl::StrCat("region ", settings.region,
                     " has no size with 1 GiB of memory; choose another with --", kRegionFlag));
  }
  std::vector<std::string> names;
  for (const Size& size : sizes) names.push_back(size.name);
  DM_RETURN_IF_ERROR(CheckChoice(kSizeFlag, absl::StrCat("size in region ", settings.region),
                                 settings.size, std::move(names)));
  return settings.size;
}

absl::StatusOr<std::string> ChooseImage(const common::CallScope& call, const TemplateApi& api,
                                        const Settings& settings) {
  DM_ASSIGN_OR_RETURN(const std::vector<Image> images, api.ListImages(call));
  std::vector<std::string> names;
  std::string newest;
  for (const Image& image : images) {
    names.push_back(image.name);
    if (image.family == kDefaultFamily) newest = image.name;
  }
  if (settings.image.empty() && !newest.empty()) return newest;
  DM_RETURN_IF_ERROR(CheckChoice(kImageFlag, "image", settings.image, std::move(names)));
  return settings.image;
}

}  // namespace

absl::StatusOr<Choice> Choose(const common::CallScope& call, const TemplateApi& api,
                              const Settings& settings) {
  DM_ASSIGN_OR_RETURN(std::vector<std::string> regions, api.ListRegions(call));
  DM_RETURN_IF_ERROR(CheckChoice(kRegionFlag, "region", settings.region, std::move(regions)));
  Choice choice;
  DM_ASSIGN_OR_RETURN(choice.size, ChooseSize(call, api, settings));
  DM_ASSIGN_OR_RETURN(choice.image, ChooseImage(call, api, settings));
  return choice;
}

}  // namespace machine::driver::template_cloud
