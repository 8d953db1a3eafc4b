#include "drivers/exoscale/exoscale_api.h"

#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "drivers/exoscale/signature.h"
#include "services/common/crypto/secret_string.h"
#include "services/common/status/status.h"

namespace machine::driver::exoscale {
namespace {

// Exoscale publishes no limit; whatever it asks for by Retry-After is kept.
constexpr double kRequestsPerSecond = 10;
constexpr double kBurst = 100;
constexpr absl::Duration kSignatureLife = absl::Minutes(10);

bool SaysLimit(absl::string_view message) {
  const std::string words = absl::AsciiStrToLower(message);
  return absl::StrContains(words, "quota") || absl::StrContains(words, "limit exceeded") ||
         absl::StrContains(words, "resource limit");
}

absl::Status Quota(absl::string_view message) {
  return common::Error(absl::StatusCode::kResourceExhausted,
                       machine::v1::ERROR_REASON_PROVIDER_QUOTA, message);
}

absl::Status Refine(const absl::Status& error, int status) {
  // Exoscale names the limit in words only.
  if ((status == 403 || status == 400 || status == 409) && SaysLimit(error.message())) {
    return Quota(error.message());
  }
  return error;
}

ApiDialect Dialect(std::string key, std::string secret, const Backoff& retry) {
  ApiDialect dialect;
  dialect.provider = "Exoscale";
  dialect.backoff = retry;
  dialect.authorize = [key = std::move(key), secret = common::SecretString(std::move(secret))](
                          const common::CallScope&, common::HttpRequest& request) {
    request.headers.Set("Authorization",
                        AuthorizationOf(request, key, secret.view(), absl::Now() + kSignatureLife));
    return absl::OkStatus();
  };
  dialect.message_of = [](const Json& body) { return Text(body, "message"); };
  dialect.refine = [](const absl::Status& error, int status, const Json&) {
    return Refine(error, status);
  };
  return dialect;
}

absl::Status NotAnAnswer(absl::string_view key) {
  return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN,
                       absl::StrCat("Exoscale's answer has no ", key));
}

Json RefOf(absl::string_view id) { return {{"id", std::string(id)}}; }

Json RefsOf(const std::vector<std::string>& ids, const char* key) {
  Json refs = Json::array();
  for (const std::string& id : ids) refs.push_back({{key, id}});
  return refs;
}

bool IsGone(const Instance& instance) {
  return instance.state == "destroyed" || instance.state == "expunging";
}

Instance InstanceOf(const Json& json) {
  Instance instance = {.id = Text(json, "id"),
                       .state = Text(json, "state"),
                       .type_id = Text(Member(json, "instance-type"), "id"),
                       .template_id = Text(Member(json, "template"), "id"),
                       .labels = {},
                       .public_ip = Text(json, "public-ip"),
                       .ipv6 = Text(json, "ipv6-address"),
                       .security_groups = {}};
  const Json& labels = Member(json, "labels");
  if (labels.is_object()) {
    for (const auto& [key, value] : labels.items()) {
      if (value.is_string()) instance.labels[key] = value.get<std::string>();
    }
  }
  for (const Json& group : machine::driver::Elements(json, "security-groups")) {
    instance.security_groups.push_back(Text(group, "id"));
  }
  return instance;
}

SecurityGroup SecurityGroupOf(const Json& json) {
  SecurityGroup group = {.id = Text(json, "id"),
                         .name = Text(json, "name"),
                         .description = Text(json, "description"),
                         .rules = {}};
  for (const Json& rule : machine::driver::Elements(json, "rules")) {
    if (Text(rule, "flow-direction") != "ingress") continue;
    group.rules.push_back({.protocol = Text(rule, "protocol"),
                           .first_port = Number(rule, "start-port"),
                           .last_port = Number(rule, "end-port"),
                           .cidr = Text(rule, "network")});
  }
  return group;
}

Operation OperationOf(const Json& json) {
  return {.id = Text(json, "id"),
          .state = Text(json, "state"),
          .reason = Text(json, "reason"),
          .message = Text(json, "message"),
          .reference = Text(Member(json, "reference"), "id")};
}

std::string PathOf(absl::string_view kind, absl::string_view id, absl::string_view rest = "") {
  return absl::StrCat("/", kind, "/", PercentEncode(id), rest);
}

// A name that is taken, where the request was for a new name.
absl::Status TakenName(const absl::Status& status) {
  return absl::IsAborted(status) ? absl::AlreadyExistsError(status.message()) : status;
}

}  // namespace

