// The calls of Nova, the compute service, that drivers make, typed.
// https://docs.openstack.org/api-ref/compute/
#ifndef DRIVERS_SDK_OPENSTACK_COMPUTE_H_
#define DRIVERS_SDK_OPENSTACK_COMPUTE_H_

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

struct Flavor {
  std::string id;
  std::string name;
  int64_t vcpus = 0;
  int64_t ram_mib = 0;
  /// 0 where the root disk is as large as the image.
  int64_t disk_gib = 0;
  bool disabled = false;
};

struct KeyPair {
  std::string name;
  std::string public_key;
};

struct Address {
  std::string ip;
  /// 4 or 6.
  int version = 4;
  bool floating = false;
  std::string network;
};

struct Server {
  std::string id;
  std::string name;
  /// "ACTIVE", "BUILD" …
  std::string status;
  /// "powering-off" …; empty for none.
  std::string task;
  /// Since 2.47 only the name is told, before only the id.
  std::string flavor_id;
  std::string flavor_name;
  /// Empty for one that boots from a volume.
  std::string image_id;
  std::string created;
  std::string availability_zone;
  std::vector<Address> addresses;
  std::map<std::string, std::string> metadata;
  /// Why it is in ERROR.
  std::string fault;

  /// The value of a key of the metadata; empty where there is none.
  std::string Metadata(absl::string_view key) const;
};

/// What a server is to be.
struct ServerSpec {
  std::string name;
  std::string flavor_id;
  /// Empty where `volume_id` is what it boots from.
  std::string image_id;
  std::string volume_id;
  std::string key_name;
  /// Ports of the network service; without any the cloud chooses.
  std::vector<std::string> port_ids;
  std::string availability_zone;
  bool config_drive = false;
  std::string user_data;
  std::map<std::string, std::string> metadata;
  /// Left out where the cloud has none (before 2.52).
  std::vector<std::string> tags;
};

/// OK for a list of all servers of the project; else only those with `tag`, where the cloud can
/// tell them apart.
absl::StatusOr<std::vector<Server>> ListServers(const common::CallScope& call,
                                                const CloudClient& cloud, absl::string_view tag);
absl::StatusOr<std::optional<Server>> FindServer(const common::CallScope& call,
                                                 const CloudClient& cloud, absl::string_view id);
/// The id of a server that is being made.
absl::StatusOr<Server> CreateServer(const common::CallScope& call, const CloudClient& cloud,
                                    const ServerSpec& spec);
absl::Status DeleteServer(const common::CallScope& call, const CloudClient& cloud,
                          absl::string_view id);
/// `action` is the whole body: {"os-start": null}. UNAVAILABLE where another one is under way.
absl::Status ActOnServer(const common::CallScope& call, const CloudClient& cloud,
                         absl::string_view id, Json action);

absl::StatusOr<std::vector<Flavor>> ListFlavors(const common::CallScope& call,
                                                const CloudClient& cloud);
/// How many servers the project may still have; no value where there is no limit, or the cloud does
/// not say.
absl::StatusOr<std::optional<int64_t>> ServersLeft(const common::CallScope& call,
                                                   const CloudClient& cloud);
/// Zones that take servers.
absl::StatusOr<std::vector<std::string>> ListZones(const common::CallScope& call,
                                                   const CloudClient& cloud);

absl::StatusOr<std::vector<KeyPair>> ListKeyPairs(const common::CallScope& call,
                                                  const CloudClient& cloud);
absl::StatusOr<std::optional<KeyPair>> FindKeyPair(const common::CallScope& call,
                                                   const CloudClient& cloud,
                                                   absl::string_view name);
/// Errors: ALREADY_EXISTS where the user has one of that name.
absl::StatusOr<KeyPair> CreateKeyPair(const common::CallScope& call, const CloudClient& cloud,
                                      const KeyPair& key);
absl::Status DeleteKeyPair(const common::CallScope& call, const CloudClient& cloud,
                           absl::string_view name);

}  // namespace machine::driver::openstack

#endif  // DRIVERS_SDK_OPENSTACK_COMPUTE_H_
