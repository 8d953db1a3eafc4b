#include "tests/fakes/openstack/fake_openstack.h"

#include <gtest/gtest.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "tests/fakes/openapi/description.h"
#include "tests/fakes/openstack/descriptions.h"

namespace machine::fakes {
namespace {

using Json = nlohmann::json;

constexpr char kIdentityBase[] = "/identity";
constexpr char kNetworkBase[] = "/networking/v2.0";
constexpr char kImageBase[] = "/image/v2";
constexpr char kVolumeBase[] = "/volume/v3";

constexpr char kOtherProjectId[] = "7f70656e737461636b20342065766573";

Response Unauthorized() {
  return {.status = 401,
          .body = Json{{"error",
                        {{"code", 401},
                         {"title", "Unauthorized"},
                         {"message", "The request you have made requires authentication."}}}}
                      .dump()};
}

bool IsDefaultDomain(const Json& domain) {
  return domain.value("id", "") == "default" || domain.value("name", "") == "Default";
}

bool IsDemo(const Json& user) {
  if (user.contains("id")) return user["id"] == FakeOpenStack::kUserId;
  return user.value("name", "") == "demo" && user.contains("domain") &&
         IsDefaultDomain(user["domain"]);
}

ApiDescription Describe(const char* text, absl::string_view base) {
  auto description = ApiDescription::Parse(absl::StrReplaceAll(text, {{"BASE", base}}));
  EXPECT_TRUE(description.ok()) << description.status();
  return *std::move(description);
}

}  // namespace

Response RefuseOpenStack(int status, absl::string_view message) {
  static const std::map<int, std::string> kNames = {
      {400, "badRequest"},         {403, "forbidden"}, {404, "itemNotFound"},
      {409, "conflictingRequest"}, {413, "overLimit"}, {500, "computeFault"}};
  const auto name = kNames.find(status);
  return {.status = status,
          .body = Json{{name == kNames.end() ? "computeFault" : name->second,
                        {{"code", status}, {"message", std::string(message)}}}}
                      .dump()};
}

Response RefuseNeutron(int status, absl::string_view type, absl::string_view message) {
  return {
      .status = status,
      .body =
          Json{{"NeutronError",
                {{"type", std::string(type)}, {"message", std::string(message)}, {"detail", ""}}}}
              .dump()};
}

FakeOpenStack::FakeOpenStack(Style style)
    : style_(style),
      compute_base_(style == Style::kDevStack ? "/compute/v2.1" : "/v2/123456"),
      expiry_format_(absl::RFC3339_full) {
  AddFirst();
  AddRoutes();
  AddDescriptions();
  Throttle([](const Fault& fault) {
    return Response{.status = 413,
                    .body = Json{{"overLimit",
                                  {{"code", 413},
                                   {"message", "This request was rate-limited."},
                                   {"retryAfter", absl::StrCat(fault.retry_after_seconds)}}}}
                                .dump(),
                    .headers = {{"Retry-After", absl::StrCat(fault.retry_after_seconds)}}};
  });
  Fail([](const Fault& fault) {
    return RefuseOpenStack(fault.status, "Unexpected API Error. Please report this.");
  });
  NoRoute([](const Request&) { return RefuseOpenStack(404, "The resource could not be found."); });
  Start();
}

FakeOpenStack::~FakeOpenStack() { Stop(); }

void FakeOpenStack::AddDescriptions() {
  constexpr char kRootOnly[] =
      R"({"openapi": "3.0.0", "servers": [{"url": "BASE"}], "paths": {"/": {"get": {}}}})";
  std::vector<ApiDescription> all = {Describe(kComputeDescription, compute_base_),
                                     Describe(kImageDescription, kImageBase)};
  if (style_ == Style::kDevStack) {
    all.push_back(Describe(kIdentityDescription, kIdentityBase));
    all.push_back(Describe(kNetworkDescription, kNetworkBase));
    all.push_back(Describe(kVolumeDescription, kVolumeBase));
    all.push_back(Describe(kRootOnly, "/compute"));
  } else {
    all.push_back(Describe(kIdentityV2Description, "/v2.0"));
    all.push_back(Describe(kRootOnly, "/v2"));
  }
  CheckRequests(FitsOneOf(std::move(all)));
}

void FakeOpenStack::AddOpen(absl::string_view method, const std::string& pattern, Method handler) {
  Route(method, pattern, [this, handler](const Request& request) {
    absl::MutexLock lock(&mu_);
    return (this->*handler)(request);
  });
}

void FakeOpenStack::Add(absl::string_view method, const std::string& pattern, Method handler) {
  Route(method, pattern, [this, handler](const Request& request) {
    absl::MutexLock lock(&mu_);
    if (!tokens_.contains(request.Header("X-Auth-Token"))) return Unauthorized();
    return (this->*handler)(request);
  });
}

void FakeOpenStack::AddRoutes() {
  const std::string& compute = compute_base_;
  AddOpen("GET", "/identity/", &FakeOpenStack::Versions);
  AddOpen("POST", "/identity/v3/auth/tokens", &FakeOpenStack::SignIn);
  Add("GET", "/identity/v3/auth/tokens", &FakeOpenStack::ShowToken);
  AddOpen("POST", "/v2.0/tokens", &FakeOpenStack::SignInV2);
  Add("GET", "/identity/v3/auth/projects", &FakeOpenStack::ListProjects);
  Add("GET", "/compute/", &FakeOpenStack::ComputeVersions);
  Add("GET", "/compute/v2.1/", &FakeOpenStack::ComputeVersions);
  Add("GET", "/v2/", &FakeOpenStack::ComputeVersions);
  Add("GET", compute + "/servers/detail", &FakeOpenStack::ListServers);
  Add("POST", compute + "/servers", &FakeOpenStack::CreateServer);
  Add("GET", compute + "/servers/{id}", &FakeOpenStack::GetServer);
  Add("DELETE", compute + "/servers/{id}", &FakeOpenStack::DeleteServer);
  Add("POST", compute + "/servers/{id}/action", &FakeOpenStack::ActOnServer);
  Add("GET", compute + "/flavors/detail", &FakeOpenStack::ListFlavors);
  Add("GET", compute + "/limits", &FakeOpenStack::GetLimits);
  Add("GET", compute + "/os-availability-zone", &FakeOpenStack::ListZones);
  Add("GET", compute + "/os-keypairs", &FakeOpenStack::ListKeyPairs);
  Add("POST", compute + "/os-keypairs", &FakeOpenStack::CreateKeyPair);
  Add("GET", compute + "/os-keypairs/{name}", &FakeOpenStack::GetKeyPair);
  Add("DELETE", compute + "/os-keypairs/{name}", &FakeOpenStack::DeleteKeyPair);
  Add("GET", "/networking/v2.0/networks", &FakeOpenStack::ListNetworks);
  Add("GET", "/networking/v2.0/ports", &FakeOpenStack::ListPorts);
  Add("POST", "/networking/v2.0/ports", &FakeOpenStack::CreatePort);
  Add("DELETE", "/networking/v2.0/ports/{id}", &FakeOpenStack::DeletePort);
  Add("GET", "/networking/v2.0/security-groups", &FakeOpenStack::ListGroups);
  Add("POST", "/networking/v2.0/security-groups", &FakeOpenStack::CreateGroup);
  Add("DELETE", "/networking/v2.0/security-groups/{id}", &FakeOpenStack::DeleteGroup);
  Add("POST", "/networking/v2.0/security-group-rules", &FakeOpenStack::CreateRule);
  Add("GET", "/networking/v2.0/floatingips", &FakeOpenStack::ListFloatingIps);
  Add("POST", "/networking/v2.0/floatingips", &FakeOpenStack::CreateFloatingIp);
  Add("PUT", "/networking/v2.0/floatingips/{id}", &FakeOpenStack::UpdateFloatingIp);
  Add("DELETE", "/networking/v2.0/floatingips/{id}", &FakeOpenStack::DeleteFloatingIp);
  Add("GET", "/image/v2/images", &FakeOpenStack::ListImages);
  Add("GET", "/image/v2/images/{id}", &FakeOpenStack::GetImage);
  Add("GET", "/volume/v3/volumes/detail", &FakeOpenStack::ListVolumes);
  Add("POST", "/volume/v3/volumes", &FakeOpenStack::CreateVolume);
  Add("DELETE", "/volume/v3/volumes/{id}", &FakeOpenStack::DeleteVolume);
  Add("GET", "/volume/v3/types", &FakeOpenStack::ListVolumeTypes);
}

// The links lead to the host within, as behind many a proxy.
Response FakeOpenStack::Versions(const Request&) {
  return {.status = 300,
          .body = R"({"versions": {"values": [{"id": "v3.14", "status": "stable", "links": [
            {"rel": "self", "href": "http://10.0.0.5/identity/v3/"}]}]}})"};
}

