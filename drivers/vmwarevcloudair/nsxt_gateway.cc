#include "drivers/vmwarevcloudair/nsxt_gateway.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "drivers/sdk/cloud/choices.h"
#include "drivers/sdk/errors.h"
#include "drivers/vmwarevcloudair/settings.h"
#include "services/common/status/status.h"

namespace machine::driver::vmwarevcloudair {
namespace {

constexpr absl::string_view kIpSets = "firewallGroups";
constexpr absl::string_view kPortProfiles = "applicationPortProfiles";
// The two lists have only these of the user's own.
constexpr absl::string_view kOnlyIpSets = "typeValue==IP_SET";
constexpr absl::string_view kOnlyTenants = "scope==TENANT";
constexpr absl::string_view kDescription = "made by docker-machine";

bool IsOurs(const Json& object, absl::string_view tag) {
  const std::string name = Text(object, "name");
  return name == tag || absl::StartsWith(name, absl::StrCat(tag, "-"));
}

std::string ProfileName(const PublicAccess& access, int port) {
  return absl::StrCat(access.tag, "-", port);
}

std::string SourcesName(const PublicAccess& access) { return absl::StrCat(access.tag, "-sources"); }

bool IsOpenToAll(const PublicAccess& access) {
  return std::any_of(access.sources.begin(), access.sources.end(), IsEverywhere);
}

Json Reference(absl::string_view id) { return {{"id", id}}; }

std::set<std::string> IdsIn(const Json& rule, absl::string_view list) {
  std::set<std::string> ids;
  for (const Json& each : Elements(rule, list)) ids.insert(Text(each, "id"));
  return ids;
}

std::vector<Json> NatRulesFor(const PublicAccess& access,
                              const std::map<std::string, std::string>& profiles) {
  const auto rule = [&](const std::string& name, absl::string_view type) {
    return Json{{"name", name},
                {"description", kDescription},
                {"enabled", true},
                {"type", type},
                {"externalAddresses", access.public_ip},
                {"internalAddresses", access.internal_ip},
                {"logging", false},
                {"firewallMatch", "MATCH_INTERNAL_ADDRESS"}};
  };
  std::vector<Json> rules = {rule(access.tag, "SNAT")};
  for (const int port : access.ports) {
    const std::string name = ProfileName(access, port);
    Json& forward = rules.emplace_back(rule(name, "DNAT"));
    // The profile has the port inside.
    forward["applicationPortProfile"] = Reference(profiles.at(name));
    forward["dnatExternalPort"] = absl::StrCat(port);
  }
  return rules;
}

bool IsNatRule(const Json& found, const Json& wanted) {
  for (const char* const key :
       {"name", "type", "externalAddresses", "internalAddresses", "dnatExternalPort"}) {
    if (Text(found, key) != Text(wanted, key)) return false;
  }
  return Flag(found, "enabled") && Text(Member(found, "applicationPortProfile"), "id") ==
                                       Text(Member(wanted, "applicationPortProfile"), "id");
}

// The firewall sees the address inside (firewallMatch).
std::vector<Json> FirewallRulesFor(const PublicAccess& access,
                                   const std::map<std::string, std::string>& sets,
                                   const std::map<std::string, std::string>& profiles) {
  const auto rule = [](const std::string& name) {
    return Json{{"name", name},         {"enabled", true},       {"actionValue", "ALLOW"},
                {"ipProtocol", "IPV4"}, {"direction", "IN_OUT"}, {"logging", false}};
  };
  const Json machine = Json::array({Reference(sets.at(access.tag))});
  Json in = rule(absl::StrCat(access.tag, "-in"));
  if (!IsOpenToAll(access)) {
    in["sourceFirewallGroups"] = Json::array({Reference(sets.at(SourcesName(access)))});
  }
  in["destinationFirewallGroups"] = machine;
  for (const int port : access.ports) {
    in["applicationPortProfiles"].push_back(Reference(profiles.at(ProfileName(access, port))));
  }
  Json out = rule(absl::StrCat(access.tag, "-out"));
  out["sourceFirewallGroups"] = machine;
  return {in, out};
}

bool IsFirewallRule(const Json& found, const Json& wanted) {
  for (const char* const key : {"name", "actionValue"}) {
    if (Text(found, key) != Text(wanted, key)) return false;
  }
  for (const char* const list :
       {"sourceFirewallGroups", "destinationFirewallGroups", "applicationPortProfiles"}) {
    if (IdsIn(found, list) != IdsIn(wanted, list)) return false;
  }
  return Flag(found, "enabled");
}

// Takes the wanted rule that `found` is out of `wanted`; whether there is one.
bool Take(const Json& found, std::vector<Json>& wanted, bool (*is)(const Json&, const Json&)) {
  const auto it =
      std::find_if(wanted.begin(), wanted.end(), [&](const Json& each) { return is(found, each); });
  if (it == wanted.end()) return false;
  wanted.erase(it);
  return true;
}

std::vector<InboundRule> InboundRulesOfOthers(const std::vector<Json>& rules,
                                              absl::string_view tag) {
  std::vector<InboundRule> inbound;
  for (const Json& rule : rules) {
    const std::string type = Text(rule, "type");
    if (IsOurs(rule, tag) || (type != "DNAT" && type != "REFLEXIVE")) continue;
    inbound.push_back(
        {Text(rule, "name"), Text(rule, "externalAddresses"), Text(rule, "dnatExternalPort")});
  }
  return inbound;
}

// Addresses that are taken from an IP space are not all listed in the gateway.
absl::Status CheckIsAddressOf(const Json& gateway, absl::string_view ip) {
  std::vector<std::string> ranges;
  for (const Json& uplink : Elements(gateway, "edgeGatewayUplinks")) {
    if (Flag(uplink, "usingIpSpace")) return absl::OkStatus();
    for (const Json& subnet : Elements(Member(uplink, "subnets"), "values")) {
      for (const Json& range : Elements(Member(subnet, "ipRanges"), "values")) {
        ranges.push_back(absl::StrCat(Text(range, "startAddress"), "-", Text(range, "endAddress")));
      }
    }
  }
  const bool has = std::any_of(ranges.begin(), ranges.end(),
                               [&](const std::string& range) { return HasAddress(range, ip); });
  if (has || ranges.empty()) return absl::OkStatus();
  return PreCreateCheckFailed(absl::StrCat("--", kPublicIpFlag, ": ", ip,
                                           " is no address of edge gateway ", Text(gateway, "name"),
                                           "; it has ", absl::StrJoin(ranges, ", ")));
}

// `status` of something about the gateway, which itself is seen.
absl::Status ExplainRight(const absl::Status& status, const Json& gateway,
                          absl::string_view right) {
  if (!absl::IsNotFound(status)) return status;
  return PreCreateCheckFailed(absl::StrCat(
      "--", kPublicIpFlag, ": edge gateway ", Text(gateway, "name"),
      " refuses this user: the right \"Organization vDC Gateway: ", right, "\" is missing"));
}

}  // namespace

std::string NsxtGateway::Of(absl::string_view what) const {
  return absl::StrCat("edgeGateways/", id_, what);
}

absl::StatusOr<std::vector<Json>> NsxtGateway::ListOurs(const common::CallScope& call,
                                                        absl::string_view path,
                                                        absl::string_view filter,
                                                        absl::string_view tag) {
  DM_ASSIGN_OR_RETURN(std::vector<Json> all, cloud_.List(call, path, filter));
  std::erase_if(all, [&](const Json& each) { return !IsOurs(each, tag); });
  return all;
}

absl::StatusOr<bool> NsxtGateway::DeleteAll(const common::CallScope& call, absl::string_view path,
                                            const std::vector<Json>& objects) {
  for (const Json& object : objects) {
    const absl::Status status =
        cloud_.Run(call, "DELETE", absl::StrCat(path, "/", Text(object, "id")));
    if (!status.ok() && !absl::IsNotFound(status)) return status;
  }
  return !objects.empty();
}

absl::StatusOr<bool> NsxtGateway::MendIpSets(const common::CallScope& call,
                                             const PublicAccess& access, const Json& gateway,
                                             Ids& ids) {
  std::map<std::string, std::vector<std::string>> wanted = {{access.tag, {access.internal_ip}}};
  if (!IsOpenToAll(access)) wanted[SourcesName(access)] = access.sources;
  DM_ASSIGN_OR_RETURN(const std::vector<Json> found,
                      ListOurs(call, absl::StrCat(kIpSets, "/summaries"), kOnlyIpSets, access.tag));
  bool mended = false;
  for (const Json& summary : found) {
    const auto want = wanted.find(Text(summary, "name"));
    if (want == wanted.end()) continue;
    const std::string id = Text(summary, "id");
    const std::string path = absl::StrCat(kIpSets, "/", id);
    DM_ASSIGN_OR_RETURN(Json set, cloud_.Get(call, path));
    const std::vector<std::string> addresses = Texts(set, "ipAddresses");
    if (std::set<std::string>(addresses.begin(), addresses.end()) !=
        std::set<std::string>(want->second.begin(), want->second.end())) {
      set["ipAddresses"] = want->second;
      DM_RETURN_IF_ERROR(cloud_.Run(call, "PUT", path, set));
      mended = true;
    }
    ids[want->first] = id;
    wanted.erase(want);
  }
  // What a gateway of a VDC group uses belongs to the group.
  const std::string owner = Text(Member(gateway, "ownerRef"), "id");
  const bool in_group = absl::StartsWith(owner, "urn:vcloud:vdcGroup:");
  for (const auto& [name, addresses] : wanted) {
    DM_RETURN_IF_ERROR(ExplainRight(cloud_.Run(call, "POST", kIpSets,
                                               {{"name", name},
                                                {"description", kDescription},
                                                {"typeValue", "IP_SET"},
                                                {"ipAddresses", addresses},
                                                {"ownerRef", Reference(in_group ? owner : id_)}}),
                                    gateway, "Configure Firewall"));
    mended = true;
  }
  return mended;
}

absl::StatusOr<bool> NsxtGateway::MendPortProfiles(const common::CallScope& call,
                                                   const PublicAccess& access, const Json& gateway,
                                                   Ids& ids) {
  DM_ASSIGN_OR_RETURN(const std::vector<Json> found,
                      ListOurs(call, kPortProfiles, kOnlyTenants, access.tag));
  for (const Json& profile : found) ids[Text(profile, "name")] = Text(profile, "id");
  bool mended = false;
  for (const int port : access.ports) {
    const std::string name = ProfileName(access, port);
    if (ids.contains(name)) continue;
    const Json tcp = {{"protocol", "TCP"}, {"destinationPorts", Json::array({absl::StrCat(port)})}};
    DM_RETURN_IF_ERROR(
        ExplainRight(cloud_.Run(call, "POST", kPortProfiles,
                                {{"name", name},
                                 {"description", kDescription},
                                 {"scope", "TENANT"},
                                 {"orgRef", Reference(Text(Member(gateway, "orgRef"), "id"))},
                                 {"contextEntityId", Text(Member(gateway, "ownerRef"), "id")},
                                 {"applicationPorts", Json::array({tcp})}}),
                     gateway, "Configure Firewall"));
    mended = true;
  }
  return mended;
}

absl::StatusOr<bool> NsxtGateway::MendNat(const common::CallScope& call, const PublicAccess& access,
                                          const Json& gateway, const std::vector<Json>& rules,
                                          const Ids& profiles) {
  std::vector<Json> wanted = NatRulesFor(access, profiles);
  std::vector<Json> wrong;
  for (const Json& rule : rules) {
    if (IsOurs(rule, access.tag) && !Take(rule, wanted, IsNatRule)) wrong.push_back(rule);
  }
  DM_ASSIGN_OR_RETURN(const bool deleted, DeleteAll(call, Of("/nat/rules"), wrong));
  for (const Json& rule : wanted) {
    DM_RETURN_IF_ERROR(
        ExplainRight(cloud_.Run(call, "POST", Of("/nat/rules"), rule), gateway, "Configure NAT"));
  }
  return deleted || !wanted.empty();
}

absl::StatusOr<bool> NsxtGateway::MendFirewall(const common::CallScope& call,
                                               const PublicAccess& access, const Ids& sets,
                                               const Ids& profiles) {
  DM_ASSIGN_OR_RETURN(const Json rules, cloud_.Get(call, Of("/firewall/rules")));
  std::vector<Json> wanted = FirewallRulesFor(access, sets, profiles);
  Json all = Json::array();
  bool wrong = false;
  for (const Json& rule : Elements(rules, "userDefinedRules")) {
    if (IsOurs(rule, access.tag) && !Take(rule, wanted, IsFirewallRule)) {
      wrong = true;
    } else {
      all.push_back(rule);
    }
  }
  if (!wrong && wanted.empty()) return false;
  // Behind those of others, whose refusals stay refusals.
  for (Json& rule : wanted) all.push_back(std::move(rule));
  DM_RETURN_IF_ERROR(
      cloud_.Run(call, "PUT", Of("/firewall/rules"), {{"userDefinedRules", std::move(all)}}));
  return true;
}

absl::StatusOr<bool> NsxtGateway::Mend(const common::CallScope& call, const PublicAccess& wanted) {
  DM_ASSIGN_OR_RETURN(const Json gateway, cloud_.Get(call, Of("")));
  DM_ASSIGN_OR_RETURN(const std::vector<Json> rules, cloud_.List(call, Of("/nat/rules")));
  DM_ASSIGN_OR_RETURN(
      const PublicAccess access,
      BesideRules(Text(gateway, "name"), InboundRulesOfOthers(rules, wanted.tag), wanted));
  Ids sets;
  Ids profiles;
  DM_ASSIGN_OR_RETURN(const bool new_sets, MendIpSets(call, access, gateway, sets));
  DM_ASSIGN_OR_RETURN(const bool new_profiles, MendPortProfiles(call, access, gateway, profiles));
  // They have ids only once they are listed.
  if (new_sets || new_profiles) return true;
  DM_ASSIGN_OR_RETURN(const bool nat, MendNat(call, access, gateway, rules, profiles));
  DM_ASSIGN_OR_RETURN(const bool firewall, MendFirewall(call, access, sets, profiles));
  return nat || firewall;
}

absl::StatusOr<bool> NsxtGateway::DeleteOurs(const common::CallScope& call, absl::string_view tag) {
  bool deleted = false;
  const absl::StatusOr<Json> gateway = cloud_.Get(call, Of(""));
  if (!gateway.ok() && !absl::IsNotFound(gateway.status())) return gateway.status();
  // Sets and profiles outlive it, and can be deleted when no rule uses them.
  if (gateway.ok()) {
    const absl::StatusOr<Json> rules = cloud_.Get(call, Of("/firewall/rules"));
    DM_RETURN_IF_ERROR(ExplainRight(rules.status(), *gateway, "View Firewall"));
    std::vector<Json> firewall;
    for (const Json& rule : Elements(*rules, "userDefinedRules")) {
      if (IsOurs(rule, tag)) firewall.push_back(rule);
    }
    DM_ASSIGN_OR_RETURN(const bool some, DeleteAll(call, Of("/firewall/rules"), firewall));
    const absl::StatusOr<std::vector<Json>> nat = ListOurs(call, Of("/nat/rules"), "", tag);
    DM_RETURN_IF_ERROR(ExplainRight(nat.status(), *gateway, "View NAT"));
    DM_ASSIGN_OR_RETURN(const bool more, DeleteAll(call, Of("/nat/rules"), *nat));
    deleted = some || more;
  }
  DM_ASSIGN_OR_RETURN(const std::vector<Json> sets,
                      ListOurs(call, absl::StrCat(kIpSets, "/summaries"), kOnlyIpSets, tag));
  DM_ASSIGN_OR_RETURN(const bool some_sets, DeleteAll(call, kIpSets, sets));
  DM_ASSIGN_OR_RETURN(const std::vector<Json> profiles,
                      ListOurs(call, kPortProfiles, kOnlyTenants, tag));
  DM_ASSIGN_OR_RETURN(const bool some_profiles, DeleteAll(call, kPortProfiles, profiles));
  return deleted || some_sets || some_profiles;
}

absl::Status NsxtGateway::Check(const common::CallScope& call, const PublicAccess& access) {
  DM_ASSIGN_OR_RETURN(const Json gateway, cloud_.Get(call, Of("")));
  DM_RETURN_IF_ERROR(CheckIsAddressOf(gateway, access.public_ip));
  const absl::StatusOr<std::vector<Json>> nat = cloud_.List(call, Of("/nat/rules"));
  DM_RETURN_IF_ERROR(ExplainRight(nat.status(), gateway, "View NAT"));
  DM_RETURN_IF_ERROR(
      BesideRules(Text(gateway, "name"), InboundRulesOfOthers(*nat, access.tag), access).status());
  const absl::StatusOr<Json> firewall = cloud_.Get(call, Of("/firewall/rules"));
  return ExplainRight(firewall.status(), gateway, "View Firewall");
}

absl::Status NsxtGateway::Open(const common::CallScope& call, const PublicAccess& access) {
  return MendUntilRight(call, api_, backoff_, [&] { return Mend(call, access); });
}

absl::Status NsxtGateway::Close(const common::CallScope& call, absl::string_view tag) {
  return MendUntilRight(call, api_, backoff_, [&] { return DeleteOurs(call, tag); });
}

}  // namespace machine::driver::vmwarevcloudair
