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

// SoftLayer refuses more than 50 requests a second of one user, who may have other programs:
// https://github.com/softlayer/softlayer-go/issues/75
constexpr double kRequestsPerSecond = 20;
constexpr double kBurst = 20;
constexpr int64_t kPageSize = 100;
constexpr int64_t kMaxPages = 10'000;

constexpr absl::string_view kGuestMask =
    "mask[id,startCpus,maxMemory,provisionDate,primaryIpAddress,primaryBackendIpAddress,"
    "powerState[keyName],activeTransaction[transactionStatus[name]],datacenter[name],userData["
    "value]]";

// What an answer means by its code and its words. The HTTP status says little: it is 500 for nearly
// all that is refused, and most codes are SoftLayer_Exception_Public. Sources, read in November
// 2026:
//   [1] https://sldn.softlayer.com/article/exception-handling-softlayer-api
//   [2] softlayer-go, session/rest.go and issue 75; session/session.go for expired tokens
//   [3] IBM's list of what classic infrastructure answers to orders of the Kubernetes service,
//       https://cloud.ibm.com/docs/containers?topic=containers-cluster_infra_errors
//   [4] https://sldn.softlayer.com/reference/services/, "Error Handling" of the methods of users
//   [5] https://sldn.softlayer.com/article/authenticating-softlayer-api
struct Meaning {
  /// A part of the code; empty for any.
  absl::string_view code;
  /// A part of the words in lower case; empty for any.
  absl::string_view words;
  absl::StatusCode status;
  machine::v1::ErrorReason reason = machine::v1::ERROR_REASON_UNSPECIFIED;
};

constexpr Meaning RateLimit(absl::string_view code) {
  return {code, "", absl::StatusCode::kResourceExhausted,
          machine::v1::ERROR_REASON_PROVIDER_RATE_LIMIT};
}
constexpr Meaning Refused(absl::string_view code, absl::string_view words) {
  return {code, words, absl::StatusCode::kUnauthenticated,
          machine::v1::ERROR_REASON_PROVIDER_CREDENTIALS};
}
constexpr Meaning Forbidden(absl::string_view code, absl::string_view words) {
  return {code, words, absl::StatusCode::kPermissionDenied,
          machine::v1::ERROR_REASON_PROVIDER_POLICY};
}
constexpr Meaning Quota(absl::string_view words) {
  return {"", words, absl::StatusCode::kResourceExhausted,
          machine::v1::ERROR_REASON_PROVIDER_QUOTA};
}

// The first one that fits counts.
constexpr Meaning kMeanings[] = {
    // "Rate limit of 50 requests for every 1 second(s) exceeded." [2]
    RateLimit("RateLimitExceeded"),
    // Also of what the user lacks a permission for. [1]
    {"ObjectNotFound", "", absl::StatusCode::kNotFound},
    {"", "transaction", absl::StatusCode::kUnavailable},
    // Of what is not provisioned yet. [1]
    {"NotImplemented", "", absl::StatusCode::kUnavailable},
    {"", "internal error", absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN},
    Refused("", "access denied"),       // [1]
    Refused("", "invalid api token"),   // [5]
    Refused("Authentication", ""),      // Account_Authentication_AccessTokenValidation [2]
    Refused("User_Customer", ""),       // User_Customer_LoginFailed, …_AccountLocked
    Forbidden("PermissionDenied", ""),  // [4]
    Forbidden("", "permission"),        // "'Item' must be ordered with permission." [3]
    Forbidden("", "not authorized"),    // [3]
    // Virtual_Host_Pool_InsufficientResources: "There are insufficient resources behind router …",
    // and "insufficient capacity". [3]
    Quota("insufficient"),
    Quota("quota"),
    Quota("maximum number of"),
    {"InvalidValue", "", absl::StatusCode::kInvalidArgument},  // [1]
    {"BadRequest", "", absl::StatusCode::kInvalidArgument},    // [1]
    {"MissingCreationProperty", "", absl::StatusCode::kInvalidArgument},
};

