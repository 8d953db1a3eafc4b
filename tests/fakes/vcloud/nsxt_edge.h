// An edge gateway backed by NSX-T, in memory: NAT and firewall rules, IP sets, port profiles.
#ifndef TESTS_FAKES_VCLOUD_NSXT_EDGE_H_
#define TESTS_FAKES_VCLOUD_NSXT_EDGE_H_

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace machine::fakes {

/// A rule must name objects that exist, and an object that a rule names cannot be deleted. There is
/// one NAT rule, firewall rule, IP set and port profile called "theirs". Not thread-safe.
class NsxtEdge {
 public:
  using Json = nlohmann::json;
  /// What a request does once its task has ended.
  using Effect = std::function<void()>;

  enum class Kind { kNatRule, kIpSet, kPortProfile };

  static constexpr char kId[] = "urn:vcloud:gateway:00000000-0000-4000-8000-000000000001";

  NsxtEdge();

  /// As the list of gateways and the gateway itself show it, backed by `type`.
  Json Shown(absl::string_view type) const;
  std::vector<Json> All(Kind kind) const;
  /// Null where there is none.
  Json Get(Kind kind, const std::string& id) const;
  Json Firewall() const;

  // Errors: INVALID_ARGUMENT, why it is refused; NOT_FOUND.
  absl::StatusOr<Effect> Add(Kind kind, const Json& body);
  absl::StatusOr<Effect> Replace(Kind kind, const std::string& id, const Json& body);
  absl::StatusOr<Effect> Delete(Kind kind, const std::string& id);
  absl::StatusOr<Effect> PutFirewall(const Json& body);
  absl::StatusOr<Effect> DeleteFirewallRule(const std::string& id);

  /// Adds it as it is, with an id.
  void Put(Kind kind, Json object);
  /// Owned by a VDC group instead of a VDC.
  void JoinVdcGroup() { in_group_ = true; }

 private:
  std::string NewId(absl::string_view prefix);
  std::string OwnerId() const;
  bool IsUsed(const std::string& id) const;
  absl::Status CheckReferences(const Json& rule) const;

  bool in_group_ = false;
  int next_ = 1;
  std::map<Kind, std::map<std::string, Json>> objects_;
  std::vector<Json> firewall_;
};

}  // namespace machine::fakes

#endif  // TESTS_FAKES_VCLOUD_NSXT_EDGE_H_
