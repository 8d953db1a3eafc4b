#include "drivers/sdk/openstack/cloud_client.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "drivers/sdk/cloud/choices.h"
#include "drivers/sdk/errors.h"
#include "services/common/status/status.h"

namespace machine::driver::openstack {
namespace {

// What is asked for ends here:
// https://docs.openstack.org/nova/latest/reference/api-microversion-history.html
constexpr int kNewestMinor = 67;
constexpr double kRequestsPerSecond = 20;
constexpr double kBurst = 100;
constexpr absl::Duration kRenewBefore = absl::Minutes(2);
constexpr int kMaxPages = 10'000;

struct ServiceNames {
  absl::string_view what;
  // https://specs.openstack.org/openstack/service-types-authority/ with its aliases.
  std::vector<absl::string_view> types;
  // Where the catalogue's address has none.
  absl::string_view version;
};

const ServiceNames& NamesOf(Service service) {
  static const auto* const kNames = new std::map<Service, ServiceNames>{
      {Service::kCompute, {"compute", {"compute"}, "v2.1"}},
      {Service::kNetwork, {"network", {"network"}, "v2.0"}},
      {Service::kImage, {"image", {"image"}, "v2"}},
      {Service::kVolume, {"block storage", {"block-storage", "volumev3", "block-store"}, "v3"}},
  };
  return kNames->at(service);
}

bool IsVersion(absl::string_view segment) {
  double number = 0;
  return absl::ConsumePrefix(&segment, "v") && absl::SimpleAtod(segment, &number);
}

// "https://host/compute/v2.1" of "https://host/compute/v2.1/PROJECT"; empty where there is none.
std::string VersionedPart(absl::string_view url) {
  std::vector<absl::string_view> parts = absl::StrSplit(url, '/');
  while (parts.size() > 3 && !IsVersion(parts.back())) parts.pop_back();
  return parts.size() > 3 ? absl::StrJoin(parts, "/") : "";
}

// Nova, Glance and Cinder: {"itemNotFound": {"message": "…"}}; Neutron: {"NeutronError":
// {"type", "message"}}; Keystone: {"error": {"message": "…"}}.
const Json& ErrorBody(const Json& body) {
  for (const Json& member : body) {
    if (member.is_object() && member.contains("message")) return member;
  }
  return body;
}

absl::Status Refine(const absl::Status& error, int http_status, const Json& body) {
  const Json& details = body.is_object() ? ErrorBody(body) : body;
  const std::string type = Text(details, "type");
  const std::string words = absl::StrCat(error.message());
  const bool quota = type == "OverQuota" || type == "IpAddressGenerationFailure" ||
                     type == "ExternalIpAddressExhausted" ||
                     ((http_status == 403 || http_status == 413) &&
                      (absl::StrContains(words, "uota") || absl::StrContains(words, "allowed (")));
  if (quota) {
    return common::Error(absl::StatusCode::kResourceExhausted,
                         machine::v1::ERROR_REASON_PROVIDER_QUOTA, words);
  }
  if (http_status == 413) {
    absl::Status limited = common::Error(absl::StatusCode::kResourceExhausted,
                                         machine::v1::ERROR_REASON_PROVIDER_RATE_LIMIT, words);
    const int64_t seconds = Number(details, "retryAfter");
    return seconds > 0 ? common::WithRetryDelay(std::move(limited), absl::Seconds(seconds))
                       : limited;
  }
  if (http_status == 401) {
    return common::Error(absl::StatusCode::kUnauthenticated,
                         machine::v1::ERROR_REASON_PROVIDER_CREDENTIALS, words);
  }
  return error;
}

Microversion ParseMicroversion(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '.');
  Microversion version;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &version.major) ||
      !absl::SimpleAtoi(parts[1], &version.minor)) {
    return {};
  }
  return version;
}

}  // namespace

std::string Microversion::Text() const { return minor == 0 ? "" : absl::StrCat(major, ".", minor); }

ApiDialect DialectOf(absl::string_view provider, const common::HttpTls& tls, const Backoff& retry) {
  ApiDialect dialect;
  dialect.provider = std::string(provider);
  dialect.authorize = [tls](const common::CallScope&, common::HttpRequest& request) {
    request.tls = tls;
    return absl::OkStatus();
  };
  dialect.message_of = [](const Json& body) { return Text(ErrorBody(body), "message"); };
  dialect.refine = Refine;
  dialect.backoff = retry;
  return dialect;
}

