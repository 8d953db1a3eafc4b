// The calls of Exoscale's API v2 that the driver makes, typed. https://openapi-v2.exoscale.com
#ifndef DRIVERS_EXOSCALE_EXOSCALE_API_H_
#define DRIVERS_EXOSCALE_EXOSCALE_API_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/sdk/cloud/json_api.h"
#include "services/common/http/http_client.h"
#include "services/common/rpc/call_scope.h"

namespace machine::driver::exoscale {

struct InstanceType {
  std::string id;
  /// For example "standard" and "small".
  std::string family;
  std::string size;
  int64_t memory_bytes = 0;
  /// Whether the account may use it.
  bool authorized = false;
  /// Empty for all.
  std::vector<std::string> zones;

  std::string Name() const;
};

struct Template {
  std::string id;
  /// For example "Linux Ubuntu 24.04 LTS 64-bit".
  std::string name;
  /// Whom it logs in; may be empty.
  std::string default_user;
  int64_t size_bytes = 0;
  /// RFC 3339.
  std::string created_at;
};

struct Rule {
  std::string protocol;
  int64_t first_port = 0;
  int64_t last_port = 0;
  std::string cidr;
};

struct SecurityGroup {
  std::string id;
  std::string name;
  std::string description;
  /// Of incoming traffic.
  std::vector<Rule> rules;
};

/// An anti-affinity group, or a private network.
struct NamedObject {
  std::string id;
  std::string name;
  std::string description;
};

struct Instance {
  std::string id;
  /// See StateOfInstance().
  std::string state;
  std::string type_id;
  std::string template_id;
  std::map<std::string, std::string> labels;
  /// Empty for none.
  std::string public_ip;
  std::string ipv6;
  std::vector<std::string> security_groups;

  /// The value of a label; empty for none.
  std::string Label(const std::string& key) const;
};

/// What an instance is to be; all by id but the keys, which have none.
struct InstanceSpec {
  std::string name;
  std::string type_id;
  std::string template_id;
  int64_t disk_gib = 0;
  std::vector<std::string> security_groups;
  std::vector<std::string> affinity_groups;
  std::vector<std::string> ssh_keys;
  std::map<std::string, std::string> labels;
  bool ipv6 = false;
  bool public_address = true;
  std::string user_data;
};

/// What the API does after it has answered.
struct Operation {
  std::string id;
  /// "pending", "success", "failure" or "timeout".
  std::string state;
  std::string reason;
  std::string message;
  /// Id of what it is about; may be empty.
  std::string reference;
};

/// OK unless the operation failed. Errors: what Exoscale's reason for the failure means.
absl::Status ResultOf(const Operation& operation);

/// One account in one zone. Thread-safe; blocks. Errors: those of JsonApi::Send(); ALREADY_EXISTS
/// for a name that is taken; RESOURCE_EXHAUSTED PROVIDER_QUOTA at the account's limit; UNAVAILABLE
/// while another operation is under way.
class ExoscaleApi {
 public:
  /// `http` outlives it. `endpoint` has no slash at its end. `retry` are the pauses before a
  /// request is sent again, and between looks at an operation.
  ExoscaleApi(common::HttpClient& http, std::string endpoint, std::string key, std::string secret,
              const Backoff& retry);

  absl::StatusOr<std::vector<std::string>> ListZones(const common::CallScope& call) const;
  absl::StatusOr<std::vector<InstanceType>> ListTypes(const common::CallScope& call) const;
  /// `visibility` is "public" or "private".
  absl::StatusOr<std::vector<Template>> ListTemplates(const common::CallScope& call,
                                                      absl::string_view visibility) const;

  absl::StatusOr<std::vector<std::string>> ListSshKeys(const common::CallScope& call) const;
  absl::Status CreateSshKey(const common::CallScope& call, absl::string_view name,
                            absl::string_view public_key) const;
  /// OK when it is not there, as all Delete… are.
  absl::Status DeleteSshKey(const common::CallScope& call, absl::string_view name) const;

  /// Those of the account.
  absl::StatusOr<std::vector<SecurityGroup>> ListSecurityGroups(
      const common::CallScope& call) const;
  /// With its rules; no value where there is none.
  absl::StatusOr<std::optional<SecurityGroup>> FindSecurityGroup(const common::CallScope& call,
                                                                 absl::string_view id) const;
  absl::Status CreateSecurityGroup(const common::CallScope& call, absl::string_view name,
                                   absl::string_view description) const;
  absl::Status AddRule(const common::CallScope& call, absl::string_view group_id,
                       const Rule& rule) const;
  absl::Status DeleteSecurityGroup(const common::CallScope& call, absl::string_view id) const;

  absl::StatusOr<std::vector<NamedObject>> ListAffinityGroups(const common::CallScope& call) const;
  absl::Status CreateAffinityGroup(const common::CallScope& call, absl::string_view name,
                                   absl::string_view description) const;
  absl::Status DeleteAffinityGroup(const common::CallScope& call, absl::string_view id) const;

  absl::StatusOr<std::vector<NamedObject>> ListPrivateNetworks(const common::CallScope& call) const;
  /// Addresses in a private network, by instance.
  absl::StatusOr<std::map<std::string, std::string>> Leases(const common::CallScope& call,
                                                            absl::string_view network_id) const;
  absl::Status Attach(const common::CallScope& call, absl::string_view network_id,
                      absl::string_view instance_id) const;

  /// All of the zone, in one answer.
  absl::StatusOr<std::vector<Instance>> ListInstances(const common::CallScope& call) const;
  /// No value where there is none, or it is destroyed.
  absl::StatusOr<std::optional<Instance>> FindInstance(const common::CallScope& call,
                                                       absl::string_view id) const;
  /// Returns at once; the reference is the instance.
  absl::StatusOr<Operation> CreateInstance(const common::CallScope& call,
                                           const InstanceSpec& spec) const;
  absl::StatusOr<Operation> FindOperation(const common::CallScope& call,
                                          absl::string_view id) const;
  /// Returns at once.
  absl::Status DeleteInstance(const common::CallScope& call, absl::string_view id) const;
  /// `verb` is "start", "stop" or "reboot". Returns at once.
  absl::StatusOr<Operation> Act(const common::CallScope& call, absl::string_view id,
                                absl::string_view verb) const;

 private:
  absl::StatusOr<Json> Elements(const common::CallScope& call, ApiRequest request,
                                absl::string_view key) const;
  absl::StatusOr<std::vector<NamedObject>> ListNamed(const common::CallScope& call,
                                                     absl::string_view path,
                                                     absl::string_view key) const;
  absl::StatusOr<Operation> Begin(const common::CallScope& call, const ApiRequest& request) const;
  /// Begins it, and waits for its end.
  absl::Status Run(const common::CallScope& call, const ApiRequest& request) const;
  absl::Status Delete(const common::CallScope& call, std::string path) const;

  const Backoff poll_;
  const JsonApi api_;
};

}  // namespace machine::driver::exoscale

#endif  // DRIVERS_EXOSCALE_EXOSCALE_API_H_
