#include "drivers/vmwarevcloudair/edge_gateway.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/choices.h"
#include "drivers/sdk/errors.h"
#include "services/common/status/status.h"

namespace machine::driver::vmwarevcloudair {
namespace {

constexpr int kMaxRounds = 8;

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

std::string NatRule(const PublicAccess& access, const XmlElement& uplink, int port) {
  return XmlNode(
      "NatRule",
      absl::StrCat(
          XmlLeaf("Description", access.tag), XmlLeaf("RuleType", "DNAT"),
          XmlLeaf("IsEnabled", "true"),
          XmlNode("GatewayNatRule",
                  absl::StrCat(XmlNode("Interface", "",
                                       {{"href", uplink.Attribute("href")},
                                        {"name", uplink.Attribute("name")},
                                        {"type", "application/vnd.vmware.admin.network+xml"}}),
                               XmlLeaf("OriginalIp", access.public_ip),
                               XmlLeaf("OriginalPort", absl::StrCat(port)),
                               XmlLeaf("TranslatedIp", access.internal_ip),
                               XmlLeaf("TranslatedPort", absl::StrCat(port)),
                               XmlLeaf("Protocol", "tcp")))));
}

std::string FirewallRule(const PublicAccess& access, int port, const std::string& source) {
  return XmlNode(
      "FirewallRule",
      absl::StrCat(XmlLeaf("IsEnabled", "true"), XmlLeaf("MatchOnTranslate", "false"),
                   XmlLeaf("Description", access.tag), XmlLeaf("Policy", "allow"),
                   XmlNode("Protocols", XmlLeaf("Tcp", "true")),
                   XmlLeaf("DestinationPortRange", absl::StrCat(port)),
                   XmlLeaf("DestinationIp", access.public_ip), XmlLeaf("SourcePortRange", "Any"),
                   XmlLeaf("SourceIp", IsEverywhere(source) ? "Any" : source),
                   XmlLeaf("EnableLogging", "false")));
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

// Ports that the rules with `tag` lead to `access`; empty where they lead elsewhere.
std::vector<int> PortsOf(const XmlElement& services, const PublicAccess& access) {
  std::vector<int> ports;
  for (const int port : access.ports) {
    for (const XmlElement* const rule : services.Child("NatService").Children("NatRule")) {
      const XmlElement& nat = rule->Child("GatewayNatRule");
      if (IsOurs(*rule, access.tag) && nat.Text("OriginalPort") == absl::StrCat(port) &&
          nat.Text("OriginalIp") == access.public_ip &&
          nat.Text("TranslatedIp") == access.internal_ip) {
        ports.push_back(port);
        break;
      }
    }
  }
  return ports;
}

size_t CountOf(const XmlElement& services, absl::string_view tag) {
  size_t count = 0;
  for (const XmlElement* const rule : services.Child("NatService").Children("NatRule")) {
    if (IsOurs(*rule, tag)) ++count;
  }
  for (const XmlElement* const rule : services.Child("FirewallService").Children("FirewallRule")) {
    if (IsOurs(*rule, tag)) ++count;
  }
  return count;
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

absl::Status Change(const common::CallScope& call, VcdApi& api, const Backoff& backoff,
                    absl::string_view url, const PublicAccess& access) {
  absl::MutexLock lock(&api.gateway_mutex());
  for (int round = 1; round <= kMaxRounds; ++round) {
    DM_ASSIGN_OR_RETURN(const XmlElement gateway, api.Get(call, url));
    const XmlElement& services =
        gateway.Child("Configuration").Child("EdgeGatewayServiceConfiguration");
    const bool there =
        PortsOf(services, access).size() == access.ports.size() &&
        CountOf(services, access.tag) == access.ports.size() * (1 + access.sources.size());
    if (there) return absl::OkStatus();
    std::string nat;
    std::string firewall;
    const XmlElement& uplink = UplinkOf(gateway);
    if (!access.ports.empty() && uplink.Attribute("href").empty()) {
      return PreCreateCheckFailed("the edge gateway has no uplink");
    }
    for (const int port : access.ports) {
      absl::StrAppend(&nat, NatRule(access, uplink, port));
      for (const std::string& source : access.sources) {
        absl::StrAppend(&firewall, FirewallRule(access, port, source));
      }
    }
    const std::string body = XmlNode(
        "EdgeGatewayServiceConfiguration",
        absl::StrCat(
            Service(services.Child("FirewallService"), "FirewallService", "FirewallRule",
                    access.tag, firewall),
            Service(services.Child("NatService"), "NatService", "NatRule", access.tag, nat)),
        {{"xmlns", kVcloudNamespace}});
    const absl::Status status =
        api.Run(call, "POST", absl::StrCat(url, "/action/configureServices"),
                {"admin.edgeGatewayServiceConfiguration", body});
    if (!status.ok() && !IsTransient(status)) return status;
    // Busy, or the answer was lost: what is there now tells.
    if (!status.ok()) DM_RETURN_IF_ERROR(PauseBetweenLooks(call, backoff, round, status));
  }
  return absl::AbortedError("the rules of the edge gateway are changed by others all the time");
}

}  // namespace

absl::Status OpenGateway(const common::CallScope& call, VcdApi& api, const Backoff& backoff,
                         absl::string_view gateway, const PublicAccess& access) {
  return Change(call, api, backoff, gateway, access);
}

absl::Status CloseGateway(const common::CallScope& call, VcdApi& api, const Backoff& backoff,
                          absl::string_view gateway, absl::string_view tag) {
  const absl::Status status =
      Change(call, api, backoff, gateway, {.tag = std::string(tag), .ports = {}});
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

}  // namespace machine::driver::vmwarevcloudair
