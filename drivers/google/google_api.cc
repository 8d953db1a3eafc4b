#include "drivers/google/google_api.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "drivers/google/google_json.h"
#include "services/common/status/status.h"

namespace machine::driver::gce {
namespace {

// 1,500 requests a minute for each project and region by default:
// https://cloud.google.com/compute/api-quota
constexpr double kRequestsPerSecond = 20;
constexpr double kBurst = 100;
constexpr int kPageSize = 500;
constexpr int kMaxPages = 10'000;

// What the driver reads of an instance in a list. User data, which may be long, stays away.
constexpr absl::string_view kListedFields =
    "nextPageToken,items/*/warning/code,items/*/instances(id,name,zone,status,machineType,labels,"
    "networkInterfaces(network,networkIP,accessConfigs/natIP),"
    "scheduling(preemptible,provisioningModel))";

ApiDialect Dialect(const std::shared_ptr<AccessTokenCache>& tokens, const Backoff& retry) {
  ApiDialect dialect;
  dialect.provider = "Google";
  dialect.backoff = retry;
  dialect.authorize = [tokens](const common::CallScope& call,
                               common::HttpRequest& request) -> absl::Status {
    DM_ASSIGN_OR_RETURN(const common::SecretString token, tokens->Get(call));
    request.headers.Set("Authorization", absl::StrCat("Bearer ", token.view()));
    return absl::OkStatus();
  };
  dialect.message_of = [](const Json& body) { return Text(Member(body, "error"), "message"); };
  dialect.refine = [](const absl::Status& error, int, const Json& body) {
    const Json& errors = Elements(Member(body, "error"), "errors");
    return errors.empty() ? error : ErrorFor(Text(errors.front(), "reason"), error);
  };
  return dialect;
}

std::string Equals(absl::string_view field, absl::string_view value) {
  return absl::StrCat(field, "=\"", value, "\"");
}

}  // namespace

std::string Instance::Label(absl::string_view key) const {
  const auto it = labels.find(std::string(key));
  return it == labels.end() ? "" : it->second;
}

GoogleApi::GoogleApi(common::HttpClient& http, std::string endpoint, std::string project,
                     std::unique_ptr<TokenSource> tokens, const Backoff& retry)
    : project_(std::move(project)),
      tokens_(std::make_shared<AccessTokenCache>(std::move(tokens))),
      api_(http, std::move(endpoint),
           std::make_shared<common::TokenBucket>(kRequestsPerSecond, kBurst),
           Dialect(tokens_, retry)) {}

std::string GoogleApi::Own(absl::string_view rest) const {
  return absl::StrCat("/projects/", project_, rest);
}

absl::StatusOr<Json> GoogleApi::Send(const common::CallScope& call,
                                     const ApiRequest& request) const {
  absl::StatusOr<ApiResponse> response = api_.Send(call, request);
  // A token may be revoked before its time.
  if (absl::IsUnauthenticated(response.status()) && tokens_->Forget()) {
    response = api_.Send(call, request);
  }
  if (!response.ok()) return response.status();
  return std::move(response->body);
}

absl::StatusOr<std::optional<Json>> GoogleApi::Find(const common::CallScope& call,
                                                    std::string path) const {
  absl::StatusOr<Json> body = Send(call, {.path = std::move(path)});
  if (absl::IsNotFound(body.status())) return std::nullopt;
  if (!body.ok()) return body.status();
  if (!body->is_object()) {
    return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN,
                         "Google's answer is no resource");
  }
  return *std::move(body);
}

absl::Status GoogleApi::List(const common::CallScope& call, ApiRequest request,
                             absl::FunctionRef<void(const Json&)> each) const {
  request.query.emplace_back("maxResults", absl::StrCat(kPageSize));
  std::string page;
  for (int i = 0; i < kMaxPages; ++i) {
    ApiRequest next = request;
    if (!page.empty()) next.query.emplace_back("pageToken", page);
    DM_ASSIGN_OR_RETURN(const Json body, Send(call, next));
    if (!body.is_object()) break;
    each(body);
    std::string after = Text(body, "nextPageToken");
    if (after.empty()) return absl::OkStatus();
    // The same page again would be the same for ever.
    if (after == page) break;
    page = std::move(after);
  }
  return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN,
                       absl::StrCat("Google's list ", request.path, " has no end"));
}

