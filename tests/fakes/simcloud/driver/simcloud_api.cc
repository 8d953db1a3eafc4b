#include "tests/fakes/simcloud/driver/simcloud_api.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"

namespace machine::driver::simcloud {
namespace {

// More than any test asks for; what simcloud refuses is refused by its own behaviour.
constexpr double kRequestsPerSecond = 100'000;

ApiDialect Dialect() {
  ApiDialect dialect;
  dialect.provider = "simcloud";
  dialect.backoff = {absl::Milliseconds(10), absl::Milliseconds(200)};
  dialect.message_of = [](const Json& body) { return Text(body, "message"); };
  return dialect;
}

Object ObjectOf(const Json& json) {
  return {.id = Text(json, "id"),
          .tag = Text(json, "tag"),
          .size = Text(json, "size"),
          .state = Text(json, "state")};
}

}  // namespace

SimCloudApi::SimCloudApi(common::HttpClient& http, std::string endpoint)
    : api_(http, std::move(endpoint),
           std::make_shared<common::TokenBucket>(kRequestsPerSecond, kRequestsPerSecond),
           Dialect()) {}

absl::StatusOr<Object> SimCloudApi::Create(const common::CallScope& call, absl::string_view kind,
                                           absl::string_view tag, absl::string_view owner,
                                           absl::string_view size) const {
  ApiRequest request;
  request.method = "POST";
  request.path = absl::StrCat("/v1/", kind);
  request.body = {
      {"tag", std::string(tag)}, {"owner", std::string(owner)}, {"size", std::string(size)}};
  DM_ASSIGN_OR_RETURN(const ApiResponse response, api_.Send(call, request));
  return ObjectOf(response.body);
}

absl::StatusOr<std::vector<Object>> SimCloudApi::List(const common::CallScope& call,
                                                      absl::string_view kind,
                                                      absl::string_view tag) const {
  ApiRequest request;
  request.path = absl::StrCat("/v1/", kind);
  request.query = {{"tag", std::string(tag)}};
  return ObjectsOf(call, request);
}

absl::Status SimCloudApi::Delete(const common::CallScope& call, absl::string_view kind,
                                 absl::string_view id) const {
  ApiRequest request;
  request.method = "DELETE";
  request.path = absl::StrCat("/v1/", kind, "/", id);
  const absl::Status status = api_.Send(call, request).status();
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

absl::Status SimCloudApi::SetPower(const common::CallScope& call, absl::string_view id,
                                   bool on) const {
  ApiRequest request;
  request.method = "POST";
  request.path = absl::StrCat("/v1/instances/", id, "/power");
  request.body = {{"on", on}};
  request.retry_safe = true;
  return api_.Send(call, request).status();
}

absl::StatusOr<std::vector<Object>> SimCloudApi::Search(
    const common::CallScope& call, const std::vector<std::string>& tags) const {
  ApiRequest request;
  request.method = "POST";
  request.path = "/v1/search";
  request.body = {{"tags", tags}};
  request.retry_safe = true;
  return ObjectsOf(call, request);
}

absl::StatusOr<std::vector<Object>> SimCloudApi::ListOwned(const common::CallScope& call,
                                                           absl::string_view owner) const {
  ApiRequest request;
  request.path = "/v1/owned";
  request.query = {{"owner", std::string(owner)}};
  return ObjectsOf(call, request);
}

absl::StatusOr<std::vector<Object>> SimCloudApi::ObjectsOf(const common::CallScope& call,
                                                           const ApiRequest& request) const {
  DM_ASSIGN_OR_RETURN(const ApiResponse response, api_.Send(call, request));
  std::vector<Object> objects;
  for (const Json& json : Elements(response.body, "objects")) objects.push_back(ObjectOf(json));
  return objects;
}

}  // namespace machine::driver::simcloud
