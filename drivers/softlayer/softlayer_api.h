// The calls of SoftLayer's REST API v3.1 that the driver makes, typed. https://sldn.softlayer.com
#ifndef DRIVERS_SOFTLAYER_SOFTLAYER_API_H_
#define DRIVERS_SOFTLAYER_SOFTLAYER_API_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/sdk/cloud/json_api.h"
#include "services/common/http/http_client.h"
#include "services/common/rpc/call_scope.h"

namespace machine::driver::softlayer {

/// What an order may ask for.
struct CreateOptions {
  std::vector<std::string> datacenters;
  std::vector<std::string> images;
  std::vector<int64_t> cpus;
  std::vector<int64_t> memory_mib;
  /// Of the first disk, on the SAN and on the host.
  std::vector<int64_t> san_disks_gib;
  std::vector<int64_t> local_disks_gib;
};

struct SshKey {
  int64_t id = 0;
  std::string label;
  std::string public_key;
};

struct SecurityGroup {
  int64_t id = 0;
  std::string name;
  /// How many rules it has.
  int64_t rules = 0;
};

/// What a security group lets in.
struct Rule {
  int64_t port = 0;
  std::string cidr;
};

/// A virtual guest.
struct Guest {
  int64_t id = 0;
  /// For example "RUNNING" and "HALTED".
  std::string power;
  /// Name of what is under way, for example "CLOUD_RECLAIM"; empty for nothing.
  std::string transaction;
  /// It has been given out once.
  bool provisioned = false;
  std::string datacenter;
  int64_t cpus = 0;
  int64_t memory_mib = 0;
  std::string public_ip;
  std::string private_ip;
  std::string user_data;
};

/// What a guest is to be.
struct GuestSpec {
  std::string hostname;
  std::string domain;
  std::string datacenter;
  /// A code, or the globalIdentifier of an image template.
  std::string image;
  int64_t cpus = 0;
  int64_t memory_mib = 0;
  int64_t disk_gib = 0;
  bool hourly = true;
  bool local_disk = false;
  bool private_only = false;
  int64_t public_vlan = 0;
  int64_t private_vlan = 0;
  std::vector<int64_t> ssh_keys;
  /// 0 for none.
  int64_t security_group = 0;
  std::string user_data;
};

/// One account. Thread-safe; blocks. Lists read all pages. Errors: those of JsonApi::Send();
/// INVALID_ARGUMENT or FAILED_PRECONDITION for an order that cannot be carried out;
/// RESOURCE_EXHAUSTED PROVIDER_QUOTA at the account's limit, or where SoftLayer has no more room;
/// UNAVAILABLE while a transaction is under way. NOT_FOUND also for what the user may not see.
class SoftLayerApi {
 public:
  /// `http` outlives it. `endpoint` has no slash at its end. `retry` are the pauses before a
  /// request is sent again.
  SoftLayerApi(common::HttpClient& http, std::string endpoint, absl::string_view user,
               absl::string_view api_key, const Backoff& retry);

  absl::StatusOr<CreateOptions> GetCreateOptions(const common::CallScope& call) const;
  /// Ids of the account's VLANs.
  absl::StatusOr<std::vector<int64_t>> ListVlans(const common::CallScope& call) const;

  absl::StatusOr<std::vector<SshKey>> ListSshKeys(const common::CallScope& call) const;
  absl::StatusOr<SshKey> CreateSshKey(const common::CallScope& call, absl::string_view label,
                                      absl::string_view public_key) const;
  /// OK when it is not there, as all Delete… are.
  absl::Status DeleteSshKey(const common::CallScope& call, int64_t id) const;

  absl::StatusOr<std::vector<SecurityGroup>> ListSecurityGroups(
      const common::CallScope& call) const;
  absl::StatusOr<SecurityGroup> CreateSecurityGroup(const common::CallScope& call,
                                                    absl::string_view name) const;
  /// Lets in by `rules`, and everything out.
  absl::Status AddRules(const common::CallScope& call, int64_t group,
                        const std::vector<Rule>& rules) const;
  absl::Status DeleteSecurityGroup(const common::CallScope& call, int64_t id) const;

  absl::StatusOr<std::vector<Guest>> ListGuests(const common::CallScope& call) const;
  /// No value where there is none.
  absl::StatusOr<std::optional<Guest>> FindGuest(const common::CallScope& call, int64_t id) const;
  /// Whether the order can be carried out; orders nothing.
  absl::Status CheckOrder(const common::CallScope& call, const GuestSpec& spec) const;
  absl::StatusOr<Guest> CreateGuest(const common::CallScope& call, const GuestSpec& spec) const;
  absl::Status SetTags(const common::CallScope& call, int64_t id,
                       const std::vector<std::string>& tags) const;
  absl::Status DeleteGuest(const common::CallScope& call, int64_t id) const;
  /// `method` is "powerOn", "powerOff", "powerOffSoft", "rebootSoft" or "resume".
  absl::Status Act(const common::CallScope& call, int64_t id, absl::string_view method) const;

 private:
  /// The body of the answer.
  absl::StatusOr<Json> Send(const common::CallScope& call, const ApiRequest& request) const;
  /// Calls `each` with every element on every page of a list.
  absl::Status List(const common::CallScope& call, absl::string_view path, absl::string_view mask,
                    absl::FunctionRef<void(const Json&)> each) const;
  absl::StatusOr<Json> Post(const common::CallScope& call, absl::string_view path,
                            const Json& parameter) const;

  const JsonApi api_;
};

}  // namespace machine::driver::softlayer

#endif  // DRIVERS_SOFTLAYER_SOFTLAYER_API_H_
