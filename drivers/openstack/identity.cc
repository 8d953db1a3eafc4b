#include "drivers/openstack/identity.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "drivers/sdk/cloud/json_api.h"
#include "drivers/sdk/errors.h"
#include "drivers/sdk/openstack/cloud_client.h"
#include "services/common/status/status.h"

namespace machine::driver::openstack {
namespace {

constexpr absl::string_view kDefaultDomain = "default";

Json DomainJson(const Domain& domain) {
  if (!domain.id.empty()) return {{"id", domain.id}};
  if (!domain.name.empty()) return {{"name", domain.name}};
  return {{"id", std::string(kDefaultDomain)}};
}

Json UserJson(const Credentials& credentials) {
  if (!credentials.user_id.empty()) return {{"id", credentials.user_id}};
  return {{"name", credentials.username}, {"domain", DomainJson(credentials.user_domain)}};
}

Json IdentityJson(const Credentials& credentials) {
  if (!credentials.application_secret.empty()) {
    Json application = {{"secret", credentials.application_secret}};
    if (!credentials.application_id.empty()) {
      application["id"] = credentials.application_id;
    } else {
      application["name"] = credentials.application_name;
      application["user"] = UserJson(credentials);
    }
    return {{"methods", Json::array({"application_credential"})},
            {"application_credential", application}};
  }
  if (!credentials.token.empty()) {
    return {{"methods", Json::array({"token"})}, {"token", {{"id", credentials.token}}}};
  }
  Json user = UserJson(credentials);
  user["password"] = credentials.password;
  return {{"methods", Json::array({"password"})}, {"password", {{"user", user}}}};
}

std::string HostOf(absl::string_view url) {
  const size_t begin = url.find("://");
  const size_t end = begin == absl::string_view::npos ? begin : url.find('/', begin + 3);
  return std::string(url.substr(0, end));
}

// "/identity/v3" of "https://host/identity/v3/".
std::string PathOf(absl::string_view url) {
  return std::string(absl::StripSuffix(absl::StripPrefix(url, HostOf(url)), "/"));
}

class Identity {
 public:
  Identity(common::HttpClient& http, Credentials credentials, const Backoff& retry)
      : credentials_(std::move(credentials)),
        api_(http, "", nullptr, DialectOf("OpenStack Identity", credentials_.tls, retry)) {}

  absl::StatusOr<Session> SignIn(const common::CallScope& call) const {
    DM_ASSIGN_OR_RETURN(const std::string url, FindV3(call));
    if (credentials_.application_secret.empty() && !credentials_.token.empty()) {
      DM_ASSIGN_OR_RETURN(std::optional<Session> as_it_is, SessionOfToken(call, url));
      if (as_it_is.has_value()) return *std::move(as_it_is);
    }
    ApiRequest request = {.method = "POST",
                          .path = absl::StrCat(url, "/auth/tokens"),
                          .body = AuthBody(credentials_),
                          // Two tokens do no harm.
                          .retry_safe = true};
    absl::StatusOr<ApiResponse> response = api_.Send(call, request);
    if (absl::IsNotFound(response.status())) {
      return PreCreateCheckFailed(absl::StrCat("--openstack-auth-url: there is no Identity v3 at ",
                                               credentials_.auth_url, ": ",
                                               response.status().message()));
    }
    if (!response.ok()) {
      return common::Annotate(response.status(),
                              absl::StrCat("signing in at ", credentials_.auth_url));
    }
    Session session = SessionOf(*response);
    if (session.token.empty()) {
      return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN,
                           "the cloud's answer to the sign-in has no token");
    }
    if (session.project_id.empty()) return NoProject(call, url, session);
    return session;
  }

 private:
  static Session SessionOf(const ApiResponse& response) {
    const Json& token = Member(response.body, "token");
    return {.token = common::SecretString(response.headers.Get("X-Subject-Token").value_or("")),
            .expires = ParseExpiry(Text(token, "expires_at")),
            .project_id = Text(Member(token, "project"), "id"),
            .catalog = ReadCatalogV3(Member(token, "catalog"))};
  }

  // Whether `project`, that of a token, is the one that is asked for, or none is.
  bool IsAskedFor(const Json& project) const {
    if (!credentials_.project_id.empty()) return Text(project, "id") == credentials_.project_id;
    if (credentials_.project_name.empty()) return true;
    const Json& domain = Member(project, "domain");
    const Domain& wanted = credentials_.project_domain;
    return Text(project, "name") == credentials_.project_name &&
           (wanted.id.empty() || wanted.id == Text(domain, "id")) &&
           (!wanted.id.empty() || wanted.name.empty() || wanted.name == Text(domain, "name"));
  }