std::string FakeOpenStack::NewToken() {
  const std::string token = absl::StrCat("gAAAAA-a-very-secret-token-", ++next_id_);
  tokens_.insert(token);
  return token;
}

std::string FakeOpenStack::Expiry() const {
  return absl::FormatTime(expiry_format_, absl::Now() + token_lifetime_, absl::UTCTimeZone());
}

FakeOpenStack::Json FakeOpenStack::Catalog() const {
  Json catalog = Json::array();
  for (const auto& [type, path] : catalog_) {
    Json endpoints = Json::array();
    for (const std::string& region : regions_) {
      for (const char* const interface : {"public", "internal", "admin"}) {
        const bool works = std::string(interface) == "public";
        endpoints.push_back({{"id", "e"},
                             {"interface", interface},
                             {"region", region},
                             {"region_id", region},
                             {"url", absl::StrCat(works ? url() : "http://127.0.0.1:1", path)}});
      }
    }
    catalog.push_back({{"type", type}, {"name", type}, {"endpoints", endpoints}});
  }
  return catalog;
}

Response FakeOpenStack::SignIn(const Request& request) {
  const Json auth = Json::parse(request.body)["auth"];
  last_auth_ = auth;
  const Json& identity = auth["identity"];
  const std::string method = identity["methods"][0];
  if (!identity.contains(method)) return RefuseOpenStack(400, "Expecting to find the method");
  Json scope = auth.value("scope", Json());
  bool known = false;
  if (method == "password") {
    const Json& user = identity["password"]["user"];
    known = IsDemo(user) && user.value("password", "") == kPassword;
  } else if (method == "token") {
    known = tokens_.contains(identity["token"]["id"].get<std::string>());
  } else {
    const Json& application = identity["application_credential"];
    known = application["secret"] == kApplicationSecret && scope.is_null() &&
            (application.value("id", "") == "app-1" ||
             (application.value("name", "") == "builder" && IsDemo(application["user"])));
    scope = {{"project", {{"id", kProjectId}}}};
  }
  if (!known) return Unauthorized();
  const bool scoped = !scope.is_null();
  if (scoped) {
    const Json& project = scope["project"];
    const bool demo = project.contains("id")
                          ? project["id"] == kProjectId
                          : project["name"] == "demo" && project.contains("domain") &&
                                IsDefaultDomain(project["domain"]);
    if (!demo) return Unauthorized();
  }
  const std::string token = NewToken();
  if (!scoped) unscoped_.insert(token);
  return {.status = 201,
          .body = Json{{"token", TokenJson(method, scoped)}}.dump(),
          .headers = {{"X-Subject-Token", token}}};
}

