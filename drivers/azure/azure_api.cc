#include "drivers/azure/azure_api.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "drivers/azure/api_versions.h"
#include "drivers/azure/azure_json.h"
#include "services/common/status/status.h"

namespace machine::driver::azure {
namespace {

// A subscription's bucket refills by 10 writes and 25 reads a second:
// https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling
constexpr double kRequestsPerSecond = 15;
constexpr double kBurst = 150;
constexpr int kMaxPages = 10'000;

struct KindFacts {
  absl::string_view path;
  absl::string_view version;
};
// In the order of Kind.
constexpr KindFacts kKinds[] = {
    {"Microsoft.Network/virtualNetworks", kNetworkVersion},
    {"Microsoft.Network/networkSecurityGroups", kNetworkVersion},
    {"Microsoft.Network/publicIPAddresses", kNetworkVersion},
    {"Microsoft.Network/networkInterfaces", kNetworkVersion},
    {"Microsoft.Compute/disks", kDiskVersion},
    {"Microsoft.Compute/virtualMachines", kComputeVersion},
};

const KindFacts& FactsOf(Kind kind) { return kKinds[static_cast<size_t>(kind)]; }

ApiDialect Dialect(const std::shared_ptr<AccessTokenCache>& tokens, const Backoff& retry) {
  ApiDialect dialect;
  dialect.provider = "Azure";
  dialect.backoff = retry;
  dialect.authorize = [tokens](const common::CallScope& call,
                               common::HttpRequest& request) -> absl::Status {
    DM_ASSIGN_OR_RETURN(const common::SecretString token, tokens->Get(call));
    request.headers.Set("Authorization", absl::StrCat("Bearer ", token.view()));
    return absl::OkStatus();
  };
  dialect.message_of = [](const Json& body) {
    const Json& error = Member(body, "error");
    const std::string code = Text(error, "code");
    return absl::StrCat(Text(error, "message"), code.empty() ? "" : " (", code,
                        code.empty() ? "" : ")");
  };
  dialect.refine = [](const absl::Status& error, int, const Json& body) {
    return ErrorFor(Text(Member(body, "error"), "code"), error);
  };
  return dialect;
}

ApiRequest Versioned(std::string method, std::string path, absl::string_view version,
                     Json body = nullptr) {
  ApiRequest request = {.method = std::move(method), .path = std::move(path)};
  request.query.emplace_back("api-version", std::string(version));
  request.body = std::move(body);
  return request;
}

absl::Status NotUnderstood(absl::string_view what) {
  return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN,
                       absl::StrCat("Azure's answer is not understood: ", what));
}

bool IsTerminal(absl::string_view state) {
  return state.empty() || state == "Succeeded" || state == "Failed" || state == "Canceled";
}

}  // namespace

std::string Resource::Tag(const std::string& key) const {
  const auto it = tags.find(key);
  return it == tags.end() ? "" : it->second;
}

AzureApi::AzureApi(common::HttpClient& http, std::string endpoint, std::string subscription,
                   std::unique_ptr<TokenSource> tokens, const Backoff& retry)
    : subscription_(std::move(subscription)),
      tokens_(std::make_shared<AccessTokenCache>(std::move(tokens))),
      api_(http, std::move(endpoint),
           std::make_shared<common::TokenBucket>(kRequestsPerSecond, kBurst),
           Dialect(tokens_, retry)) {}

std::string AzureApi::Own(absl::string_view rest) const {
  return absl::StrCat("/subscriptions/", subscription_, rest);
}

std::string AzureApi::PathOf(Kind kind, absl::string_view group, absl::string_view name) const {
  return Own(absl::StrCat("/resourceGroups/", PercentEncode(group), "/providers/",
                          FactsOf(kind).path, "/", PercentEncode(name)));
}

absl::StatusOr<ApiResponse> AzureApi::Send(const common::CallScope& call,
                                           const ApiRequest& request) const {
  absl::StatusOr<ApiResponse> response = api_.Send(call, request);
  // A token may be revoked before its time.
  if (absl::IsUnauthenticated(response.status()) && tokens_->Forget()) {
    response = api_.Send(call, request);
  }
  return response;
}

absl::StatusOr<std::optional<Json>> AzureApi::Get(const common::CallScope& call,
                                                  ApiRequest request) const {
  absl::StatusOr<ApiResponse> response = Send(call, request);
  if (absl::IsNotFound(response.status())) return std::nullopt;
  if (!response.ok()) return response.status();
  if (response->body.is_object()) return std::move(response->body);
  return NotUnderstood(request.path);
}