std::string InstanceType::Name() const { return absl::StrCat(family, ".", size); }

std::string Instance::Label(const std::string& key) const {
  const auto label = labels.find(key);
  return label == labels.end() ? "" : label->second;
}

absl::Status ResultOf(const Operation& operation) {
  if (operation.state != "failure" && operation.state != "timeout") return absl::OkStatus();
  const std::string words = absl::StrCat(
      "Exoscale: ", operation.message.empty() ? "the operation failed" : operation.message,
      operation.reason.empty() ? "" : absl::StrCat(" (", operation.reason, ")"));
  if (SaysLimit(operation.message)) return Quota(words);
  const std::string& reason = operation.reason;
  if (reason == "forbidden") {
    return common::Error(absl::StatusCode::kPermissionDenied,
                         machine::v1::ERROR_REASON_PROVIDER_POLICY, words);
  }
  if (reason == "unavailable" || reason == "busy" || reason == "interrupted" ||
      operation.state == "timeout") {
    return absl::UnavailableError(words);
  }
  if (reason == "not-found") return absl::NotFoundError(words);
  if (reason == "conflict") return absl::AbortedError(words);
  return absl::FailedPreconditionError(words);
}

ExoscaleApi::ExoscaleApi(common::HttpClient& http, std::string endpoint, std::string key,
                         std::string secret, const Backoff& retry)
    : poll_(retry),
      api_(http, std::move(endpoint),
           std::make_shared<common::TokenBucket>(kRequestsPerSecond, kBurst),
           Dialect(std::move(key), std::move(secret), retry)) {}

absl::StatusOr<Json> ExoscaleApi::Elements(const common::CallScope& call, ApiRequest request,
                                           absl::string_view key) const {
  DM_ASSIGN_OR_RETURN(ApiResponse response, api_.Send(call, request));
  if (!Member(response.body, key).is_array()) return NotAnAnswer(key);
  return Member(response.body, key);
}

absl::StatusOr<std::vector<NamedObject>> ExoscaleApi::ListNamed(const common::CallScope& call,
                                                                absl::string_view path,
                                                                absl::string_view key) const {
  DM_ASSIGN_OR_RETURN(const Json list, Elements(call, {.path = std::string(path)}, key));
  std::vector<NamedObject> objects;
  for (const Json& json : list) {
    objects.push_back({Text(json, "id"), Text(json, "name"), Text(json, "description")});
  }
  return objects;
}

absl::StatusOr<Operation> ExoscaleApi::Begin(const common::CallScope& call,
                                             const ApiRequest& request) const {
  DM_ASSIGN_OR_RETURN(const ApiResponse response, api_.Send(call, request));
  Operation operation = OperationOf(response.body);
  if (operation.id.empty()) return NotAnAnswer("operation");
  return operation;
}

absl::Status ExoscaleApi::Run(const common::CallScope& call, const ApiRequest& request) const {
  DM_ASSIGN_OR_RETURN(const Operation begun, Begin(call, request));
  if (begun.state != "pending") return ResultOf(begun);
  DM_ASSIGN_OR_RETURN(
      const Operation ended,
      Await<Operation>(call, poll_, [&]() -> absl::StatusOr<std::optional<Operation>> {
        DM_ASSIGN_OR_RETURN(Operation now, FindOperation(call, begun.id));
        if (now.state == "pending") return std::nullopt;
        return now;
      }));
  return ResultOf(ended);
}

