#include "drivers/vmwarevcloudair/nsxv_gateway.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/choices.h"
#include "drivers/sdk/errors.h"
#include "drivers/vmwarevcloudair/settings.h"
#include "services/common/status/status.h"

namespace machine::driver::vmwarevcloudair {
namespace {

// An element as it was read, but for prefixes: all of a gateway's is in one namespace.
std::string Write(const XmlElement& element) {
  if (element.children().empty()) return XmlLeaf(element.name(), element.text());
  std::string inner;
  for (const XmlElement& child : element.children()) absl::StrAppend(&inner, Write(child));
  return XmlNode(element.name(), inner);
}

// A reference keeps what it refers to.
std::string WriteRule(const XmlElement& rule) {
  std::string inner;
  for (const XmlElement& child : rule.children()) {
    if (child.name() != "GatewayNatRule") {
      absl::StrAppend(&inner, Write(child));
      continue;
    }
    std::string parts;
    for (const XmlElement& part : child.children()) {
      absl::StrAppend(&parts, part.name() == "Interface"
                                  ? XmlNode("Interface", "",
                                            {{"href", part.Attribute("href")},
                                             {"name", part.Attribute("name")},
                                             {"type", part.Attribute("type")}})
                                  : Write(part));
    }
    absl::StrAppend(&inner, XmlNode("GatewayNatRule", parts));
  }
  return XmlNode(rule.name(), inner);
}

bool IsOurs(const XmlElement& rule, absl::string_view tag) {
  return rule.Text("Description") == tag;
}

struct Translation {
  std::string type;
  std::string from;
  std::string to;
  /// The same on both sides.
  std::string port;
  std::string protocol;
};

// What comes in at the ports, and what the machine sends out.
std::vector<Translation> TranslationsOf(const PublicAccess& access) {
  std::vector<Translation> all;
  for (const int port : access.ports) {
    all.push_back({"DNAT", access.public_ip, access.internal_ip, absl::StrCat(port), "tcp"});
  }
  if (!all.empty()) all.push_back({"SNAT", access.internal_ip, access.public_ip, "any", "any"});
  return all;
}

std::string NatRule(absl::string_view tag, const XmlElement& uplink, const Translation& rule) {
  return XmlNode(
      "NatRule",
      absl::StrCat(
          XmlLeaf("Description", tag), XmlLeaf("RuleType", rule.type), XmlLeaf("IsEnabled", "true"),
          XmlNode(
              "GatewayNatRule",
              absl::StrCat(XmlNode("Interface", "",
                                   {{"href", uplink.Attribute("href")},
                                    {"name", uplink.Attribute("name")},
                                    {"type", "application/vnd.vmware.admin.network+xml"}}),
                           XmlLeaf("OriginalIp", rule.from), XmlLeaf("OriginalPort", rule.port),
                           XmlLeaf("TranslatedIp", rule.to), XmlLeaf("TranslatedPort", rule.port),
                           XmlLeaf("Protocol", rule.protocol)))));
}

struct Passage {
  std::string protocol;
  std::string from;
  std::string to;
  std::string port;
};

std::vector<Passage> PassagesOf(const PublicAccess& access) {
  std::vector<Passage> all;
  for (const int port : access.ports) {
    for (const std::string& source : access.sources) {
      all.push_back(
          {"Tcp", IsEverywhere(source) ? "Any" : source, access.public_ip, absl::StrCat(port)});
    }
  }
  if (!all.empty()) all.push_back({"Any", access.internal_ip, "Any", "Any"});
  return all;
}

std::string FirewallRule(absl::string_view tag, const Passage& rule) {
  return XmlNode("FirewallRule",
                 absl::StrCat(XmlLeaf("IsEnabled", "true"), XmlLeaf("MatchOnTranslate", "false"),
                              XmlLeaf("Description", tag), XmlLeaf("Policy", "allow"),
                              XmlNode("Protocols", XmlLeaf(rule.protocol, "true")),
                              XmlLeaf("DestinationPortRange", rule.port),
                              XmlLeaf("DestinationIp", rule.to), XmlLeaf("SourcePortRange", "Any"),
                              XmlLeaf("SourceIp", rule.from), XmlLeaf("EnableLogging", "false")));
}

// The service as it was, without the rules that have `tag`, and with `added` after them.
std::string Service(const XmlElement& service, absl::string_view name, absl::string_view rule_name,
                    absl::string_view tag, absl::string_view added) {
  std::string inner = service.Has("IsEnabled") ? "" : XmlLeaf("IsEnabled", "true");
  bool written = false;
  for (const XmlElement& child : service.children()) {
    if (child.name() != rule_name) {
      // What follows the rules must follow ours, too.
      if (child.name() == "ExternalIp" && !written) {
        absl::StrAppend(&inner, added);
        written = true;
      }
      absl::StrAppend(&inner, Write(child));
    } else if (!IsOurs(child, tag)) {
      absl::StrAppend(&inner, WriteRule(child));
    }
  }
  if (!written) absl::StrAppend(&inner, added);
  return XmlNode(name, inner);
}

const XmlElement& ServicesOf(const XmlElement& gateway) {
  return gateway.Child("Configuration").Child("EdgeGatewayServiceConfiguration");
}

std::vector<const XmlElement*> NatRulesOf(const XmlElement& gateway) {
  return ServicesOf(gateway).Child("NatService").Children("NatRule");
}

// Whether there are the rules of `access`, and no others with its tag.
bool IsRight(const XmlElement& gateway, const PublicAccess& access) {
  std::vector<Translation> missing = TranslationsOf(access);
  for (const XmlElement* const rule : NatRulesOf(gateway)) {
    if (!IsOurs(*rule, access.tag)) continue;
    const XmlElement& nat = rule->Child("GatewayNatRule");
    const auto found = std::find_if(missing.begin(), missing.end(), [&](const Translation& each) {
      return rule->Text("RuleType") == each.type && nat.Text("OriginalIp") == each.from &&
             nat.Text("OriginalPort") == each.port && nat.Text("TranslatedIp") == each.to;
    });
    if (found == missing.end()) return false;
    missing.erase(found);
  }
  const std::vector<const XmlElement*> firewall =
      ServicesOf(gateway).Child("FirewallService").Children("FirewallRule");
  const auto ours = std::count_if(firewall.begin(), firewall.end(), [&](const XmlElement* rule) {
    return IsOurs(*rule, access.tag);
  });
  return missing.empty() && static_cast<size_t>(ours) == PassagesOf(access).size();
}

std::vector<InboundRule> InboundRulesOfOthers(const XmlElement& gateway, absl::string_view tag) {
  std::vector<InboundRule> rules;
  for (const XmlElement* const rule : NatRulesOf(gateway)) {
    if (IsOurs(*rule, tag) || rule->Text("RuleType") != "DNAT") continue;
    const XmlElement& nat = rule->Child("GatewayNatRule");
    const std::string& name = rule->Text("Description");
    rules.push_back(
        {name.empty() ? rule->Text("Id") : name, nat.Text("OriginalIp"), nat.Text("OriginalPort")});
  }
  return rules;
}

// The first network by which the gateway reaches the outside.
const XmlElement& UplinkOf(const XmlElement& gateway) {
  static const XmlElement& none = *new XmlElement;
  const XmlElement& interfaces = gateway.Child("Configuration").Child("GatewayInterfaces");
  for (const XmlElement* const each : interfaces.Children("GatewayInterface")) {
    if (each->Text("InterfaceType") == "uplink") return each->Child("Network");
  }
  return none;
}

}  // namespace

absl::StatusOr<bool> NsxvGateway::Mend(const common::CallScope& call, const PublicAccess& wanted) {
  DM_ASSIGN_OR_RETURN(const XmlElement gateway, api_.Get(call, url_));
  DM_ASSIGN_OR_RETURN(
      const PublicAccess access,
      BesideRules(gateway.Attribute("name"), InboundRulesOfOthers(gateway, wanted.tag), wanted));
  if (IsRight(gateway, access)) return false;
  const XmlElement& uplink = UplinkOf(gateway);
  if (!access.ports.empty() && uplink.Attribute("href").empty()) {
    return PreCreateCheckFailed("the edge gateway has no uplink");
  }
  std::string nat;
  for (const Translation& rule : TranslationsOf(access)) {
    absl::StrAppend(&nat, NatRule(access.tag, uplink, rule));
  }
  std::string firewall;
  for (const Passage& rule : PassagesOf(access)) {
    absl::StrAppend(&firewall, FirewallRule(access.tag, rule));
  }
  const XmlElement& services = ServicesOf(gateway);
  const std::string body = XmlNode(
      "EdgeGatewayServiceConfiguration",
      absl::StrCat(Service(services.Child("FirewallService"), "FirewallService", "FirewallRule",
                           access.tag, firewall),
                   Service(services.Child("NatService"), "NatService", "NatRule", access.tag, nat)),
      {{"xmlns", kVcloudNamespace}});
  DM_RETURN_IF_ERROR(api_.Run(call, "POST", absl::StrCat(url_, "/action/configureServices"),
                              {"admin.edgeGatewayServiceConfiguration", body}));
  return true;
}

absl::Status NsxvGateway::Check(const common::CallScope& call, const PublicAccess& access) {
  DM_ASSIGN_OR_RETURN(const XmlElement gateway, api_.Get(call, url_));
  const std::string& name = gateway.Attribute("name");
  // While it works on something it offers nothing.
  const std::vector<const XmlElement*> links = gateway.Children("Link");
  const bool takes = std::any_of(links.begin(), links.end(), [](const XmlElement* link) {
    return link->Attribute("rel") == "edgeGateway:configureServices";
  });
  if (!takes && !gateway.Has("Tasks")) {
    return PreCreateCheckFailed(
        absl::StrCat("--", kPublicIpFlag, ": edge gateway ", name,
                     " lets this user write no rules: the right \"Gateway: Configure Services\" "
                     "is missing"));
  }
  return BesideRules(name, InboundRulesOfOthers(gateway, access.tag), access).status();
}

absl::Status NsxvGateway::Open(const common::CallScope& call, const PublicAccess& access) {
  return MendUntilRight(call, api_, backoff_, [&] { return Mend(call, access); });
}

absl::Status NsxvGateway::Close(const common::CallScope& call, absl::string_view tag) {
  const PublicAccess nothing = {.tag = std::string(tag)};
  const absl::Status status =
      MendUntilRight(call, api_, backoff_, [&] { return Mend(call, nothing); });
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

}  // namespace machine::driver::vmwarevcloudair