FakeOpenStack::Json FakeOpenStack::TokenJson(const std::string& method, bool scoped) const {
  Json token = {{"methods", {method}},
                {"user", {{"id", kUserId}, {"name", "demo"}}},
                {"issued_at", absl::FormatTime(absl::Now())},
                {"expires_at", Expiry()}};
  if (!scoped) return token;
  token["project"] = {
      {"id", kProjectId}, {"name", "demo"}, {"domain", {{"id", "default"}, {"name", "Default"}}}};
  token["catalog"] = Catalog();
  return token;
}

Response FakeOpenStack::ShowToken(const Request& request) {
  const std::string token = request.Header("X-Subject-Token");
  if (!tokens_.contains(token)) return RefuseOpenStack(404, "Could not find token.");
  return {.body = Json{{"token", TokenJson("password", !unscoped_.contains(token))}}.dump(),
          .headers = {{"X-Subject-Token", token}}};
}

Response FakeOpenStack::SignInV2(const Request& request) {
  const Json auth = Json::parse(request.body)["auth"];
  last_auth_ = auth;
  const Json& key = auth["RAX-KSKEY:apiKeyCredentials"];
  if (key["username"] != "demo" || key["apiKey"] != kApiKey) {
    return {
        .status = 401,
        .body = R"({"unauthorized": {"code": 401, "message": "Username or api key is invalid."}})"};
  }
  Json catalog = Json::array();
  for (const auto& [type, path] : catalog_) {
    Json endpoints = Json::array();
    for (const std::string& region : regions_) {
      endpoints.push_back({{"tenantId", "123456"},
                           {"region", region},
                           {"publicURL", absl::StrCat(url(), path)},
                           {"internalURL", absl::StrCat("http://127.0.0.1:1", path)}});
    }
    catalog.push_back({{"type", type}, {"name", type}, {"endpoints", endpoints}});
  }
  // The old servers, which belong to no region.
  catalog.push_back({{"type", "compute"},
                     {"name", "cloudServers"},
                     {"endpoints", {{{"publicURL", "http://127.0.0.1:1/v1.0/123456"}}}}});
  return {.body = Json{{"access",
                        {{"token",
                          {{"id", NewToken()},
                           {"expires", Expiry()},
                           {"tenant", {{"id", "123456"}, {"name", "123456"}}}}},
                         {"serviceCatalog", catalog},
                         {"user", {{"id", "42"}, {"name", "demo"}}}}}}
                      .dump()};
}