absl::StatusOr<Operation> GoogleApi::Post(const common::CallScope& call, std::string path,
                                          Json body, absl::string_view request_id) const {
  ApiRequest request = {.method = "POST", .path = std::move(path), .body = std::move(body)};
  request.query.emplace_back("requestId", std::string(request_id));
  request.retry_safe = true;
  DM_ASSIGN_OR_RETURN(const Json answer, Send(call, request));
  return OperationOf(answer);
}

absl::StatusOr<std::optional<Operation>> GoogleApi::Delete(const common::CallScope& call,
                                                           std::string path,
                                                           absl::string_view request_id) const {
  ApiRequest request = {.method = "DELETE", .path = std::move(path)};
  request.query.emplace_back("requestId", std::string(request_id));
  absl::StatusOr<Json> answer = Send(call, request);
  if (absl::IsNotFound(answer.status())) return std::nullopt;
  if (!answer.ok()) return answer.status();
  DM_ASSIGN_OR_RETURN(Operation operation, OperationOf(*answer));
  return operation;
}

absl::Status GoogleApi::CheckProject(const common::CallScope& call) const {
  return Send(call, {.path = Own(""), .query = {{"fields", "name"}}}).status();
}

absl::StatusOr<std::vector<Zone>> GoogleApi::ListZones(const common::CallScope& call) const {
  std::vector<Zone> zones;
  DM_RETURN_IF_ERROR(List(call, {.path = Own("/zones")}, [&](const Json& page) {
    for (const Json& zone : Elements(page, "items")) {
      zones.push_back({Text(zone, "name"), Text(zone, "status")});
    }
  }));
  return zones;
}

absl::StatusOr<std::vector<MachineType>> GoogleApi::ListMachineTypes(const common::CallScope& call,
                                                                     absl::string_view zone) const {
  std::vector<MachineType> types;
  DM_RETURN_IF_ERROR(List(call, {.path = Own(absl::StrCat("/zones/", zone, "/machineTypes"))},
                          [&](const Json& page) {
                            for (const Json& type : Elements(page, "items")) {
                              types.push_back(MachineTypeOf(type));
                            }
                          }));
  return types;
}

absl::StatusOr<std::vector<std::string>> GoogleApi::ListDiskTypes(const common::CallScope& call,
                                                                  absl::string_view zone) const {
  std::vector<std::string> types;
  DM_RETURN_IF_ERROR(
      List(call, {.path = Own(absl::StrCat("/zones/", zone, "/diskTypes"))}, [&](const Json& page) {
        for (const Json& type : Elements(page, "items")) {
          types.push_back(Text(type, "name"));
        }
      }));
  return types;
}

absl::StatusOr<std::optional<Image>> GoogleApi::FindImage(const common::CallScope& call,
                                                          absl::string_view project,
                                                          absl::string_view name) const {
  DM_ASSIGN_OR_RETURN(
      const std::optional<Json> json,
      Find(call, absl::StrCat("/projects/", project, "/global/images/", PercentEncode(name))));
  return json.has_value() ? std::make_optional(ImageOf(*json)) : std::nullopt;
}

absl::StatusOr<std::optional<Image>> GoogleApi::FindImageOfFamily(const common::CallScope& call,
                                                                  absl::string_view project,
                                                                  absl::string_view family) const {
  DM_ASSIGN_OR_RETURN(const std::optional<Json> json,
                      Find(call, absl::StrCat("/projects/", project, "/global/images/family/",
                                              PercentEncode(family))));
  return json.has_value() ? std::make_optional(ImageOf(*json)) : std::nullopt;
}

absl::StatusOr<std::vector<Image>> GoogleApi::ListImages(const common::CallScope& call,
                                                         absl::string_view project) const {
  std::vector<Image> images;
  DM_RETURN_IF_ERROR(List(call, {.path = absl::StrCat("/projects/", project, "/global/images")},
                          [&](const Json& page) {
                            for (const Json& image : Elements(page, "items")) {
                              images.push_back(ImageOf(image));
                            }
                          }));
  return images;
}

absl::StatusOr<std::optional<Network>> GoogleApi::FindNetwork(const common::CallScope& call,
                                                              absl::string_view path) const {
  DM_ASSIGN_OR_RETURN(const std::optional<Json> json, Find(call, absl::StrCat("/", path)));
  return json.has_value() ? std::make_optional(NetworkOf(*json)) : std::nullopt;
}

