// The calls of Neutron, the network service, that drivers make, typed.
// https://docs.openstack.org/api-ref/network/v2/
#ifndef DRIVERS_SDK_OPENSTACK_NETWORK_H_
#define DRIVERS_SDK_OPENSTACK_NETWORK_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/sdk/openstack/cloud_client.h"

namespace machine::driver::openstack {

struct Network {
  std::string id;
  std::string name;
  /// Of the project itself, rather than shared with it.
  bool own = false;
  bool shared = false;
  /// Where floating IPs come from.
  bool external = false;
  /// Ports may have security groups.
  bool port_security = true;
  bool has_subnets = false;
};

struct Port {
  std::string id;
  std::string name;
  /// The server that it is part of; empty for none.
  std::string device_id;
  std::string network_id;
};

struct SecurityGroup {
  std::string id;
  std::string name;
  std::string description;
  /// Its rules that let TCP in from a range, as "22 203.0.113.0/24".
  std::vector<std::string> open;
};

struct FloatingIp {
  std::string id;
  std::string ip;
  std::string network_id;
  /// Empty for one that is free.
  std::string port_id;
  std::string description;
  /// Counts its changes; -1 where the cloud does not count.
  int64_t revision = -1;
};

/// Lists of the project's own things; an administrator's lists would have those of all others.
absl::StatusOr<std::vector<Network>> ListNetworks(const common::CallScope& call,
                                                  const CloudClient& cloud);
absl::StatusOr<std::vector<SecurityGroup>> ListSecurityGroups(const common::CallScope& call,
                                                              const CloudClient& cloud);
absl::StatusOr<std::vector<Port>> ListPorts(const common::CallScope& call, const CloudClient& cloud,
                                            absl::string_view name);
absl::StatusOr<std::vector<FloatingIp>> ListFloatingIps(const common::CallScope& call,
                                                        const CloudClient& cloud);

/// `group_ids` has no value where the network knows no security groups.
absl::StatusOr<Port> CreatePort(const common::CallScope& call, const CloudClient& cloud,
                                absl::string_view name, absl::string_view network_id,
                                const std::optional<std::vector<std::string>>& group_ids);
absl::Status DeletePort(const common::CallScope& call, const CloudClient& cloud,
                        absl::string_view id);

absl::StatusOr<SecurityGroup> CreateSecurityGroup(const common::CallScope& call,
                                                  const CloudClient& cloud, absl::string_view name,
                                                  absl::string_view description);
/// Lets TCP in. OK where the group has that rule.
absl::Status OpenPort(const common::CallScope& call, const CloudClient& cloud,
                      absl::string_view group_id, int port, absl::string_view cidr);
/// Errors: ABORTED where it is in use.
absl::Status DeleteSecurityGroup(const common::CallScope& call, const CloudClient& cloud,
                                 absl::string_view id);

/// A new one, for `port_id` at once.
absl::StatusOr<FloatingIp> AllocateFloatingIp(const common::CallScope& call,
                                              const CloudClient& cloud,
                                              absl::string_view network_id,
                                              absl::string_view port_id,
                                              absl::string_view description);
/// Gives one that is free to a port. Errors: ABORTED where somebody else has taken it meanwhile.
absl::Status UseFloatingIp(const common::CallScope& call, const CloudClient& cloud,
                           const FloatingIp& ip, absl::string_view port_id);
absl::Status DeleteFloatingIp(const common::CallScope& call, const CloudClient& cloud,
                              absl::string_view id);

}  // namespace machine::driver::openstack

#endif  // DRIVERS_SDK_OPENSTACK_NETWORK_H_
