#include "drivers/template/template_api.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/common/crypto/secret_string.h"
#include "services/common/status/status.h"

namespace machine::driver::template_cloud {
namespace {

// What the provider's documentation allows each account.
constexpr double kRequestsPerSecond = 5;
constexpr double kBurst = 100;
constexpr int kPageSize = 100;
constexpr int kMaxPages = 10'000;

// Tells apart what the status of an answer alone does not.
absl::Status Refine(const absl::Status& error, const Json& body) {
  const std::string code = Text(Member(body, "error"), "code");
  if (code == "quota_exceeded") {
    return common::Error(absl::StatusCode::kResourceExhausted,
                         machine::v1::ERROR_REASON_PROVIDER_QUOTA, error.message());
  }
  // Another action is under way: that passes.
  if (code == "busy") return absl::UnavailableError(error.message());
  return error;
}

ApiDialect Dialect(std::string token, const Backoff& retry) {
  ApiDialect dialect;
  dialect.provider = "Template";
  dialect.backoff = retry;
  dialect.authorize = [secret = common::SecretString(std::move(token))](
                          const common::CallScope&, common::HttpRequest& request) {
    request.headers.Set("Authorization", absl::StrCat("Bearer ", secret.view()));
    return absl::OkStatus();
  };
  dialect.message_of = [](const Json& body) { return Text(Member(body, "error"), "message"); };
  dialect.refine = [](const absl::Status& error, int, const Json& body) {
    return Refine(error, body);
  };
  return dialect;
}

absl::Status NotAnAnswer(absl::string_view key) {
  return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN,
                       absl::StrCat("the provider's answer has no ", key));
}

Instance InstanceOf(const Json& json) {
  return {.id = Text(json, "id"),
          .status = Text(json, "status"),
          .region = Text(json, "region"),
          .size = Text(json, "size"),
          .image = Text(json, "image"),
          .tags = Texts(json, "tags"),
          .addresses = Texts(json, "addresses")};
}

}  // namespace

bool Instance::HasTag(absl::string_view tag) const {
  return std::find(tags.begin(), tags.end(), tag) != tags.end();
}

TemplateApi::TemplateApi(common::HttpClient& http, std::string endpoint, std::string token,
                         const Backoff& retry)
    : api_(http, std::move(endpoint),
           std::make_shared<common::TokenBucket>(kRequestsPerSecond, kBurst),
           Dialect(std::move(token), retry)) {}

absl::Status TemplateApi::List(const common::CallScope& call, ApiRequest request,
                               absl::string_view key,
                               absl::FunctionRef<void(const Json&)> each) const {
  request.query.emplace_back("limit", absl::StrCat(kPageSize));
  std::string page;
  for (int i = 0; i < kMaxPages; ++i) {
    ApiRequest next = request;
    if (!page.empty()) next.query.emplace_back("page", page);
    DM_ASSIGN_OR_RETURN(const ApiResponse response, api_.Send(call, next));
    if (!Member(response.body, key).is_array()) return NotAnAnswer(key);
    for (const Json& element : Elements(response.body, key)) each(element);
    std::string after = Text(response.body, "next");
    if (after.empty()) return absl::OkStatus();
    // The same page again would be the same for ever.
    if (after == page) break;
    page = std::move(after);
  }
  return NotAnAnswer("end");
}

absl::StatusOr<std::vector<std::string>> TemplateApi::ListRegions(
    const common::CallScope& call) const {
  std::vector<std::string> regions;
  DM_RETURN_IF_ERROR(List(call, {.path = "/v1/regions"}, "regions",
                          [&](const Json& json) { regions.push_back(Text(json, "name")); }));
  return regions;
}

absl::StatusOr<std::vector<Size>> TemplateApi::ListSizes(const common::CallScope& call) const {
  std::vector<Size> sizes;
  DM_RETURN_IF_ERROR(List(call, {.path = "/v1/sizes"}, "sizes", [&](const Json& json) {
    sizes.push_back({Text(json, "name"), Number(json, "memory_mib"), Texts(json, "regions")});
  }));
  return sizes;
}

absl::StatusOr<std::vector<Image>> TemplateApi::ListImages(const common::CallScope& call) const {
  std::vector<Image> images;
  DM_RETURN_IF_ERROR(List(call, {.path = "/v1/images"}, "images", [&](const Json& json) {
    images.push_back({Text(json, "name"), Text(json, "family")});
  }));
  return images;
}

absl::StatusOr<std::vector<Instance>> TemplateApi::ListInstances(const common::CallScope& call,
                                                                 absl::string_view tag) const {
  std::vector<Instance> instances;
  DM_RETURN_IF_ERROR(List(call, {.path = "/v1/instances", .query = {{"tag", std::string(tag)}}},
                          "instances",
                          [&](const Json& json) { instances.push_back(InstanceOf(json)); }));
  return instances;
}

absl::StatusOr<std::optional<Instance>> TemplateApi::FindInstance(const common::CallScope& call,
                                                                  absl::string_view id) const {
  const absl::StatusOr<ApiResponse> response =
      api_.Send(call, {.path = absl::StrCat("/v1/instances/", PercentEncode(id))});
  if (absl::IsNotFound(response.status())) return std::nullopt;
  if (!response.ok()) return response.status();
  if (Text(response->body, "id").empty()) return NotAnAnswer("id");
  return InstanceOf(response->body);
}

absl::StatusOr<Instance> TemplateApi::CreateInstance(const common::CallScope& call,
                                                     const InstanceSpec& spec) const {
  ApiRequest request = {.method = "POST", .path = "/v1/instances"};
  request.body = {{"name", spec.name},   {"region", spec.region}, {"size", spec.size},
                  {"image", spec.image}, {"tags", spec.tags},     {"public_key", spec.public_key}};
  if (!spec.user_data.empty()) request.body["user_data"] = spec.user_data;
  DM_ASSIGN_OR_RETURN(const ApiResponse response, api_.Send(call, request));
  if (Text(response.body, "id").empty()) return NotAnAnswer("id");
  return InstanceOf(response.body);
}

absl::Status TemplateApi::DeleteInstance(const common::CallScope& call,
                                         absl::string_view id) const {
  const absl::Status status =
      api_.Send(call,
                {.method = "DELETE", .path = absl::StrCat("/v1/instances/", PercentEncode(id))})
          .status();
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

absl::Status TemplateApi::Act(const common::CallScope& call, absl::string_view id,
                              absl::string_view verb) const {
  return api_
      .Send(call, {.method = "POST",
                   .path = absl::StrCat("/v1/instances/", PercentEncode(id), "/", verb)})
      .status();
}

}  // namespace machine::driver::template_cloud
