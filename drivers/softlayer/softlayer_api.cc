#include "drivers/softlayer/softlayer_api.h"

#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "drivers/softlayer/settings.h"
#include "services/common/crypto/secret_string.h"
#include "services/common/status/status.h"

namespace machine::driver::softlayer {
namespace {

// SoftLayer refuses more than about 20 requests a second of one user.
constexpr double kRequestsPerSecond = 10;
constexpr double kBurst = 50;
constexpr int64_t kPageSize = 100;
constexpr int64_t kMaxPages = 10'000;

constexpr absl::string_view kGuestMask =
    "mask[id,startCpus,maxMemory,provisionDate,primaryIpAddress,primaryBackendIpAddress,"
    "powerState[keyName],activeTransaction[transactionStatus[name]],datacenter[name],userData["
    "value]]";

absl::Status Quota(const absl::Status& error) {
  return common::Error(absl::StatusCode::kResourceExhausted,
                       machine::v1::ERROR_REASON_PROVIDER_QUOTA, error.message());
}

// SoftLayer answers 500 to most of what it refuses: what went wrong is in the body's code.
absl::Status Refine(const absl::Status& error, const Json& body) {
  const std::string code = Text(body, "code");
  const std::string words = absl::AsciiStrToLower(Text(body, "error"));
  if (absl::StrContains(code, "RateLimit")) {
    return common::Error(absl::StatusCode::kResourceExhausted,
                         machine::v1::ERROR_REASON_PROVIDER_RATE_LIMIT, error.message());
  }
  if (code == "SoftLayer_Exception_ObjectNotFound") return absl::NotFoundError(error.message());
  if (absl::StrContains(words, "transaction")) return absl::UnavailableError(error.message());
  if (absl::StrContains(words, "quota") || absl::StrContains(words, "maximum number of")) {
    return Quota(error);
  }
  if (absl::StrContains(code, "InvalidValue") ||
      absl::StrContains(code, "MissingCreationProperty")) {
    return absl::InvalidArgumentError(error.message());
  }
  const bool refused = absl::StartsWith(code, "SoftLayer_Exception_Order") ||
                       absl::StartsWith(code, "SoftLayer_Exception_Public") ||
                       absl::StartsWith(code, "SoftLayer_Exception_Virtual_Guest");
  return refused && absl::IsUnavailable(error) ? absl::FailedPreconditionError(error.message())
                                               : error;
}

ApiDialect Dialect(absl::string_view user, absl::string_view api_key, const Backoff& retry) {
  ApiDialect dialect;
  dialect.provider = "SoftLayer";
  dialect.backoff = retry;
  dialect.authorize =
      [basic = common::SecretString(absl::Base64Escape(absl::StrCat(user, ":", api_key)))](
          const common::CallScope&, common::HttpRequest& request) {
        request.headers.Set("Authorization", absl::StrCat("Basic ", basic.view()));
        return absl::OkStatus();
      };
  dialect.message_of = [](const Json& body) { return Text(body, "error"); };
  dialect.refine = [](const absl::Status& error, int, const Json& body) {
    return Refine(error, body);
  };
  return dialect;
}

absl::Status NotAnAnswer(absl::string_view key) {
  return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN,
                       absl::StrCat("SoftLayer's answer has no ", key));
}

std::string PathOf(absl::string_view service, int64_t id, absl::string_view method) {
  return absl::StrCat("/", service, "/", id, "/", method);
}

constexpr absl::string_view kGuest = "SoftLayer_Virtual_Guest";
constexpr absl::string_view kKey = "SoftLayer_Security_Ssh_Key";
constexpr absl::string_view kGroup = "SoftLayer_Network_SecurityGroup";

Guest GuestOf(const Json& json) {
  Guest guest = {
      .id = Number(json, "id"),
      .power = Text(Member(json, "powerState"), "keyName"),
      .transaction = Text(Member(Member(json, "activeTransaction"), "transactionStatus"), "name"),
      .provisioned = !Text(json, "provisionDate").empty(),
      .datacenter = Text(Member(json, "datacenter"), "name"),
      .cpus = Number(json, "startCpus"),
      .memory_mib = Number(json, "maxMemory"),
      .public_ip = Text(json, "primaryIpAddress"),
      .private_ip = Text(json, "primaryBackendIpAddress"),
      .user_data = ""};
  for (const Json& data : Elements(json, "userData")) guest.user_data += Text(data, "value");
  return guest;
}

Json VlanOf(int64_t id) { return {{"networkVlan", {{"id", id}}}}; }

Json TemplateOf(const GuestSpec& spec) {
  Json guest = {{"hostname", spec.hostname},
                {"domain", spec.domain},
                {"startCpus", spec.cpus},
                {"maxMemory", spec.memory_mib},
                {"datacenter", {{"name", spec.datacenter}}},
                {"hourlyBillingFlag", spec.hourly},
                {"localDiskFlag", spec.local_disk}};
  if (IsImageTemplate(spec.image)) {
    guest["blockDeviceTemplateGroup"] = {{"globalIdentifier", spec.image}};
  } else {
    guest["operatingSystemReferenceCode"] = spec.image;
  }
  if (spec.private_only) guest["privateNetworkOnlyFlag"] = true;
  if (spec.public_vlan != 0) guest["primaryNetworkComponent"] = VlanOf(spec.public_vlan);
  if (spec.private_vlan != 0) guest["primaryBackendNetworkComponent"] = VlanOf(spec.private_vlan);
  if (spec.security_group != 0) {
    const char* const component =
        spec.private_only ? "primaryBackendNetworkComponent" : "primaryNetworkComponent";
    guest[component]["securityGroupBindings"] =
        Json::array({{{"securityGroup", {{"id", spec.security_group}}}}});
  }
  if (spec.disk_gib != 0) {
    guest["blockDevices"] =
        Json::array({{{"device", "0"}, {"diskImage", {{"capacity", spec.disk_gib}}}}});
  }
  if (!spec.ssh_keys.empty()) {
    guest["sshKeys"] = Json::array();
    for (const int64_t key : spec.ssh_keys) guest["sshKeys"].push_back({{"id", key}});
  }
  if (!spec.user_data.empty()) guest["userData"] = Json::array({{{"value", spec.user_data}}});
  return guest;
}

Json RuleOf(const Rule& rule) {
  return {{"direction", "ingress"},
          {"ethertype", absl::StrContains(rule.cidr, ':') ? "IPv6" : "IPv4"},
          {"protocol", "tcp"},
          {"portRangeMin", rule.port},
          {"portRangeMax", rule.port},
          {"remoteIp", rule.cidr}};
}

absl::Status IgnoreNotFound(const absl::Status& status) {
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

}  // namespace

SoftLayerApi::SoftLayerApi(common::HttpClient& http, std::string endpoint, absl::string_view user,
                           absl::string_view api_key, const Backoff& retry)
    : api_(http, std::move(endpoint),
           std::make_shared<common::TokenBucket>(kRequestsPerSecond, kBurst),
           Dialect(user, api_key, retry)) {}

absl::Status SoftLayerApi::List(const common::CallScope& call, absl::string_view path,
                                absl::string_view mask,
                                absl::FunctionRef<void(const Json&)> each) const {
  for (int64_t page = 0; page < kMaxPages; ++page) {
    DM_ASSIGN_OR_RETURN(
        const ApiResponse response,
        api_.Send(call,
                  {.path = std::string(path),
                   .query = {{"objectMask", std::string(mask)},
                             {"resultLimit", absl::StrCat(page * kPageSize, ",", kPageSize)}}}));
    if (!response.body.is_array()) return NotAnAnswer("list");
    for (const Json& element : response.body) each(element);
    if (static_cast<int64_t>(response.body.size()) < kPageSize) return absl::OkStatus();
  }
  return NotAnAnswer("end");
}

absl::StatusOr<Json> SoftLayerApi::Post(const common::CallScope& call, absl::string_view path,
                                        const Json& parameter) const {
  ApiRequest request = {.method = "POST", .path = std::string(path)};
  request.body = {{"parameters", Json::array({parameter})}};
  DM_ASSIGN_OR_RETURN(ApiResponse response, api_.Send(call, request));
  return std::move(response.body);
}

absl::StatusOr<CreateOptions> SoftLayerApi::GetCreateOptions(const common::CallScope& call) const {
  DM_ASSIGN_OR_RETURN(
      const ApiResponse response,
      api_.Send(call, {.path = absl::StrCat("/", kGuest, "/getCreateObjectOptions")}));
  if (!Member(response.body, "datacenters").is_array()) return NotAnAnswer("datacenters");
  CreateOptions options;
  const auto each = [&](absl::string_view key, absl::FunctionRef<void(const Json&)> take) {
    for (const Json& entry : Elements(response.body, key)) take(Member(entry, "template"));
  };
  each("datacenters", [&](const Json& json) {
    options.datacenters.push_back(Text(Member(json, "datacenter"), "name"));
  });
  each("operatingSystems", [&](const Json& json) {
    options.images.push_back(Text(json, "operatingSystemReferenceCode"));
  });
  each("processors", [&](const Json& json) { options.cpus.push_back(Number(json, "startCpus")); });
  each("memory",
       [&](const Json& json) { options.memory_mib.push_back(Number(json, "maxMemory")); });
  each("blockDevices", [&](const Json& json) {
    for (const Json& device : Elements(json, "blockDevices")) {
      if (Text(device, "device") != "0") continue;
      auto& sizes = Flag(json, "localDiskFlag") ? options.local_disks_gib : options.san_disks_gib;
      sizes.push_back(Number(Member(device, "diskImage"), "capacity"));
    }
  });
  return options;
}

absl::StatusOr<std::vector<int64_t>> SoftLayerApi::ListVlans(const common::CallScope& call) const {
  std::vector<int64_t> vlans;
  DM_RETURN_IF_ERROR(List(call, "/SoftLayer_Account/getNetworkVlans", "mask[id]",
                          [&](const Json& json) { vlans.push_back(Number(json, "id")); }));
  return vlans;
}

absl::StatusOr<std::vector<SshKey>> SoftLayerApi::ListSshKeys(const common::CallScope& call) const {
  std::vector<SshKey> keys;
  DM_RETURN_IF_ERROR(
      List(call, "/SoftLayer_Account/getSshKeys", "mask[id,label,key]", [&](const Json& json) {
        keys.push_back({Number(json, "id"), Text(json, "label"), Text(json, "key")});
      }));
  return keys;
}

absl::StatusOr<SshKey> SoftLayerApi::CreateSshKey(const common::CallScope& call,
                                                  absl::string_view label,
                                                  absl::string_view public_key) const {
  DM_ASSIGN_OR_RETURN(const Json key,
                      Post(call, absl::StrCat("/", kKey, "/createObject"),
                           {{"label", std::string(label)}, {"key", std::string(public_key)}}));
  if (Number(key, "id") == 0) return NotAnAnswer("id");
  return SshKey{Number(key, "id"), std::string(label), std::string(public_key)};
}

absl::Status SoftLayerApi::DeleteSshKey(const common::CallScope& call, int64_t id) const {
  return IgnoreNotFound(api_.Send(call, {.path = PathOf(kKey, id, "deleteObject")}).status());
}

absl::StatusOr<std::vector<SecurityGroup>> SoftLayerApi::ListSecurityGroups(
    const common::CallScope& call) const {
  std::vector<SecurityGroup> groups;
  DM_RETURN_IF_ERROR(List(call, "/SoftLayer_Account/getSecurityGroups", "mask[id,name,rules[id]]",
                          [&](const Json& json) {
                            groups.push_back(
                                {Number(json, "id"), Text(json, "name"),
                                 static_cast<int64_t>(Elements(json, "rules").size())});
                          }));
  return groups;
}

absl::StatusOr<SecurityGroup> SoftLayerApi::CreateSecurityGroup(const common::CallScope& call,
                                                                absl::string_view name) const {
  DM_ASSIGN_OR_RETURN(const Json group, Post(call, absl::StrCat("/", kGroup, "/createObject"),
                                             {{"name", std::string(name)}}));
  if (Number(group, "id") == 0) return NotAnAnswer("id");
  return SecurityGroup{Number(group, "id"), std::string(name), 0};
}

absl::Status SoftLayerApi::AddRules(const common::CallScope& call, int64_t group,
                                    const std::vector<Rule>& rules) const {
  Json all = Json::array();
  for (const Rule& rule : rules) all.push_back(RuleOf(rule));
  for (const char* const type : {"IPv4", "IPv6"}) {
    all.push_back({{"direction", "egress"}, {"ethertype", type}});
  }
  return Post(call, PathOf(kGroup, group, "addRules"), all).status();
}

absl::Status SoftLayerApi::DeleteSecurityGroup(const common::CallScope& call, int64_t id) const {
  return IgnoreNotFound(api_.Send(call, {.path = PathOf(kGroup, id, "deleteObject")}).status());
}

absl::StatusOr<std::vector<Guest>> SoftLayerApi::ListGuests(const common::CallScope& call) const {
  std::vector<Guest> guests;
  DM_RETURN_IF_ERROR(List(call, "/SoftLayer_Account/getVirtualGuests", kGuestMask,
                          [&](const Json& json) { guests.push_back(GuestOf(json)); }));
  return guests;
}

absl::StatusOr<std::optional<Guest>> SoftLayerApi::FindGuest(const common::CallScope& call,
                                                             int64_t id) const {
  const absl::StatusOr<ApiResponse> response =
      api_.Send(call, {.path = PathOf(kGuest, id, "getObject"),
                       .query = {{"objectMask", std::string(kGuestMask)}}});
  if (absl::IsNotFound(response.status())) return std::nullopt;
  if (!response.ok()) return response.status();
  if (Number(response->body, "id") == 0) return NotAnAnswer("id");
  return GuestOf(response->body);
}

absl::Status SoftLayerApi::CheckOrder(const common::CallScope& call, const GuestSpec& spec) const {
  return Post(call, absl::StrCat("/", kGuest, "/generateOrderTemplate"), TemplateOf(spec)).status();
}

absl::StatusOr<Guest> SoftLayerApi::CreateGuest(const common::CallScope& call,
                                                const GuestSpec& spec) const {
  DM_ASSIGN_OR_RETURN(const Json guest,
                      Post(call, absl::StrCat("/", kGuest, "/createObject"), TemplateOf(spec)));
  if (Number(guest, "id") == 0) return NotAnAnswer("id");
  return GuestOf(guest);
}

absl::Status SoftLayerApi::SetTags(const common::CallScope& call, int64_t id,
                                   const std::vector<std::string>& tags) const {
  return Post(call, PathOf(kGuest, id, "setTags"), absl::StrJoin(tags, ",")).status();
}

absl::Status SoftLayerApi::DeleteGuest(const common::CallScope& call, int64_t id) const {
  return IgnoreNotFound(api_.Send(call, {.path = PathOf(kGuest, id, "deleteObject")}).status());
}

absl::Status SoftLayerApi::Act(const common::CallScope& call, int64_t id,
                               absl::string_view method) const {
  return api_.Send(call, {.path = PathOf(kGuest, id, method)}).status();
}

}  // namespace machine::driver::softlayer
