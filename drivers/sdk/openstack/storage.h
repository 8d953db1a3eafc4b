// The calls of Glance, the image service, and of Cinder, the block storage service, that drivers
// make, typed. https://docs.openstack.org/api-ref/image/v2/ and …/block-storage/v3/
#ifndef DRIVERS_SDK_OPENSTACK_STORAGE_H_
#define DRIVERS_SDK_OPENSTACK_STORAGE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/sdk/openstack/cloud_client.h"

namespace machine::driver::openstack {

struct Image {
  std::string id;
  std::string name;
  std::string created;
  /// Of its operating system, where whoever made it has said so: "ubuntu", "24.04", "x86_64".
  std::string distro;
  std::string version;
  std::string architecture;
  std::string visibility;
  /// Of a server of the project, rather than a system to begin with.
  bool snapshot = false;
  int64_t min_disk_gib = 0;
  int64_t min_ram_mib = 0;
};

struct Volume {
  std::string id;
  std::string name;
  /// "creating", "downloading", "available", "in-use", "error" …
  std::string status;
};

struct VolumeSpec {
  std::string name;
  int64_t size_gib = 0;
  std::string image_id;
  /// Empty for the cloud's default.
  std::string type;
  std::string availability_zone;
  std::map<std::string, std::string> metadata;
};

/// Those that are ready for use; only those called `name` unless it is empty.
absl::StatusOr<std::vector<Image>> ListImages(const common::CallScope& call,
                                              const CloudClient& cloud, absl::string_view name);
absl::StatusOr<std::optional<Image>> FindImage(const common::CallScope& call,
                                               const CloudClient& cloud, absl::string_view id);

absl::StatusOr<std::vector<Volume>> ListVolumes(const common::CallScope& call,
                                                const CloudClient& cloud, absl::string_view name);
absl::StatusOr<std::vector<std::string>> ListVolumeTypes(const common::CallScope& call,
                                                         const CloudClient& cloud);
absl::StatusOr<Volume> CreateVolume(const common::CallScope& call, const CloudClient& cloud,
                                    const VolumeSpec& spec);
absl::Status DeleteVolume(const common::CallScope& call, const CloudClient& cloud,
                          absl::string_view id);

}  // namespace machine::driver::openstack

#endif  // DRIVERS_SDK_OPENSTACK_STORAGE_H_
