#include "drivers/azure/azure_json.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/common/status/status.h"

namespace machine::driver::azure {
namespace {

Tags TagsOf(const Json& json) {
  Tags tags;
  const Json& from = Member(json, "tags");
  if (!from.is_object()) return tags;
  for (const auto& [key, value] : from.items()) {
    if (value.is_string()) tags[key] = value.get<std::string>();
  }
  return tags;
}

// The part of an id after "/resourceGroups/", which Azure writes in whatever case it likes.
std::string GroupOf(absl::string_view id) {
  const std::vector<absl::string_view> parts = absl::StrSplit(id, '/');
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    if (absl::EqualsIgnoreCase(parts[i], "resourceGroups")) return std::string(parts[i + 1]);
  }
  return "";
}

bool IsOneOf(absl::string_view text, std::initializer_list<absl::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

std::string Capability(const Json& sku, absl::string_view name) {
  for (const Json& each : Elements(sku, "capabilities")) {
    if (Text(each, "name") == name) return Text(each, "value");
  }
  return "";
}

Json Begin(const std::string& location, const Tags& tags) {
  return {{"location", location}, {"tags", tags}};
}

}  // namespace

Resource ResourceOf(const Json& json) {
  return {.id = Text(json, "id"),
          .name = Text(json, "name"),
          .location = Text(json, "location"),
          .provisioning_state = Text(Member(json, "properties"), "provisioningState"),
          .tags = TagsOf(json),
          .json = json};
}

VirtualMachine MachineOf(const Json& json) {
  const Json& properties = Member(json, "properties");
  VirtualMachine machine = {.id = Text(json, "id"),
                            .name = Text(json, "name"),
                            .group = GroupOf(Text(json, "id")),
                            .location = Text(json, "location"),
                            .size = Text(Member(properties, "hardwareProfile"), "vmSize"),
                            .zone = "",
                            .provisioning_state = Text(properties, "provisioningState"),
                            .power_state = "",
                            .tags = TagsOf(json)};
  const std::vector<std::string> zones = Texts(json, "zones");
  if (!zones.empty()) machine.zone = zones.front();
  for (const Json& status : Elements(Member(properties, "instanceView"), "statuses")) {
    std::string code = Text(status, "code");
    if (absl::StartsWith(code, "PowerState/")) machine.power_state = std::move(code);
  }
  return machine;
}

Size SizeOf(const Json& json) {
  Size size = {.name = Text(json, "name"),
               .arm = Capability(json, "CpuArchitectureType") == "Arm64",
               .generation2 = absl::StrContains(Capability(json, "HyperVGenerations"), "V2"),
               .restriction = "",
               .zones = {}};
  if (!absl::SimpleAtoi(Capability(json, "vCPUs"), &size.cpus)) size.cpus = 0;
  if (!absl::SimpleAtod(Capability(json, "MemoryGB"), &size.memory_gib)) size.memory_gib = 0;
  for (const Json& place : Elements(json, "locationInfo")) {
    size.zones = Texts(place, "zones");
    std::sort(size.zones.begin(), size.zones.end());
  }
  for (const Json& restriction : Elements(json, "restrictions")) {
    if (Text(restriction, "type") == "Zone") {
      for (const std::string& zone : Texts(Member(restriction, "restrictionInfo"), "zones")) {
        std::erase(size.zones, zone);
      }
    } else {
      size.restriction = Text(restriction, "reasonCode");
    }
  }
  return size;
}

absl::Status ErrorFor(absl::string_view code, const absl::Status& otherwise) {
  const auto error = [&](absl::StatusCode status, machine::v1::ErrorReason reason) {
    return common::Error(status, reason, otherwise.message());
  };
  // https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors
  const bool quota =
      code == "OperationNotAllowed" && absl::StrContains(otherwise.message(), "uota");
  if (quota || absl::EndsWith(code, "CountLimitReached") ||
      absl::StartsWith(code, "QuotaExceeded") ||
      IsOneOf(code,
              {"ResourceQuotaExceeded", "ResourceGroupQuotaExceeded", "SkuNotAvailable",
               "AllocationFailed", "ZonalAllocationFailed", "OverconstrainedAllocationRequest",
               "OverconstrainedZonalAllocationRequest"})) {
    return error(absl::StatusCode::kResourceExhausted, machine::v1::ERROR_REASON_PROVIDER_QUOTA);
  }
  // Of what was deleted a moment ago, or is under way.
  if (absl::StartsWith(code, "InUse") || absl::EndsWith(code, "CannotBeDeleted") ||
      IsOneOf(code, {"AnotherOperationInProgress", "RetryableError",
                     "RetryableErrorDueToAnotherOperation", "ReferencedResourceNotProvisioned",
                     "ResourceGroupBeingDeleted", "NicInUse", "NicReservedForAnotherVm",
                     "OperationPreempted", "StoppingInProgress", "Conflict",
                     "AttachDiskWhileBeingDetached"})) {
    return error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN);
  }
  if (IsOneOf(code, {"InvalidAuthenticationTokenTenant", "ExpiredAuthenticationToken",
                     "InvalidAuthenticationToken", "AuthenticationFailed"})) {
    return error(absl::StatusCode::kUnauthenticated,
                 machine::v1::ERROR_REASON_PROVIDER_CREDENTIALS);
  }
  if (IsOneOf(code, {"InternalServerError", "InternalError", "InternalExecutionError",
                     "ServerTimeout", "GatewayTimeout"})) {
    return error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN);
  }
  return otherwise;
}