Response FakeOpenStack::ListProjects(const Request&) {
  return {.body = Json{{"projects",
                        {{{"id", kProjectId}, {"name", "demo"}},
                         {{"id", kOtherProjectId}, {"name", "other"}}}}}
                      .dump()};
}

std::string FakeOpenStack::NewId() {
  return absl::StrFormat("00000000-0000-4000-8000-%012d", ++next_id_);
}

Response FakeOpenStack::Page(const Request& request, const std::string& key,
                             const std::vector<Json>& all) const {
  const auto id_of = [](const Json& element) {
    return element.contains("keypair") ? element["keypair"]["name"] : element["id"];
  };
  size_t begin = 0;
  const std::string marker = request.Query("marker");
  if (!marker.empty()) {
    while (begin < all.size() && id_of(all[begin]) != marker) ++begin;
    if (begin == all.size()) return RefuseOpenStack(400, "marker not found");
    ++begin;
  }
  const size_t end = std::min(all.size(), begin + page_size_);
  Json body = {{key, Json::array()}};
  for (size_t i = begin; i < end; ++i) body[key].push_back(all[i]);
  if (end < all.size()) {
    const std::string next =
        absl::StrCat(request.path, "?marker=", all[end - 1].value("id", std::string()));
    if (key == "images") {
      body["next"] = next;
    } else {
      body[key + "_links"] = {{{"rel", "next"}, {"href", absl::StrCat("http://10.0.0.5", next)}}};
    }
  }
  return {.body = body.dump()};
}

}  // namespace machine::fakes