  // The given token itself where it is for the project already: another one cannot be had for it in
  // every cloud ([token] allow_rescope_scoped_token). No value where it is for another, or for
  // none. https://docs.openstack.org/api-ref/identity/v3/#validate-and-show-information-for-token
  absl::StatusOr<std::optional<Session>> SessionOfToken(const common::CallScope& call,
                                                        absl::string_view url) const {
    ApiRequest request;
    request.path = absl::StrCat(url, "/auth/tokens");
    request.headers.Set("X-Auth-Token", credentials_.token);
    request.headers.Set("X-Subject-Token", credentials_.token);
    const absl::StatusOr<ApiResponse> response = api_.Send(call, request);
    DM_RETURN_IF_ERROR(call.Check());
    if (absl::IsUnavailable(response.status())) return response.status();
    // The sign-in that follows says what is wrong.
    if (!response.ok()) return std::nullopt;
    Session session = SessionOf(*response);
    if (session.project_id.empty() || session.catalog.empty() ||
        !IsAskedFor(Member(Member(response->body, "token"), "project"))) {
      return std::nullopt;
    }
    session.token = common::SecretString(credentials_.token);
    return session;
  }

  absl::StatusOr<std::string> FindV3(const common::CallScope& call) const {
    absl::string_view url = credentials_.auth_url;
    if (absl::EndsWith(url, "/v3")) return std::string(url);
    url = absl::StripSuffix(url, "/v2.0");
    ApiRequest request;
    request.path = absl::StrCat(url, "/");
    // Answered with 300 (Multiple Choices).
    const absl::StatusOr<ApiResponse> response = api_.Send(call, request);
    DM_RETURN_IF_ERROR(call.Check());
    if (absl::IsUnavailable(response.status()) || absl::IsUnauthenticated(response.status())) {
      return response.status();
    }
    const std::string otherwise = absl::StrCat(url, "/v3");
    if (!response.ok()) return otherwise;
    std::vector<std::string> others;
    for (const Json& version : Elements(Member(response->body, "versions"), "values")) {
      const std::string id = Text(version, "id");
      others.push_back(id);
      if (!absl::StartsWith(id, "v3")) continue;
      for (const Json& link : Elements(version, "links")) {
        if (Text(link, "rel") != "self") continue;
        // Of the link only the path: behind a proxy its host is the one within, and credentials go
        // only where the user has sent them. A proxy may also have another path than the host
        // within.
        const std::string path = PathOf(Text(link, "href"));
        if (absl::StartsWith(path, PathOf(url))) return absl::StrCat(HostOf(url), path);
      }
      return otherwise;
    }
    if (others.empty()) return otherwise;
    return PreCreateCheckFailed(absl::StrCat(
        "--openstack-auth-url: ", credentials_.auth_url, " has Identity ",
        absl::StrJoin(others, ", "), " only; this needs v3, which every OpenStack has since 2018"));
  }

  absl::Status NoProject(const common::CallScope& call, absl::string_view url,
                         const Session& session) const {
    ApiRequest request;
    request.path = absl::StrCat(url, "/auth/projects");
    request.headers.Set("X-Auth-Token", session.token.view());
    std::vector<std::string> names;
    const absl::StatusOr<ApiResponse> response = api_.Send(call, request);
    if (response.ok()) {
      for (const Json& project : Elements(response->body, "projects")) {
        names.push_back(Text(project, "name"));
      }
    }
    return PreCreateCheckFailed(absl::StrCat(
        "the user has no default project; name one with --openstack-tenant-name or "
        "--openstack-tenant-id",
        names.empty() ? "" : absl::StrCat("; there are ", absl::StrJoin(names, ", "))));
  }

  const Credentials credentials_;
  const JsonApi api_;
};

}  // namespace

Json AuthBody(const Credentials& credentials) {
  Json auth = {{"identity", IdentityJson(credentials)}};
  // An application credential is for one project, and may name none.
  if (credentials.application_secret.empty()) {
    if (!credentials.project_id.empty()) {
      auth["scope"] = {{"project", {{"id", credentials.project_id}}}};
    } else if (!credentials.project_name.empty()) {
      auth["scope"] = {{"project",
                        {{"name", credentials.project_name},
                         {"domain", DomainJson(credentials.project_domain)}}}};
    }
  }
  return {{"auth", auth}};
}

SignIn SignInV3(common::HttpClient& http, Credentials credentials, const Backoff& retry) {
  const auto identity = std::make_shared<const Identity>(http, std::move(credentials), retry);
  return [identity](const common::CallScope& call) { return identity->SignIn(call); };
}

}  // namespace machine::driver::openstack