absl::StatusOr<std::string> AzureApi::OwnPath(absl::string_view url) const {
  if (absl::ConsumePrefix(&url, api_.base_url()) && absl::StartsWith(url, "/")) {
    return std::string(url);
  }
  return common::Error(absl::StatusCode::kFailedPrecondition,
                       machine::v1::ERROR_REASON_PROVIDER_POLICY,
                       "Azure names a URL of another host; the token is not sent there");
}

absl::Status AzureApi::List(const common::CallScope& call, ApiRequest request,
                            absl::FunctionRef<void(const Json&)> each) const {
  std::string link;
  for (int i = 0; i < kMaxPages; ++i) {
    DM_ASSIGN_OR_RETURN(const ApiResponse page, Send(call, request));
    if (!page.body.is_object()) break;
    for (const Json& element : Elements(page.body, "value")) each(element);
    std::string next = Text(page.body, "nextLink");
    if (next.empty()) return absl::OkStatus();
    // The same page again would be the same for ever.
    if (next == link) break;
    DM_ASSIGN_OR_RETURN(std::string path, OwnPath(next));
    link = std::move(next);
    request = {.method = "GET", .path = std::move(path)};
  }
  return NotUnderstood(absl::StrCat("the list ", request.path, " has no end"));
}

absl::StatusOr<std::vector<std::string>> AzureApi::Names(const common::CallScope& call,
                                                         std::string path) const {
  std::vector<std::string> names;
  const absl::StatusOr<ApiResponse> response =
      Send(call, Versioned("GET", std::move(path), kComputeVersion));
  if (absl::IsNotFound(response.status())) return names;
  if (!response.ok()) return response.status();
  if (!response->body.is_array()) return NotUnderstood("a list of images");
  for (const Json& each : response->body) names.push_back(Text(each, "name"));
  return names;
}

absl::StatusOr<Operation> AzureApi::OperationOf(const ApiRequest& request,
                                                const ApiResponse& response) const {
  Operation operation;
  operation.retry_after =
      common::RetryAfterOf(response.headers, absl::Now()).value_or(absl::ZeroDuration());
  const auto follow = [&](Operation::By by, absl::string_view url) -> absl::Status {
    DM_ASSIGN_OR_RETURN(operation.path, OwnPath(url));
    operation.by = by;
    operation.done = false;
    return absl::OkStatus();
  };
  // https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations
  const auto status_url = response.headers.Get("Azure-AsyncOperation");
  const auto location = response.headers.Get("Location");
  if (status_url.has_value()) {
    DM_RETURN_IF_ERROR(follow(Operation::By::kStatus, *status_url));
  } else if (location.has_value() && response.status == 202) {
    DM_RETURN_IF_ERROR(follow(Operation::By::kLocation, *location));
  } else if (request.method == "PUT" &&
             !IsTerminal(Text(Member(response.body, "properties"), "provisioningState"))) {
    operation.by = Operation::By::kResource;
    operation.done = false;
    operation.path = absl::StrCat(request.path, "?", request.query.front().first, "=",
                                  request.query.front().second);
  }
  return operation;
}

absl::StatusOr<Operation> AzureApi::Change(const common::CallScope& call,
                                           ApiRequest request) const {
  absl::StatusOr<ApiResponse> response = Send(call, request);
  if (absl::IsNotFound(response.status()) && request.method == "DELETE") return Operation();
  if (!response.ok()) return response.status();
  return OperationOf(request, *response);
}

absl::StatusOr<Operation> AzureApi::Advance(const common::CallScope& call,
                                            const Operation& operation) const {
  Operation now = operation;
  const absl::StatusOr<ApiResponse> response = Send(call, {.path = operation.path});
  if (absl::IsNotFound(response.status()) && operation.by == Operation::By::kLocation) {
    // Forgotten once it is done; whoever waits looks at what it was about.
    now.done = true;
    return now;
  }
  if (!response.ok()) return response.status();
  now.retry_after =
      common::RetryAfterOf(response->headers, absl::Now()).value_or(absl::ZeroDuration());
  if (operation.by == Operation::By::kLocation) {
    now.done = response->status != 202;
    return now;
  }
  const Json& body = response->body;
  const std::string state = operation.by == Operation::By::kStatus
                                ? Text(body, "status")
                                : Text(Member(body, "properties"), "provisioningState");
  if (!body.is_object() || (state.empty() && operation.by == Operation::By::kStatus)) {
    return NotUnderstood("an operation without a status");
  }
  if (absl::EqualsIgnoreCase(state, "Failed") || absl::EqualsIgnoreCase(state, "Canceled")) {
    return FailureOf(Member(body, "error"), absl::StrCat("the operation (", state, ")"));
  }
  now.done = IsTerminal(state);
  return now;
}