absl::StatusOr<std::vector<std::string>> GoogleApi::ListNetworks(const common::CallScope& call,
                                                                 absl::string_view project) const {
  std::vector<std::string> names;
  DM_RETURN_IF_ERROR(List(call, {.path = absl::StrCat("/projects/", project, "/global/networks")},
                          [&](const Json& page) {
                            for (const Json& network : Elements(page, "items")) {
                              names.push_back(Text(network, "name"));
                            }
                          }));
  return names;
}

absl::StatusOr<bool> GoogleApi::HasSubnetwork(const common::CallScope& call,
                                              absl::string_view path) const {
  DM_ASSIGN_OR_RETURN(const std::optional<Json> json, Find(call, absl::StrCat("/", path)));
  return json.has_value();
}

absl::StatusOr<std::vector<Address>> GoogleApi::ListAddresses(const common::CallScope& call,
                                                              absl::string_view region) const {
  std::vector<Address> addresses;
  DM_RETURN_IF_ERROR(List(call, {.path = Own(absl::StrCat("/regions/", region, "/addresses"))},
                          [&](const Json& page) {
                            for (const Json& address : Elements(page, "items")) {
                              addresses.push_back(AddressOf(address));
                            }
                          }));
  return addresses;
}

absl::StatusOr<std::optional<Address>> GoogleApi::FindAddress(const common::CallScope& call,
                                                              absl::string_view region,
                                                              absl::string_view name) const {
  DM_ASSIGN_OR_RETURN(
      const std::optional<Json> json,
      Find(call, Own(absl::StrCat("/regions/", region, "/addresses/", PercentEncode(name)))));
  return json.has_value() ? std::make_optional(AddressOf(*json)) : std::nullopt;
}

absl::StatusOr<Operation> GoogleApi::ReserveAddress(const common::CallScope& call,
                                                    absl::string_view region,
                                                    absl::string_view name,
                                                    absl::string_view request_id) const {
  return Post(
      call, Own(absl::StrCat("/regions/", region, "/addresses")),
      {{"name", std::string(name)}, {"description", "docker-machine"}, {"addressType", "EXTERNAL"}},
      request_id);
}

absl::StatusOr<std::optional<Operation>> GoogleApi::DeleteAddress(
    const common::CallScope& call, absl::string_view region, absl::string_view name,
    absl::string_view request_id) const {
  return Delete(call, Own(absl::StrCat("/regions/", region, "/addresses/", name)), request_id);
}

absl::StatusOr<bool> GoogleApi::HasFirewall(const common::CallScope& call,
                                            absl::string_view name) const {
  DM_ASSIGN_OR_RETURN(const std::optional<Json> json,
                      Find(call, Own(absl::StrCat("/global/firewalls/", name))));
  return json.has_value();
}

absl::StatusOr<Operation> GoogleApi::CreateFirewall(const common::CallScope& call,
                                                    const FirewallSpec& spec,
                                                    absl::string_view request_id) const {
  return Post(call, Own("/global/firewalls"), BodyOf(spec), request_id);
}

absl::StatusOr<std::optional<Operation>> GoogleApi::DeleteFirewall(
    const common::CallScope& call, absl::string_view name, absl::string_view request_id) const {
  return Delete(call, Own(absl::StrCat("/global/firewalls/", name)), request_id);
}

absl::StatusOr<std::optional<Instance>> GoogleApi::FindInstance(const common::CallScope& call,
                                                                absl::string_view zone,
                                                                absl::string_view name) const {
  DM_ASSIGN_OR_RETURN(
      const std::optional<Json> json,
      Find(call, Own(absl::StrCat("/zones/", zone, "/instances/", PercentEncode(name)))));
  return json.has_value() ? std::make_optional(InstanceOf(*json)) : std::nullopt;
}

absl::StatusOr<InstanceList> GoogleApi::ListInstances(const common::CallScope& call,
                                                      absl::string_view key,
                                                      absl::string_view value) const {
  InstanceList list;
  const ApiRequest request = {.path = Own("/aggregated/instances"),
                              .query = {{"filter", Equals(absl::StrCat("labels.", key), value)},
                                        // A zone that is down must not hide the others.
                                        {"returnPartialSuccess", "true"},
                                        {"fields", std::string(kListedFields)}}};
  DM_RETURN_IF_ERROR(List(call, request, [&](const Json& page) {
    const Json& scopes = Member(page, "items");
    if (!scopes.is_object()) return;
    for (const auto& [scope, content] : scopes.items()) {
      for (const Json& instance : Elements(content, "instances")) {
        list.instances.push_back(InstanceOf(instance));
      }
      if (Text(Member(content, "warning"), "code") == "UNREACHABLE") {
        list.unreachable_zones.push_back(LastPart(scope));
      }
    }
  }));
  return list;
}