absl::Status Refine(const absl::Status& error, const Json& body) {
  // A 429 says itself how long to wait.
  if (common::ReasonOf(error) == machine::v1::ERROR_REASON_PROVIDER_RATE_LIMIT) return error;
  const std::string code = Text(body, "code");
  const std::string words = absl::AsciiStrToLower(Text(body, "error"));
  for (const Meaning& meaning : kMeanings) {
    if (!absl::StrContains(code, meaning.code) || !absl::StrContains(words, meaning.words)) {
      continue;
    }
    return meaning.reason == machine::v1::ERROR_REASON_UNSPECIFIED
               ? absl::Status(meaning.status, error.message())
               : common::Error(meaning.status, meaning.reason, error.message());
  }
  // All other exceptions are refusals, and no faults of the server: Order_InvalidLocation, "Your
  // account is currently prohibited from ordering" [3].
  const bool refused = absl::StartsWith(code, "SoftLayer_Exception") && absl::IsUnavailable(error);
  return refused ? absl::FailedPreconditionError(error.message()) : error;
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

absl::StatusOr<Json> SoftLayerApi::Send(const common::CallScope& call,
                                        const ApiRequest& request) const {
  DM_ASSIGN_OR_RETURN(ApiResponse response, api_.Send(call, request));
  // Some failures come with status 200 (softlayer-go, session/rest_test.go).
  if (!Text(response.body, "error").empty() && !Text(response.body, "code").empty()) {
    return Refine(
        common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN,
                      absl::StrCat("SoftLayer: ", Text(response.body, "error"))),
        response.body);
  }
  return std::move(response.body);
}

absl::Status SoftLayerApi::List(const common::CallScope& call, absl::string_view path,
                                absl::string_view mask,
                                absl::FunctionRef<void(const Json&)> each) const {
  for (int64_t page = 0; page < kMaxPages; ++page) {
    DM_ASSIGN_OR_RETURN(
        const Json list,
        Send(call, {.path = std::string(path),
                    .query = {{"objectMask", std::string(mask)},
                              {"resultLimit", absl::StrCat(page * kPageSize, ",", kPageSize)}}}));
    if (Number(list, "id") != 0) {
      // Some lists of one come without brackets (softlayer-go, session/rest.go).
      each(list);
      return absl::OkStatus();
    }
    if (!list.is_array()) return NotAnAnswer("list");
    for (const Json& element : list) each(element);
    if (static_cast<int64_t>(list.size()) < kPageSize) return absl::OkStatus();
  }
  return NotAnAnswer("end");
}

absl::StatusOr<Json> SoftLayerApi::Post(const common::CallScope& call, absl::string_view path,
                                        const Json& parameter) const {
  ApiRequest request = {.method = "POST", .path = std::string(path)};
  request.body = {{"parameters", Json::array({parameter})}};
  return Send(call, request);
}

absl::StatusOr<CreateOptions> SoftLayerApi::GetCreateOptions(const common::CallScope& call) const {
  DM_ASSIGN_OR_RETURN(const Json body,
                      Send(call, {.path = absl::StrCat("/", kGuest, "/getCreateObjectOptions")}));
  if (!Member(body, "datacenters").is_array()) return NotAnAnswer("datacenters");
  CreateOptions options;
  const auto each = [&](absl::string_view key, absl::FunctionRef<void(const Json&)> take) {
    for (const Json& entry : Elements(body, key)) take(Member(entry, "template"));
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
  return IgnoreNotFound(Send(call, {.path = PathOf(kKey, id, "deleteObject")}).status());
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
  return IgnoreNotFound(Send(call, {.path = PathOf(kGroup, id, "deleteObject")}).status());
}

absl::StatusOr<std::vector<Guest>> SoftLayerApi::ListGuests(const common::CallScope& call) const {
  std::vector<Guest> guests;
  DM_RETURN_IF_ERROR(List(call, "/SoftLayer_Account/getVirtualGuests", kGuestMask,
                          [&](const Json& json) { guests.push_back(GuestOf(json)); }));
  return guests;
}

absl::StatusOr<std::optional<Guest>> SoftLayerApi::FindGuest(const common::CallScope& call,
                                                             int64_t id) const {
  const absl::StatusOr<Json> guest =
      Send(call, {.path = PathOf(kGuest, id, "getObject"),
                  .query = {{"objectMask", std::string(kGuestMask)}}});
  if (absl::IsNotFound(guest.status())) return std::nullopt;
  if (!guest.ok()) return guest.status();
  if (Number(*guest, "id") == 0) return NotAnAnswer("id");
  return GuestOf(*guest);
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
  return IgnoreNotFound(Send(call, {.path = PathOf(kGuest, id, "deleteObject")}).status());
}

absl::Status SoftLayerApi::Act(const common::CallScope& call, int64_t id,
                               absl::string_view method) const {
  return Send(call, {.path = PathOf(kGuest, id, method)}).status();
}

}  // namespace machine::driver::softlayer