CloudClient::CloudClient(common::HttpClient& http, Access access, SignIn sign_in)
    : access_(std::move(access)),
      sessions_(std::move(sign_in), kRenewBefore),
      api_(http, "", std::make_shared<common::TokenBucket>(kRequestsPerSecond, kBurst),
           DialectOf(access_.provider, access_.tls, access_.retry)) {}

absl::StatusOr<std::shared_ptr<const Session>> CloudClient::GetSession(
    const common::CallScope& call) const {
  return sessions_.Get(call);
}

absl::StatusOr<std::string> CloudClient::RegionOf(const Session& session) const {
  const std::string flag = absl::StrCat(access_.flag_prefix, "-region");
  const std::vector<std::string> regions = session.Regions("compute");
  if (!access_.region.empty()) {
    DM_RETURN_IF_ERROR(CheckChoice(flag, "region", access_.region, regions));
    return access_.region;
  }
  if (regions.size() == 1) return regions.front();
  if (regions.empty()) {
    return PreCreateCheckFailed(absl::StrCat(
        access_.provider, " offers no compute service to this project: its catalogue has none"));
  }
  return PreCreateCheckFailed(absl::StrCat("the cloud has several regions; name one with --", flag,
                                           ": ", absl::StrJoin(regions, ", ")));
}

absl::StatusOr<std::string> CloudClient::EndpointOf(const Session& session, Service service) const {
  DM_ASSIGN_OR_RETURN(const std::string region, RegionOf(session));
  for (const absl::string_view type : NamesOf(service).types) {
    for (const Endpoint& endpoint : session.catalog) {
      if (endpoint.type == type && endpoint.region == region &&
          endpoint.interface == access_.interface && !endpoint.url.empty()) {
        return endpoint.url;
      }
    }
  }
  return "";
}

absl::StatusOr<CloudClient::Root> CloudClient::RootOf(const common::CallScope& call,
                                                      Service service) const {
  {
    absl::MutexLock lock(&mu_);
    const auto known = roots_.find(service);
    if (known != roots_.end()) return known->second;
  }
  DM_ASSIGN_OR_RETURN(const auto session, GetSession(call));
  DM_ASSIGN_OR_RETURN(const std::string endpoint, EndpointOf(*session, service));
  const ServiceNames& names = NamesOf(service);
  if (endpoint.empty()) {
    return PreCreateCheckFailed(absl::StrCat(
        "the cloud's catalogue has no ", access_.interface, " address of the ", names.what,
        " service in this region; see --", access_.flag_prefix, "-endpoint-type"));
  }
  Root root = {.url = endpoint};
  if (service == Service::kCompute) {
    DM_ASSIGN_OR_RETURN(root, DiscoverCompute(call, endpoint));
  } else if (VersionedPart(endpoint).empty()) {
    root.url = absl::StrCat(endpoint, "/", names.version);
  }
  absl::MutexLock lock(&mu_);
  roots_[service] = root;
  return root;
}

absl::StatusOr<CloudClient::Root> CloudClient::DiscoverCompute(const common::CallScope& call,
                                                               const std::string& endpoint) const {
  const std::string versioned = VersionedPart(endpoint);
  const std::string asked = versioned.empty() ? endpoint : versioned;
  Root root = {.url = versioned.empty() ? absl::StrCat(endpoint, "/v2.1") : endpoint};
  ApiRequest request;
  request.path = absl::StrCat(asked, "/");
  const absl::StatusOr<ApiResponse> response = SendWithToken(call, request);
  // Some clouds show no versions; what needs none works all the same.
  if (absl::IsNotFound(response.status()) || absl::IsPermissionDenied(response.status())) {
    return root;
  }
  if (!response.ok()) return response.status();
  std::vector<Json> documents = {Member(response->body, "version")};
  for (const char* const list : {"versions", "choices"}) {
    for (const Json& each : Elements(response->body, list)) documents.push_back(each);
  }
  Microversion newest;
  Microversion oldest;
  for (const Json& document : documents) {
    // An address of the old v2 has no microversions, whatever stands beside it.
    const std::string id = Text(document, "id");
    if (!absl::EndsWith(root.url, id) && !absl::StrContains(root.url, absl::StrCat("/", id, "/"))) {
      continue;
    }
    if (id.empty() || Text(document, "version").empty()) continue;
    newest = ParseMicroversion(Text(document, "version"));
    oldest = ParseMicroversion(Text(document, "min_version"));
  }
  root.version = {newest.major, std::min(newest.minor, std::max(kNewestMinor, oldest.minor))};
  return root;
}

