#include "drivers/vmwarevcloudair/vcd_session.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "drivers/sdk/cloud/json.h"
#include "drivers/sdk/cloud/json_api.h"
#include "drivers/sdk/cloud/xml.h"
#include "drivers/vmwarevcloudair/vcd_errors.h"

namespace machine::driver::vmwarevcloudair {
namespace {

constexpr absl::Duration kTimeout = absl::Minutes(1);
constexpr absl::string_view kTokenHeader = "X-VMWARE-VCLOUD-ACCESS-TOKEN";

using Version = std::pair<int, int>;

// The last versions of Cloud Director 10.4, which 10.5 and 10.6 speak, too.
constexpr Version kNewest = {37, 3};

std::optional<Version> ParseVersion(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '.');
  Version version;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &version.first) ||
      !absl::SimpleAtoi(parts[1], &version.second)) {
    return std::nullopt;
  }
  return version;
}

}  // namespace

VcdSession::VcdSession(common::HttpClient& http, Credentials credentials, Backoff backoff)
    : http_(http), credentials_(std::move(credentials)), backoff_(backoff) {}

common::HttpRequest VcdSession::Prepared(const common::CallScope& call, absl::string_view method,
                                         absl::string_view url) const {
  common::HttpRequest request;
  request.method = std::string(method);
  request.url =
      absl::StartsWith(url, "/") ? absl::StrCat(credentials_.href, url) : std::string(url);
  request.deadline = std::min(call.deadline(), absl::Now() + kTimeout);
  // Repeated by the callers, who know more of the answer.
  request.max_attempts = 1;
  request.tls.ca_pem = credentials_.ca_pem;
  request.cancelled = [&call] { return call.cancelled(); };
  return request;
}

absl::StatusOr<std::string> VcdSession::ChooseVersion(const common::CallScope& call) const {
  common::HttpRequest request = Prepared(call, "GET", "/api/versions");
  request.headers.Add("Accept", "application/*+xml");
  DM_ASSIGN_OR_RETURN(const common::HttpResponse response, http_.Send(std::move(request)));
  DM_RETURN_IF_ERROR(common::ErrorOf(response, "Cloud Director: versions", absl::Now()));
  const std::optional<XmlElement> answer = ParseXml(response.body);
  if (!answer.has_value()) return DirectorIsDown("answered with something that cannot be read");
  std::vector<Version> offered;
  for (const XmlElement* const info : answer->Children("VersionInfo")) {
    if (const auto version = ParseVersion(info->Text("Version"))) offered.push_back(*version);
  }
  if (offered.empty()) {
    return absl::FailedPreconditionError("Cloud Director names no version of its API");
  }
  std::sort(offered.begin(), offered.end());
  // One that has dropped all of these is asked in the oldest version that it has.
  const auto above = std::upper_bound(offered.begin(), offered.end(), kNewest);
  const Version& chosen = above == offered.begin() ? *above : *(above - 1);
  return absl::StrCat(chosen.first, ".", chosen.second);
}

absl::StatusOr<VcdSession::Session> VcdSession::Open(const common::CallScope& call) const {
  Session session;
  DM_ASSIGN_OR_RETURN(session.version, ChooseVersion(call));
  const bool by_token = !credentials_.token.empty();
  common::HttpRequest request =
      Prepared(call, "POST",
               by_token ? absl::StrCat("/oauth/tenant/", PercentEncode(credentials_.org), "/token")
                        : "/cloudapi/1.0.0/sessions");
  if (by_token) {
    request.headers.Add("Accept", "application/json");
    request.headers.Add("Content-Type", "application/x-www-form-urlencoded");
    request.body =
        absl::StrCat("grant_type=refresh_token&refresh_token=", PercentEncode(credentials_.token));
  } else {
    std::string basic;
    absl::Base64Escape(
        absl::StrCat(credentials_.username, "@", credentials_.org, ":", credentials_.password),
        &basic);
    request.headers.Add("Accept", absl::StrCat("application/json;version=", session.version));
    request.headers.Add("Authorization", absl::StrCat("Basic ", basic));
  }
  DM_ASSIGN_OR_RETURN(const common::HttpResponse response, http_.Send(std::move(request)));
  // An API token that is not known is answered with 400.
  if (response.status == 401 || (by_token && response.status == 400)) {
    return common::Error(absl::StatusCode::kUnauthenticated,
                         machine::v1::ERROR_REASON_PROVIDER_CREDENTIALS,
                         "Cloud Director does not know the user, the password or the token");
  }
  DM_RETURN_IF_ERROR(common::ErrorOf(response, "Cloud Director: login", absl::Now()));
  session.token = by_token ? Text(ParseJson(response.body), "access_token")
                           : std::string(response.headers.Get(kTokenHeader).value_or(""));
  if (session.token.empty()) return DirectorIsDown("opened no session");
  return session;
}

absl::StatusOr<VcdSession::Session> VcdSession::Current(const common::CallScope& call,
                                                        const std::string& stale) {
  // One at a time: whoever waited uses the session that was opened meanwhile.
  absl::MutexLock login(&login_mu_);
  {
    absl::MutexLock lock(&mu_);
    if (!session_.token.empty() && session_.token != stale) return session_;
  }
  DM_ASSIGN_OR_RETURN(const Session session, Repeat<Session>(call, [&] { return Open(call); }));
  absl::MutexLock lock(&mu_);
  session_ = session;
  return session;
}

absl::StatusOr<common::HttpResponse> VcdSession::SendOnce(const common::CallScope& call,
                                                          const VcdRequest& request,
                                                          const Session& session) const {
  common::HttpRequest http = Prepared(call, request.method, request.url);
  http.headers.Add("Accept", absl::StrCat(request.accept, ";version=", session.version));
  http.headers.Add("Authorization", absl::StrCat("Bearer ", session.token));
  if (!request.body.empty()) {
    http.headers.Add("Content-Type", request.content_type);
    http.body = request.body;
  }
  absl::StatusOr<common::HttpResponse> response = http_.Send(std::move(http));
  if (absl::IsDeadlineExceeded(response.status()) && call.Check().ok()) {
    return DirectorIsDown("did not answer in time");
  }
  return response;
}

absl::StatusOr<common::HttpResponse> VcdSession::Send(const common::CallScope& call,
                                                      const VcdRequest& request) {
  DM_ASSIGN_OR_RETURN(const Session session, Current(call, ""));
  absl::StatusOr<common::HttpResponse> response = SendOnce(call, request, session);
  if (!response.ok() || response->status != 401) return response;
  DM_ASSIGN_OR_RETURN(const Session fresh, Current(call, session.token));
  return SendOnce(call, request, fresh);
}

}  // namespace machine::driver::vmwarevcloudair
