#include "drivers/sdk/openstack/storage.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"

namespace machine::driver::openstack {
namespace {

constexpr int64_t kGib = int64_t{1} << 30;

Image ReadImage(const Json& json) {
  // A compressed image grows to its virtual size, which Glance knows since 2020.
  const int64_t virtual_gib = (Number(json, "virtual_size") + kGib - 1) / kGib;
  return {.id = Text(json, "id"),
          .name = Text(json, "name"),
          .created = Text(json, "created_at"),
          .distro = Text(json, "os_distro"),
          .version = Text(json, "os_version"),
          .architecture = Text(json, "architecture"),
          .visibility = Text(json, "visibility"),
          .snapshot = Text(json, "image_type") == "snapshot",
          .min_disk_gib = std::max(Number(json, "min_disk"), virtual_gib),
          .min_ram_mib = Number(json, "min_ram")};
}

Volume ReadVolume(const Json& json) {
  return {.id = Text(json, "id"), .name = Text(json, "name"), .status = Text(json, "status")};
}

}  // namespace

absl::StatusOr<std::vector<Image>> ListImages(const common::CallScope& call,
                                              const CloudClient& cloud, absl::string_view name) {
  ApiRequest request;
  request.path = "/images";
  request.query.emplace_back("status", "active");
  request.query.emplace_back("limit", "500");
  // Glance reads a comma as the end of a name.
  if (!name.empty() && name.find(',') == absl::string_view::npos) {
    request.query.emplace_back("name", name);
  }
  std::vector<Image> images;
  DM_RETURN_IF_ERROR(
      cloud.List(call, Service::kImage, std::move(request), "images", [&](const Json& json) {
        if (!name.empty() && Text(json, "name") != name) return;
        images.push_back(ReadImage(json));
      }));
  return images;
}

absl::StatusOr<std::optional<Image>> FindImage(const common::CallScope& call,
                                               const CloudClient& cloud, absl::string_view id) {
  DM_ASSIGN_OR_RETURN(
      const std::optional<Json> json,
      cloud.Find(call, Service::kImage, absl::StrCat("/images/", PercentEncode(id)), ""));
  if (!json.has_value() || Text(*json, "status") != "active") return std::nullopt;
  return ReadImage(*json);
}

absl::StatusOr<std::vector<Volume>> ListVolumes(const common::CallScope& call,
                                                const CloudClient& cloud, absl::string_view name) {
  ApiRequest request;
  request.path = "/volumes/detail";
  request.query.emplace_back("name", name);
  std::vector<Volume> volumes;
  DM_RETURN_IF_ERROR(
      cloud.List(call, Service::kVolume, std::move(request), "volumes", [&](const Json& json) {
        if (Text(json, "name") == name) {
          volumes.push_back(ReadVolume(json));
        }
      }));
  return volumes;
}

absl::StatusOr<std::vector<std::string>> ListVolumeTypes(const common::CallScope& call,
                                                         const CloudClient& cloud) {
  std::vector<std::string> names;
  ApiRequest request;
  request.path = "/types";
  DM_RETURN_IF_ERROR(cloud.List(call, Service::kVolume, std::move(request), "volume_types",
                                [&](const Json& json) { names.push_back(Text(json, "name")); }));
  return names;
}

absl::StatusOr<Volume> CreateVolume(const common::CallScope& call, const CloudClient& cloud,
                                    const VolumeSpec& spec) {
  Json volume = {{"name", spec.name},
                 {"size", spec.size_gib},
                 {"imageRef", spec.image_id},
                 {"metadata", spec.metadata}};
  if (!spec.type.empty()) volume["volume_type"] = spec.type;
  if (!spec.availability_zone.empty()) volume["availability_zone"] = spec.availability_zone;
  ApiRequest request = {
      .method = "POST", .path = "/volumes", .body = {{"volume", std::move(volume)}}};
  DM_ASSIGN_OR_RETURN(const Json body, cloud.Send(call, Service::kVolume, std::move(request)));
  return ReadVolume(Member(body, "volume"));
}

absl::Status DeleteVolume(const common::CallScope& call, const CloudClient& cloud,
                          absl::string_view id) {
  return cloud.Delete(call, Service::kVolume, absl::StrCat("/volumes/", PercentEncode(id)));
}

}  // namespace machine::driver::openstack