absl::Status FailureOf(const Json& error, absl::string_view what) {
  const std::string code = Text(error, "code");
  return ErrorFor(code, absl::FailedPreconditionError(
                            absl::StrCat("Azure: ", what, " failed: ", Text(error, "message"),
                                         code.empty() ? "" : " (", code, code.empty() ? "" : ")")));
}

Json Reference(absl::string_view id) { return {{"id", std::string(id)}}; }

Json BodyOf(const SecurityGroupSpec& spec) {
  Json rules = Json::array();
  for (const std::string& cidr : spec.cidrs) {
    for (const std::string& port : spec.ports) {
      const std::pair<std::string, std::string> parts = absl::StrSplit(port, '/');
      const size_t number = rules.size();
      rules.push_back({{"name", absl::StrCat("docker-machine-", number)},
                       {"properties",
                        {{"protocol", parts.second},
                         {"sourcePortRange", "*"},
                         {"destinationPortRange", parts.first},
                         {"sourceAddressPrefix", cidr == "0.0.0.0/0" ? "*" : cidr},
                         {"destinationAddressPrefix", "*"},
                         {"access", "Allow"},
                         {"priority", 100 + number},
                         {"direction", "Inbound"}}}});
    }
  }
  Json body = Begin(spec.location, spec.tags);
  body["properties"]["securityRules"] = std::move(rules);
  return body;
}

Json BodyOf(const NetworkSpec& spec) {
  Json body = Begin(spec.location, spec.tags);
  body["properties"]["addressSpace"]["addressPrefixes"] = Json::array({spec.range});
  // The machine's own address is its way out. The one that Azure gave by itself, shared and liable
  // to change, is going away:
  // https://learn.microsoft.com/azure/virtual-network/ip-services/default-outbound-access
  body["properties"]["subnets"] = Json::array(
      {{{"name", spec.subnet},
        {"properties", {{"addressPrefix", spec.range}, {"defaultOutboundAccess", false}}}}});
  return body;
}

Json BodyOf(const PublicAddressSpec& spec) {
  Json body = Begin(spec.location, spec.tags);
  // Basic ones are gone since 2025-09-30, and were the default.
  body["sku"]["name"] = "Standard";
  if (!spec.zone.empty()) body["zones"] = Json::array({spec.zone});
  body["properties"] = {{"publicIPAllocationMethod", "Static"}, {"publicIPAddressVersion", "IPv4"}};
  if (!spec.dns_label.empty()) {
    body["properties"]["dnsSettings"]["domainNameLabel"] = spec.dns_label;
  }
  return body;
}

Json BodyOf(const InterfaceSpec& spec) {
  Json configuration = {{"subnet", Reference(spec.subnet_id)},
                        {"privateIPAllocationMethod", "Dynamic"}};
  if (!spec.private_ip.empty()) {
    configuration["privateIPAllocationMethod"] = "Static";
    configuration["privateIPAddress"] = spec.private_ip;
  }
  if (!spec.public_address_id.empty()) {
    configuration["publicIPAddress"] = Reference(spec.public_address_id);
  }
  Json body = Begin(spec.location, spec.tags);
  body["properties"] = {
      {"networkSecurityGroup", Reference(spec.security_group_id)},
      {"ipConfigurations",
       Json::array({{{"name", "docker-machine"}, {"properties", std::move(configuration)}}})}};
  return body;
}

Json BodyOf(const MachineSpecification& spec) {
  Json linux_configuration = {{"disablePasswordAuthentication", spec.password.empty()}};
  if (!spec.ssh_public_key.empty()) {
    const std::string path = absl::StrCat("/home/", spec.username, "/.ssh/authorized_keys");
    linux_configuration["ssh"]["publicKeys"] =
        Json::array({{{"path", path}, {"keyData", spec.ssh_public_key}}});
  }
  Json os = {{"computerName", spec.host_name},
             {"adminUsername", spec.username},
             {"linuxConfiguration", std::move(linux_configuration)}};
  if (!spec.password.empty()) os["adminPassword"] = spec.password;
  if (!spec.custom_data.empty()) os["customData"] = absl::Base64Escape(spec.custom_data);

  Json disk = {{"name", spec.disk_name},
               {"osType", "Linux"},
               {"caching", "ReadWrite"},
               {"createOption", "FromImage"},
               {"managedDisk", {{"storageAccountType", spec.disk_type}}}};
  if (spec.disk_gb > 0) disk["diskSizeGB"] = spec.disk_gb;
  const ImageName& image = spec.image;
  const Json image_reference = image.publisher.empty() ? Reference(image.id)
                                                       : Json{{"publisher", image.publisher},
                                                              {"offer", image.offer},
                                                              {"sku", image.sku},
                                                              {"version", image.version}};
  Json interface = Reference(spec.interface_id);
  interface["properties"]["primary"] = true;

  Json body = Begin(spec.location, spec.tags);
  if (!spec.zone.empty()) body["zones"] = Json::array({spec.zone});
  body["properties"] = {
      {"hardwareProfile", {{"vmSize", spec.size}}},
      {"osProfile", std::move(os)},
      {"storageProfile", {{"imageReference", image_reference}, {"osDisk", std::move(disk)}}},
      {"networkProfile", {{"networkInterfaces", Json::array({std::move(interface)})}}}};
  return body;
}

}  // namespace machine::driver::azure
