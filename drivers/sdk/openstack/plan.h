// What a machine is to be in an OpenStack cloud, and what of that the cloud has on offer.
#ifndef DRIVERS_SDK_OPENSTACK_PLAN_H_
#define DRIVERS_SDK_OPENSTACK_PLAN_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "drivers/sdk/openstack/cloud_client.h"
#include "drivers/sdk/openstack/compute.h"
#include "drivers/sdk/openstack/state.pb.h"
#include "drivers/sdk/openstack/storage.h"

namespace machine::driver::openstack {

/// Port of every machine's engine.
inline constexpr int kEnginePort = 2376;

/// What a driver's options ask for.
struct Plan {
  /// Of flavor, image and network one of id and name, or none for the default.
  std::string flavor_id;
  std::string flavor_name;
  std::string image_id;
  std::string image_name;
  std::string network_id;
  std::string network_name;
  /// Whether the machine gets a port of the network service; else the cloud wires it by itself.
  bool use_network = true;
  /// Names or ids.
  std::vector<std::string> security_groups;
  /// Who may reach ssh, engine and swarm, by a group of our own; empty for no such group.
  std::vector<std::string> open_cidrs;
  /// Name or id of an external network; empty for no floating IP.
  std::string floating_pool;
  /// A key pair of the user; empty for one of the machine's own.
  std::string key_pair;
  std::string zone;
  bool config_drive = false;
  std::string user_data;
  bool boot_from_volume = false;
  /// 0 for as much as flavor and image want.
  int64_t volume_gib = 0;
  std::string volume_type;
  std::map<std::string, std::string> metadata;
  std::string ssh_user;
  int ssh_port = 22;
  /// Of the address to use, 4 or 6.
  int ip_version = 4;
  bool private_only = false;
  /// How long a server may take to run.
  absl::Duration active_timeout = absl::Minutes(10);
};

/// The newest Ubuntu LTS for x86-64; no value where there is none.
std::optional<Image> NewestUbuntuLts(absl::Span<const Image> images);

/// The smallest with 1 GiB of memory that `image` fits in. `any_disk`: the flavor's disk does not
/// count.
std::optional<Flavor> SmallestUsable(absl::Span<const Flavor> flavors, const Image& image,
                                     bool any_disk);

/// The flavor that `plan` names; no value where it names none.
absl::StatusOr<std::optional<Flavor>> NamedFlavor(const common::CallScope& call,
                                                  const CloudClient& cloud, const Plan& plan);
/// The image that `plan` names; no value where it names none.
absl::StatusOr<std::optional<Image>> NamedImage(const common::CallScope& call,
                                                const CloudClient& cloud, const Plan& plan);

/// Chooses flavor, image, network, pool and volume, and puts them into `state`. Errors:
/// PreCreateCheckFailed() with what exists, also where a name means several.
absl::Status Choose(const common::CallScope& call, const CloudClient& cloud, const Plan& plan,
                    State& state);

/// The ids of the user's security groups. Errors as above.
absl::StatusOr<std::vector<std::string>> NamedGroups(const common::CallScope& call,
                                                     const CloudClient& cloud, const Plan& plan);

/// Checks all of `plan` that the cloud knows. Errors as above.
absl::Status CheckPlan(const common::CallScope& call, const CloudClient& cloud, const Plan& plan);

/// Keys and values for a server, of "key=value" with commas or several. Errors: BadOption().
absl::StatusOr<std::map<std::string, std::string>> ParseMetadata(
    absl::string_view flag, const std::vector<std::string>& texts);

}  // namespace machine::driver::openstack

#endif  // DRIVERS_SDK_OPENSTACK_PLAN_H_
