#include "tests/fakes/vcloud/nsxt_edge.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/common/status/status.h"

namespace machine::fakes {
namespace {

using Json = NsxtEdge::Json;

constexpr char kOrg[] = "urn:vcloud:org:00000000-0000-4000-8000-0000000000aa";
constexpr char kVdc[] = "urn:vcloud:vdc:00000000-0000-4000-8000-0000000000bb";
constexpr char kVdcGroup[] = "urn:vcloud:vdcGroup:00000000-0000-4000-8000-0000000000cc";
constexpr char kSets[] = "urn:vcloud:firewallGroup:";
constexpr char kProfiles[] = "urn:vcloud:applicationPortProfile:";

std::vector<std::string> ReferencesOf(const Json& rule) {
  std::vector<std::string> ids;
  if (rule.contains("applicationPortProfile")) {
    ids.push_back(rule["applicationPortProfile"].value("id", ""));
  }
  for (const char* const list :
       {"sourceFirewallGroups", "destinationFirewallGroups", "applicationPortProfiles"}) {
    if (!rule.contains(list)) continue;
    for (const Json& each : rule[list]) ids.push_back(each.value("id", ""));
  }
  return ids;
}

absl::Status Refuse(absl::string_view why) { return absl::InvalidArgumentError(why); }

}  // namespace

NsxtEdge::NsxtEdge() {
  Put(Kind::kIpSet, {{"name", "theirs"},
                     {"typeValue", "IP_SET"},
                     {"ipAddresses", {"192.168.9.9"}},
                     {"ownerRef", {{"id", kId}}}});
  Put(Kind::kPortProfile,
      {{"name", "theirs"},
       {"scope", "TENANT"},
       {"applicationPorts", {{{"protocol", "TCP"}, {"destinationPorts", {"80"}}}}}});
  Put(Kind::kPortProfile,
      {{"name", "SSH"},
       {"scope", "SYSTEM"},
       {"applicationPorts", {{{"protocol", "TCP"}, {"destinationPorts", {"22"}}}}}});
  Put(Kind::kNatRule, {{"name", "theirs"},
                       {"enabled", true},
                       {"type", "DNAT"},
                       {"externalAddresses", "203.0.113.5"},
                       {"internalAddresses", "192.168.9.9"},
                       {"dnatExternalPort", "80"},
                       {"version", {{"version", 0}}}});
  firewall_.push_back({{"id", NewId("")},
                       {"name", "theirs"},
                       {"enabled", true},
                       {"action", "ALLOW"},
                       {"actionValue", "ALLOW"},
                       {"ipProtocol", "IPV4"},
                       {"direction", "IN_OUT"},
                       {"version", {{"version", 3}}}});
}

std::string NsxtEdge::NewId(absl::string_view prefix) {
  return absl::StrFormat("%s00000000-0000-4000-8000-1%011d", prefix, next_++);
}

std::string NsxtEdge::OwnerId() const { return in_group_ ? kVdcGroup : kVdc; }

Json NsxtEdge::Shown(absl::string_view type) const {
  const Json ranges = {
      {"values", {{{"startAddress", "203.0.113.1"}, {"endAddress", "203.0.113.20"}}}}};
  const Json subnets = {{"values", {{{"gateway", "203.0.113.254"}, {"ipRanges", ranges}}}}};
  return {{"id", kId},
          {"name", "vdc1"},
          {"orgRef", {{"id", kOrg}, {"name", "acme"}}},
          {"ownerRef", {{"id", OwnerId()}, {"name", "vdc1"}}},
          {"gatewayBacking", {{"gatewayType", type}}},
          {"edgeGatewayUplinks", {{{"uplinkName", "internet"}, {"subnets", subnets}}}}};
}

std::vector<Json> NsxtEdge::All(Kind kind) const {
  std::vector<Json> all;
  const auto objects = objects_.find(kind);
  if (objects == objects_.end()) return all;
  for (const auto& [id, object] : objects->second) all.push_back(object);
  return all;
}

Json NsxtEdge::Get(Kind kind, const std::string& id) const {
  const auto objects = objects_.find(kind);
  if (objects == objects_.end()) return nullptr;
  const auto it = objects->second.find(id);
  return it == objects->second.end() ? Json() : it->second;
}

Json NsxtEdge::Firewall() const {
  return {{"systemRules", Json::array()},
          {"userDefinedRules", firewall_},
          {"defaultRules", {{{"name", "default_rule"}, {"actionValue", "DROP"}}}}};
}

void NsxtEdge::Put(Kind kind, Json object) {
  const std::string id = NewId(kind == Kind::kIpSet         ? kSets
                               : kind == Kind::kPortProfile ? kProfiles
                                                            : "");
  object["id"] = id;
  objects_[kind][id] = std::move(object);
}

bool NsxtEdge::IsUsed(const std::string& id) const {
  const auto uses = [&](const Json& rule) {
    const std::vector<std::string> ids = ReferencesOf(rule);
    return std::find(ids.begin(), ids.end(), id) != ids.end();
  };
  const std::vector<Json> nat = All(Kind::kNatRule);
  return std::any_of(nat.begin(), nat.end(), uses) ||
         std::any_of(firewall_.begin(), firewall_.end(), uses);
}

absl::Status NsxtEdge::CheckReferences(const Json& rule) const {
  for (const std::string& id : ReferencesOf(rule)) {
    const Kind kind = absl::StartsWith(id, kSets) ? Kind::kIpSet : Kind::kPortProfile;
    if (Get(kind, id).is_null()) return Refuse(absl::StrCat("there is no ", id));
  }
  return absl::OkStatus();
}

absl::StatusOr<NsxtEdge::Effect> NsxtEdge::Add(Kind kind, const Json& body) {
  if (body.contains("id") || body.contains("version")) return Refuse("it is no new object");
  DM_RETURN_IF_ERROR(CheckReferences(body));
  if (kind == Kind::kNatRule) {
    const bool forwards = body.value("type", "") == "DNAT" && body.contains("dnatExternalPort");
    if (forwards != body.contains("applicationPortProfile")) {
      return Refuse("a port outside goes with a profile of the port inside");
    }
  } else {
    const std::string context =
        kind == Kind::kIpSet ? body["ownerRef"].value("id", "") : body.value("contextEntityId", "");
    const std::string owner = kind == Kind::kIpSet && !in_group_ ? kId : OwnerId();
    if (context != owner) return Refuse(absl::StrCat("it belongs to ", owner));
    for (const Json& each : All(kind)) {
      if (each.value("name", "") == body.value("name", "")) return Refuse("the name is taken");
    }
  }
  return [this, kind, body] { Put(kind, body); };
}

absl::StatusOr<NsxtEdge::Effect> NsxtEdge::Replace(Kind kind, const std::string& id,
                                                   const Json& body) {
  if (Get(kind, id).is_null()) return absl::NotFoundError("no access to entity");
  if (body.value("id", "") != id) return Refuse("the id is another one");
  return [this, kind, id, body] { objects_[kind][id] = body; };
}

absl::StatusOr<NsxtEdge::Effect> NsxtEdge::Delete(Kind kind, const std::string& id) {
  if (Get(kind, id).is_null()) return absl::NotFoundError("no access to entity");
  if (IsUsed(id)) return Refuse(absl::StrCat(id, " is in use"));
  return [this, kind, id] { objects_[kind].erase(id); };
}

absl::StatusOr<NsxtEdge::Effect> NsxtEdge::PutFirewall(const Json& body) {
  std::vector<Json> rules = body["userDefinedRules"];
  for (Json& rule : rules) {
    DM_RETURN_IF_ERROR(CheckReferences(rule));
    if (!rule.contains("id")) {
      rule["id"] = NewId("");
      rule["version"] = {{"version", 0}};
      continue;
    }
    const auto known = std::find_if(firewall_.begin(), firewall_.end(),
                                    [&](const Json& each) { return each["id"] == rule["id"]; });
    if (known == firewall_.end()) return Refuse("there is no rule of that id");
    if (!rule.contains("version") || rule["version"] != (*known)["version"]) {
      return Refuse("the rule has changed since it was read");
    }
  }
  return [this, rules] { firewall_ = rules; };
}

absl::StatusOr<NsxtEdge::Effect> NsxtEdge::DeleteFirewallRule(const std::string& id) {
  const auto is_it = [id](const Json& rule) { return rule["id"] == id; };
  if (std::none_of(firewall_.begin(), firewall_.end(), is_it)) {
    return absl::NotFoundError("no access to entity");
  }
  return [this, is_it] { std::erase_if(firewall_, is_it); };
}

}  // namespace machine::fakes