absl::Status ExoscaleApi::Delete(const common::CallScope& call, std::string path) const {
  const absl::Status status = Run(call, {.method = "DELETE", .path = std::move(path)});
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

absl::StatusOr<std::vector<std::string>> ExoscaleApi::ListZones(
    const common::CallScope& call) const {
  DM_ASSIGN_OR_RETURN(const Json list, Elements(call, {.path = "/zone"}, "zones"));
  std::vector<std::string> zones;
  for (const Json& json : list) zones.push_back(Text(json, "name"));
  return zones;
}

absl::StatusOr<std::vector<InstanceType>> ExoscaleApi::ListTypes(
    const common::CallScope& call) const {
  DM_ASSIGN_OR_RETURN(const Json list,
                      Elements(call, {.path = "/instance-type"}, "instance-types"));
  std::vector<InstanceType> types;
  for (const Json& json : list) {
    types.push_back({.id = Text(json, "id"),
                     .family = Text(json, "family"),
                     .size = Text(json, "size"),
                     .memory_bytes = Number(json, "memory"),
                     .authorized = Flag(json, "authorized"),
                     .zones = Texts(json, "zones")});
  }
  return types;
}

absl::StatusOr<std::vector<Template>> ExoscaleApi::ListTemplates(
    const common::CallScope& call, absl::string_view visibility) const {
  DM_ASSIGN_OR_RETURN(
      const Json list,
      Elements(call, {.path = "/template", .query = {{"visibility", std::string(visibility)}}},
               "templates"));
  std::vector<Template> templates;
  for (const Json& json : list) {
    templates.push_back({.id = Text(json, "id"),
                         .name = Text(json, "name"),
                         .default_user = Text(json, "default-user"),
                         .size_bytes = Number(json, "size"),
                         .created_at = Text(json, "created-at")});
  }
  return templates;
}

absl::StatusOr<std::vector<std::string>> ExoscaleApi::ListSshKeys(
    const common::CallScope& call) const {
  DM_ASSIGN_OR_RETURN(const Json list, Elements(call, {.path = "/ssh-key"}, "ssh-keys"));
  std::vector<std::string> names;
  for (const Json& json : list) names.push_back(Text(json, "name"));
  return names;
}

absl::Status ExoscaleApi::CreateSshKey(const common::CallScope& call, absl::string_view name,
                                       absl::string_view public_key) const {
  return TakenName(
      Run(call, {.method = "POST",
                 .path = "/ssh-key",
                 .body = {{"name", std::string(name)}, {"public-key", std::string(public_key)}}}));
}

absl::Status ExoscaleApi::DeleteSshKey(const common::CallScope& call,
                                       absl::string_view name) const {
  return Delete(call, PathOf("ssh-key", name));
}

absl::StatusOr<std::vector<SecurityGroup>> ExoscaleApi::ListSecurityGroups(
    const common::CallScope& call) const {
  DM_ASSIGN_OR_RETURN(
      const Json list,
      Elements(call, {.path = "/security-group", .query = {{"visibility", "private"}}},
               "security-groups"));
  std::vector<SecurityGroup> groups;
  for (const Json& json : list) groups.push_back(SecurityGroupOf(json));
  return groups;
}

absl::StatusOr<std::optional<SecurityGroup>> ExoscaleApi::FindSecurityGroup(
    const common::CallScope& call, absl::string_view id) const {
  const absl::StatusOr<ApiResponse> response =
      api_.Send(call, {.path = PathOf("security-group", id)});
  if (absl::IsNotFound(response.status())) return std::nullopt;
  if (!response.ok()) return response.status();
  if (Text(response->body, "id").empty()) return NotAnAnswer("id");
  return SecurityGroupOf(response->body);
}

absl::Status ExoscaleApi::CreateSecurityGroup(const common::CallScope& call, absl::string_view name,
                                              absl::string_view description) const {
  return TakenName(Run(
      call, {.method = "POST",
             .path = "/security-group",
             .body = {{"name", std::string(name)}, {"description", std::string(description)}}}));
}

absl::Status ExoscaleApi::AddRule(const common::CallScope& call, absl::string_view group_id,
                                  const Rule& rule) const {
  return TakenName(Run(call, {.method = "POST",
                              .path = PathOf("security-group", group_id, "/rules"),
                              .body = {{"flow-direction", "ingress"},
                                       {"protocol", rule.protocol},
                                       {"start-port", rule.first_port},
                                       {"end-port", rule.last_port},
                                       {"network", rule.cidr}}}));
}

absl::Status ExoscaleApi::DeleteSecurityGroup(const common::CallScope& call,
                                              absl::string_view id) const {
  return Delete(call, PathOf("security-group", id));
}

absl::StatusOr<std::vector<NamedObject>> ExoscaleApi::ListAffinityGroups(
    const common::CallScope& call) const {
  return ListNamed(call, "/anti-affinity-group", "anti-affinity-groups");
}

absl::Status ExoscaleApi::CreateAffinityGroup(const common::CallScope& call, absl::string_view name,
                                              absl::string_view description) const {
  return TakenName(Run(
      call, {.method = "POST",
             .path = "/anti-affinity-group",
             .body = {{"name", std::string(name)}, {"description", std::string(description)}}}));
}

absl::Status ExoscaleApi::DeleteAffinityGroup(const common::CallScope& call,
                                              absl::string_view id) const {
  return Delete(call, PathOf("anti-affinity-group", id));
}

absl::StatusOr<std::vector<NamedObject>> ExoscaleApi::ListPrivateNetworks(
    const common::CallScope& call) const {
  return ListNamed(call, "/private-network", "private-networks");
}

absl::StatusOr<std::map<std::string, std::string>> ExoscaleApi::Leases(
    const common::CallScope& call, absl::string_view network_id) const {
  DM_ASSIGN_OR_RETURN(const ApiResponse response,
                      api_.Send(call, {.path = PathOf("private-network", network_id)}));
  std::map<std::string, std::string> leases;
  for (const Json& lease : machine::driver::Elements(response.body, "leases")) {
    leases[Text(lease, "instance-id")] = Text(lease, "ip");
  }
  return leases;
}

absl::Status ExoscaleApi::Attach(const common::CallScope& call, absl::string_view network_id,
                                 absl::string_view instance_id) const {
  return TakenName(Run(call, {.method = "PUT",
                              .path = PathOf("private-network", network_id, ":attach"),
                              .body = {{"instance", RefOf(instance_id)}}}));
}

absl::StatusOr<std::vector<Instance>> ExoscaleApi::ListInstances(
    const common::CallScope& call) const {
  DM_ASSIGN_OR_RETURN(const Json list, Elements(call, {.path = "/instance"}, "instances"));
  std::vector<Instance> instances;
  for (const Json& json : list) {
    instances.push_back(InstanceOf(json));
    if (IsGone(instances.back())) instances.pop_back();
  }
  return instances;
}

absl::StatusOr<std::optional<Instance>> ExoscaleApi::FindInstance(const common::CallScope& call,
                                                                  absl::string_view id) const {
  const absl::StatusOr<ApiResponse> response = api_.Send(call, {.path = PathOf("instance", id)});
  if (absl::IsNotFound(response.status())) return std::nullopt;
  if (!response.ok()) return response.status();
  Instance instance = InstanceOf(response->body);
  if (instance.id.empty()) return NotAnAnswer("id");
  if (IsGone(instance)) return std::nullopt;
  return instance;
}

absl::StatusOr<Operation> ExoscaleApi::CreateInstance(const common::CallScope& call,
                                                      const InstanceSpec& spec) const {
  ApiRequest request = {.method = "POST", .path = "/instance"};
  request.body = {{"name", spec.name},
                  {"instance-type", RefOf(spec.type_id)},
                  {"template", RefOf(spec.template_id)},
                  {"disk-size", spec.disk_gib},
                  {"labels", spec.labels},
                  {"auto-start", true},
                  {"public-ip-assignment", !spec.public_address ? "none"
                                           : spec.ipv6          ? "dual"
                                                                : "inet4"}};
  if (!spec.security_groups.empty()) {
    request.body["security-groups"] = RefsOf(spec.security_groups, "id");
  }
  if (!spec.affinity_groups.empty()) {
    request.body["anti-affinity-groups"] = RefsOf(spec.affinity_groups, "id");
  }
  if (!spec.ssh_keys.empty()) request.body["ssh-keys"] = RefsOf(spec.ssh_keys, "name");
  if (!spec.user_data.empty()) request.body["user-data"] = absl::Base64Escape(spec.user_data);
  absl::StatusOr<Operation> operation = Begin(call, request);
  if (!operation.ok()) return operation;
  DM_RETURN_IF_ERROR(ResultOf(*operation));
  if (operation->reference.empty()) return NotAnAnswer("reference");
  return operation;
}

absl::StatusOr<Operation> ExoscaleApi::FindOperation(const common::CallScope& call,
                                                     absl::string_view id) const {
  return Begin(call, {.path = PathOf("operation", id)});
}

absl::Status ExoscaleApi::DeleteInstance(const common::CallScope& call,
                                         absl::string_view id) const {
  const absl::Status status =
      Begin(call, {.method = "DELETE", .path = PathOf("instance", id)}).status();
  if (absl::IsAborted(status)) return absl::UnavailableError(status.message());
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

absl::StatusOr<Operation> ExoscaleApi::Act(const common::CallScope& call, absl::string_view id,
                                           absl::string_view verb) const {
  ApiRequest request = {.method = "PUT", .path = PathOf("instance", id, absl::StrCat(":", verb))};
  // What the others do not have.
  if (verb == "start") request.body = Json::object();
  absl::StatusOr<Operation> operation = Begin(call, request);
  // Another operation is under way: that passes.
  if (absl::IsAborted(operation.status())) {
    return absl::UnavailableError(operation.status().message());
  }
  return operation;
}

}  // namespace machine::driver::exoscale