absl::StatusOr<std::string> AzureApi::SubscriptionState(const common::CallScope& call) const {
  DM_ASSIGN_OR_RETURN(const ApiResponse response,
                      Send(call, Versioned("GET", Own(""), kSubscriptionVersion)));
  return Text(response.body, "state");
}

absl::StatusOr<std::string> AzureApi::RegistrationOf(const common::CallScope& call,
                                                     absl::string_view provider) const {
  DM_ASSIGN_OR_RETURN(
      const ApiResponse response,
      Send(call, Versioned("GET", Own(absl::StrCat("/providers/", provider)), kResourcesVersion)));
  return Text(response.body, "registrationState");
}

absl::Status AzureApi::Register(const common::CallScope& call, absl::string_view provider) const {
  ApiRequest request =
      Versioned("POST", Own(absl::StrCat("/providers/", provider, "/register")), kResourcesVersion);
  request.retry_safe = true;
  return Send(call, request).status();
}

absl::StatusOr<std::vector<std::string>> AzureApi::ListLocations(
    const common::CallScope& call) const {
  std::vector<std::string> names;
  DM_RETURN_IF_ERROR(List(call, Versioned("GET", Own("/locations"), kSubscriptionVersion),
                          [&](const Json& location) {
                            // Others are continents, for what is not bound to a place.
                            const Json& metadata = Member(location, "metadata");
                            const std::string type = Text(metadata, "regionType");
                            if (type.empty() || type == "Physical") {
                              names.push_back(Text(location, "name"));
                            }
                          }));
  return names;
}

absl::StatusOr<std::vector<Size>> AzureApi::ListSizes(const common::CallScope& call,
                                                      absl::string_view location) const {
  ApiRequest request = Versioned("GET", Own("/providers/Microsoft.Compute/skus"), kSkusVersion);
  request.query.emplace_back("$filter", absl::StrCat("location eq '", location, "'"));
  std::vector<Size> sizes;
  DM_RETURN_IF_ERROR(List(call, std::move(request), [&](const Json& sku) {
    if (Text(sku, "resourceType") == "virtualMachines") sizes.push_back(SizeOf(sku));
  }));
  return sizes;
}

absl::StatusOr<std::vector<std::string>> AzureApi::ListOffers(const common::CallScope& call,
                                                              absl::string_view location,
                                                              absl::string_view publisher) const {
  return Names(call, Own(absl::StrCat("/providers/Microsoft.Compute/locations/", location,
                                      "/publishers/", publisher, "/artifacttypes/vmimage/offers")));
}

absl::StatusOr<std::vector<std::string>> AzureApi::ListImageSkus(const common::CallScope& call,
                                                                 absl::string_view location,
                                                                 absl::string_view publisher,
                                                                 absl::string_view offer) const {
  return Names(call,
               Own(absl::StrCat("/providers/Microsoft.Compute/locations/", location, "/publishers/",
                                publisher, "/artifacttypes/vmimage/offers/", offer, "/skus")));
}

absl::StatusOr<std::vector<std::string>> AzureApi::ListVersions(const common::CallScope& call,
                                                                absl::string_view location,
                                                                const ImageName& image) const {
  return Names(call,
               Own(absl::StrCat("/providers/Microsoft.Compute/locations/", location, "/publishers/",
                                image.publisher, "/artifacttypes/vmimage/offers/", image.offer,
                                "/skus/", image.sku, "/versions")));
}

absl::StatusOr<bool> AzureApi::HasImage(const common::CallScope& call, absl::string_view id) const {
  // Of a gallery or a group; the versions of both have this one in common.
  constexpr absl::string_view kImageVersion = "2021-07-01";
  DM_ASSIGN_OR_RETURN(const std::optional<Json> image,
                      Get(call, Versioned("GET", std::string(id), kImageVersion)));
  return image.has_value();
}

absl::StatusOr<std::vector<std::string>> AzureApi::ListGroups(const common::CallScope& call) const {
  std::vector<std::string> names;
  DM_RETURN_IF_ERROR(List(call, Versioned("GET", Own("/resourcegroups"), kResourcesVersion),
                          [&](const Json& group) { names.push_back(Text(group, "name")); }));
  return names;
}