absl::StatusOr<std::vector<std::string>> GoogleApi::ListInstanceNames(
    const common::CallScope& call, absl::string_view zone) const {
  std::vector<std::string> names;
  DM_RETURN_IF_ERROR(List(call,
                          {.path = Own(absl::StrCat("/zones/", zone, "/instances")),
                           .query = {{"fields", "nextPageToken,items/name"}}},
                          [&](const Json& page) {
                            for (const Json& instance : Elements(page, "items")) {
                              names.push_back(Text(instance, "name"));
                            }
                          }));
  return names;
}

absl::StatusOr<Operation> GoogleApi::CreateInstance(const common::CallScope& call,
                                                    const InstanceSpec& spec,
                                                    absl::string_view request_id) const {
  return Post(call, Own(absl::StrCat("/zones/", spec.zone, "/instances")), BodyOf(spec),
              request_id);
}

absl::StatusOr<std::optional<Operation>> GoogleApi::DeleteInstance(
    const common::CallScope& call, absl::string_view zone, absl::string_view name,
    absl::string_view request_id) const {
  return Delete(call, Own(absl::StrCat("/zones/", zone, "/instances/", name)), request_id);
}

std::string GoogleApi::PathOf(const Instance& instance, absl::string_view verb) const {
  return Own(absl::StrCat("/zones/", instance.zone, "/instances/", instance.name, "/", verb));
}

absl::StatusOr<Operation> GoogleApi::Act(const common::CallScope& call, const Instance& instance,
                                         absl::string_view verb,
                                         absl::string_view request_id) const {
  return Post(call, PathOf(instance, verb), nullptr, request_id);
}

absl::StatusOr<Operation> GoogleApi::SetLabels(const common::CallScope& call,
                                               const Instance& instance,
                                               absl::string_view request_id) const {
  return Post(call, PathOf(instance, "setLabels"),
              {{"labels", instance.labels}, {"labelFingerprint", instance.label_fingerprint}},
              request_id);
}

absl::StatusOr<Operation> GoogleApi::SetMetadata(const common::CallScope& call,
                                                 const Instance& instance,
                                                 absl::string_view request_id) const {
  Json body = MetadataOf(instance.metadata);
  body["fingerprint"] = instance.metadata_fingerprint;
  return Post(call, PathOf(instance, "setMetadata"), std::move(body), request_id);
}

absl::StatusOr<Operation> GoogleApi::SetTags(const common::CallScope& call,
                                             const Instance& instance,
                                             absl::string_view request_id) const {
  return Post(call, PathOf(instance, "setTags"),
              {{"items", instance.tags}, {"fingerprint", instance.tags_fingerprint}}, request_id);
}

absl::StatusOr<std::optional<Disk>> GoogleApi::FindDisk(const common::CallScope& call,
                                                        absl::string_view zone,
                                                        absl::string_view name) const {
  DM_ASSIGN_OR_RETURN(const std::optional<Json> json,
                      Find(call, Own(absl::StrCat("/zones/", zone, "/disks/", name))));
  return json.has_value() ? std::make_optional(DiskOf(*json)) : std::nullopt;
}

absl::StatusOr<std::optional<Operation>> GoogleApi::DeleteDisk(const common::CallScope& call,
                                                               absl::string_view zone,
                                                               absl::string_view name,
                                                               absl::string_view request_id) const {
  return Delete(call, Own(absl::StrCat("/zones/", zone, "/disks/", name)), request_id);
}

absl::StatusOr<Operation> GoogleApi::GetOperation(const common::CallScope& call,
                                                  const Operation& operation) const {
  DM_ASSIGN_OR_RETURN(const Json json,
                      Send(call, {.path = Own(absl::StrCat("/", operation.scope, "/operations/",
                                                           PercentEncode(operation.name)))}));
  return OperationOf(json);
}

}  // namespace machine::driver::gce