absl::StatusOr<Microversion> CloudClient::ComputeVersion(const common::CallScope& call) const {
  DM_ASSIGN_OR_RETURN(const Root root, RootOf(call, Service::kCompute));
  return root.version;
}

absl::StatusOr<ApiResponse> CloudClient::SendWithToken(const common::CallScope& call,
                                                       const ApiRequest& request) const {
  for (int attempt = 1;; ++attempt) {
    DM_ASSIGN_OR_RETURN(const auto session, GetSession(call));
    ApiRequest authorized = request;
    authorized.headers.Set("X-Auth-Token", session->token.view());
    absl::StatusOr<ApiResponse> response = api_.Send(call, authorized);
    if (!absl::IsUnauthenticated(response.status()) || attempt > 1 ||
        common::ReasonOf(response.status()) == machine::v1::ERROR_REASON_SERVER_NOT_TRUSTED) {
      return response;
    }
    // Tokens are revoked before their time, by a change of password for one.
    sessions_.Forget(session);
  }
}

absl::StatusOr<Json> CloudClient::Send(const common::CallScope& call, Service service,
                                       ApiRequest request) const {
  DM_ASSIGN_OR_RETURN(const Root root, RootOf(call, service));
  request.path = absl::StrCat(root.url, request.path);
  const std::string version = root.version.Text();
  if (!version.empty()) {
    // The second name since 2.27; older clouds know the first one only.
    request.headers.Set("X-OpenStack-Nova-API-Version", version);
    request.headers.Set("OpenStack-API-Version", absl::StrCat("compute ", version));
  }
  DM_ASSIGN_OR_RETURN(ApiResponse response, SendWithToken(call, request));
  return std::move(response.body);
}

absl::StatusOr<std::optional<Json>> CloudClient::Find(const common::CallScope& call,
                                                      Service service, std::string path,
                                                      absl::string_view key) const {
  ApiRequest request;
  request.path = std::move(path);
  absl::StatusOr<Json> body = Send(call, service, std::move(request));
  if (absl::IsNotFound(body.status())) return std::nullopt;
  if (!body.ok()) return body.status();
  return key.empty() ? *std::move(body) : Member(*body, key);
}

absl::Status CloudClient::List(const common::CallScope& call, Service service, ApiRequest request,
                               absl::string_view key,
                               absl::FunctionRef<void(const Json&)> each) const {
  const size_t given = request.query.size();
  for (int page = 1; page <= kMaxPages; ++page) {
    DM_ASSIGN_OR_RETURN(const Json body, Send(call, service, request));
    const Json& elements = Elements(body, key);
    for (const Json& element : elements) each(element);
    bool more = !Text(body, "next").empty();
    for (const Json& link : Elements(body, absl::StrCat(key, "_links"))) {
      more = more || Text(link, "rel") == "next";
    }
    if (!more || elements.empty()) return absl::OkStatus();
    // Key pairs have no id.
    std::string marker = Text(elements.back(), "id");
    if (marker.empty()) marker = Text(Member(elements.back(), "keypair"), "name");
    if (marker.empty() || (request.query.size() > given && request.query.back().second == marker)) {
      break;
    }
    request.query.resize(given);
    request.query.emplace_back("marker", marker);
  }
  return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN,
                       absl::StrCat(access_.provider, "'s list of ", key, " has no end"));
}

absl::Status CloudClient::Delete(const common::CallScope& call, Service service,
                                 std::string path) const {
  ApiRequest request;
  request.method = "DELETE";
  request.path = std::move(path);
  const absl::Status status = Send(call, service, std::move(request)).status();
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

}  // namespace machine::driver::openstack