absl::StatusOr<std::vector<Resource>> AzureApi::ListGroups(const common::CallScope& call,
                                                           const std::string& tag,
                                                           absl::string_view value) const {
  std::vector<Resource> groups;
  ApiRequest request = Versioned("GET", Own("/resourcegroups"), kResourcesVersion);
  request.query.emplace_back("$filter",
                             absl::StrCat("tagName eq '", tag, "' and tagValue eq '", value, "'"));
  DM_RETURN_IF_ERROR(List(call, std::move(request), [&](const Json& json) {
    Resource group = ResourceOf(json);
    if (group.Tag(tag) == value) groups.push_back(std::move(group));
  }));
  return groups;
}

absl::StatusOr<std::optional<Resource>> AzureApi::FindGroup(const common::CallScope& call,
                                                            absl::string_view group) const {
  DM_ASSIGN_OR_RETURN(
      const std::optional<Json> json,
      Get(call, Versioned("GET", Own(absl::StrCat("/resourcegroups/", PercentEncode(group))),
                          kResourcesVersion)));
  return json.has_value() ? std::make_optional(ResourceOf(*json)) : std::nullopt;
}

absl::Status AzureApi::PutGroup(const common::CallScope& call, absl::string_view group,
                                absl::string_view location, const Tags& tags) const {
  return Send(call,
              Versioned("PUT", Own(absl::StrCat("/resourcegroups/", PercentEncode(group))),
                        kResourcesVersion, {{"location", std::string(location)}, {"tags", tags}}))
      .status();
}

absl::StatusOr<Operation> AzureApi::DeleteGroup(const common::CallScope& call,
                                                absl::string_view group) const {
  return Change(call,
                Versioned("DELETE", Own(absl::StrCat("/resourcegroups/", PercentEncode(group))),
                          kResourcesVersion));
}

absl::StatusOr<std::optional<Resource>> AzureApi::Find(const common::CallScope& call, Kind kind,
                                                       absl::string_view group,
                                                       absl::string_view name) const {
  DM_ASSIGN_OR_RETURN(
      const std::optional<Json> json,
      Get(call, Versioned("GET", PathOf(kind, group, name), FactsOf(kind).version)));
  return json.has_value() ? std::make_optional(ResourceOf(*json)) : std::nullopt;
}

absl::StatusOr<Operation> AzureApi::Put(const common::CallScope& call, Kind kind,
                                        absl::string_view group, absl::string_view name,
                                        Json body) const {
  return Change(
      call, Versioned("PUT", PathOf(kind, group, name), FactsOf(kind).version, std::move(body)));
}

absl::StatusOr<Operation> AzureApi::Delete(const common::CallScope& call, Kind kind,
                                           absl::string_view group, absl::string_view name) const {
  return Change(call, Versioned("DELETE", PathOf(kind, group, name), FactsOf(kind).version));
}

absl::StatusOr<std::optional<VirtualMachine>> AzureApi::FindMachine(const common::CallScope& call,
                                                                    absl::string_view group,
                                                                    absl::string_view name) const {
  ApiRequest request = Versioned("GET", PathOf(Kind::kMachine, group, name), kComputeVersion);
  request.query.emplace_back("$expand", "instanceView");
  DM_ASSIGN_OR_RETURN(const std::optional<Json> json, Get(call, std::move(request)));
  if (!json.has_value()) return std::nullopt;
  VirtualMachine machine = MachineOf(*json);
  machine.group = std::string(group);
  return machine;
}

absl::StatusOr<std::vector<VirtualMachine>> AzureApi::ListMachines(const common::CallScope& call,
                                                                   View view) const {
  ApiRequest request =
      Versioned("GET", Own("/providers/Microsoft.Compute/virtualMachines"), kComputeVersion);
  if (view == View::kPower) request.query.emplace_back("statusOnly", "true");
  std::vector<VirtualMachine> machines;
  DM_RETURN_IF_ERROR(List(call, std::move(request),
                          [&](const Json& machine) { machines.push_back(MachineOf(machine)); }));
  return machines;
}

absl::StatusOr<Operation> AzureApi::Act(const common::CallScope& call, absl::string_view group,
                                        absl::string_view name, absl::string_view verb) const {
  ApiRequest request = Versioned(
      "POST", absl::StrCat(PathOf(Kind::kMachine, group, name), "/", verb), kComputeVersion);
  if (verb == "powerOff") request.query.emplace_back("skipShutdown", "true");
  // All others are goals: twice is as good as once.
  request.retry_safe = verb != "restart";
  return Change(call, std::move(request));
}

}  // namespace machine::driver::azure
