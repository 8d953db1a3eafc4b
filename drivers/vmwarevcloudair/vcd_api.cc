#include "drivers/vmwarevcloudair/vcd_api.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/json.h"
#include "drivers/sdk/cloud/json_api.h"
#include "services/common/status/status.h"

namespace machine::driver::vmwarevcloudair {
namespace {

constexpr int kMaxAttempts = 5;
constexpr int kPageSize = 128;
constexpr int kMaxPages = 200;
constexpr size_t kMaxQuotedBytes = 500;
constexpr absl::Duration kTimeout = absl::Minutes(1);
// Of Cloud Director 10.3; later ones understand it.
constexpr absl::string_view kAccept = "application/*+xml;version=36.3";
constexpr absl::string_view kTokenHeader = "X-VMWARE-VCLOUD-ACCESS-TOKEN";

absl::Status Down(absl::string_view what) {
  return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN,
                       absl::StrCat("Cloud Director ", what));
}

std::string Printable(absl::string_view text) {
  std::string result(text.substr(0, kMaxQuotedBytes));
  for (char& c : result) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = ' ';
  }
  return result;
}

// `error` is the element Error of an answer or a task. Codes:
// https://developer.broadcom.com/xapis/vmware-cloud-director-api/latest/
absl::Status ErrorOfCode(const XmlElement& error, absl::Status otherwise) {
  const std::string code = Printable(error.Attribute("minorErrorCode"));
  const std::string words = absl::StrCat("Cloud Director: ", Printable(error.Attribute("message")),
                                         code.empty() ? "" : absl::StrCat(" (", code, ")"));
  if (code == "BUSY_ENTITY") {
    return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN,
                         words);
  }
  if (code == "DUPLICATE_NAME") return absl::AlreadyExistsError(words);
  // It says so of what is gone, too.
  if (code == "ACCESS_TO_RESOURCE_IS_FORBIDDEN") return absl::NotFoundError(words);
  if (absl::StrContains(code, "QUOTA") || absl::StrContains(code, "INSUFFICIENT")) {
    return common::Error(absl::StatusCode::kResourceExhausted,
                         machine::v1::ERROR_REASON_PROVIDER_QUOTA, words);
  }
  return otherwise;
}

// The task in an answer: the answer itself, or the first of its tasks that is not done.
const XmlElement* TaskOf(const XmlElement& answer) {
  if (answer.name() == "Task") return &answer;
  for (const XmlElement& task : answer.Child("Tasks").children()) {
    if (task.Attribute("status") != "success") return &task;
  }
  return nullptr;
}

}  // namespace

VcdApi::VcdApi(common::HttpClient& http, Credentials credentials, Backoff backoff)
    : http_(http), credentials_(std::move(credentials)), backoff_(backoff) {}

std::string VcdApi::UrlOf(absl::string_view url) const {
  return absl::StartsWith(url, "/") ? absl::StrCat(credentials_.href, url) : std::string(url);
}

common::HttpRequest VcdApi::Request(const common::CallScope& call, absl::string_view method,
                                    const std::string& url) const {
  common::HttpRequest request;
  request.method = std::string(method);
  request.url = url;
  request.headers.Add("Accept", kAccept);
  request.deadline = std::min(call.deadline(), absl::Now() + kTimeout);
  // Repeated here, where more is known of the answer.
  request.max_attempts = 1;
  request.tls.ca_pem = credentials_.ca_pem;
  request.cancelled = [&call] { return call.cancelled(); };
  return request;
}

absl::StatusOr<std::string> VcdApi::OpenSession(const common::CallScope& call) {
  const bool by_token = !credentials_.token.empty();
  common::HttpRequest request = Request(
      call, "POST",
      UrlOf(by_token ? absl::StrCat("/oauth/tenant/", PercentEncode(credentials_.org), "/token")
                     : "/api/sessions"));
  if (by_token) {
    request.headers.Set("Accept", "application/json");
    request.headers.Add("Content-Type", "application/x-www-form-urlencoded");
    request.body =
        absl::StrCat("grant_type=refresh_token&refresh_token=", PercentEncode(credentials_.token));
  } else {
    std::string basic;
    absl::Base64Escape(
        absl::StrCat(credentials_.username, "@", credentials_.org, ":", credentials_.password),
        &basic);
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
  const std::string token = by_token ? Text(ParseJson(response.body), "access_token")
                                     : std::string(response.headers.Get(kTokenHeader).value_or(""));
  if (token.empty()) return Down("opened no session");
  return token;
}

absl::StatusOr<std::string> VcdApi::Session(const common::CallScope& call,
                                            const std::string& stale) {
  // One at a time: whoever waited uses the session that was opened meanwhile.
  absl::MutexLock login(&login_mu_);
  {
    absl::MutexLock lock(&mu_);
    if (!session_.empty() && session_ != stale) return session_;
  }
  for (int attempt = 1;; ++attempt) {
    absl::StatusOr<std::string> session = OpenSession(call);
    if (session.ok()) {
      absl::MutexLock lock(&mu_);
      session_ = *session;
      return session;
    }
    if (!IsTransient(session.status()) || attempt == kMaxAttempts) return session;
    DM_RETURN_IF_ERROR(PauseBetweenLooks(call, backoff_, attempt, session.status()));
  }
}

absl::Status VcdApi::LogIn(const common::CallScope& call) { return Session(call, "").status(); }

absl::StatusOr<XmlElement> VcdApi::SendOnce(const common::CallScope& call, absl::string_view method,
                                            const std::string& url, const VcdBody& body,
                                            const std::string& session) {
  common::HttpRequest request = Request(call, method, url);
  request.headers.Add("Authorization", absl::StrCat("Bearer ", session));
  if (!body.xml.empty()) {
    request.headers.Add("Content-Type", absl::StrCat("application/vnd.vmware.", body.type, "+xml"));
    request.body = absl::StrCat("<?xml version=\"1.0\" encoding=\"UTF-8\"?>", body.xml);
  }
  const absl::StatusOr<common::HttpResponse> response = http_.Send(std::move(request));
  if (absl::IsDeadlineExceeded(response.status()) && call.Check().ok()) {
    return Down("did not answer in time");
  }
  if (!response.ok()) return response.status();
  const std::optional<XmlElement> answer = ParseXml(response->body);
  if (response->status >= 400) {
    const std::string words =
        answer.has_value() ? Printable(answer->Attribute("message")) : "refused";
    const absl::Status error =
        common::ErrorOf(*response, absl::StrCat("Cloud Director: ", words), absl::Now());
    return answer.has_value() ? ErrorOfCode(*answer, error) : error;
  }
  if (answer.has_value()) return *answer;
  if (response->body.empty()) return XmlElement();
  return Down("answered with something that cannot be read");
}

absl::StatusOr<XmlElement> VcdApi::SendInSession(const common::CallScope& call,
                                                 absl::string_view method, const std::string& url,
                                                 const VcdBody& body) {
  DM_ASSIGN_OR_RETURN(const std::string session, Session(call, ""));
  absl::StatusOr<XmlElement> answer = SendOnce(call, method, url, body, session);
  if (!absl::IsUnauthenticated(answer.status()) ||
      common::ReasonOf(answer.status()) == machine::v1::ERROR_REASON_SERVER_NOT_TRUSTED) {
    return answer;
  }
  DM_ASSIGN_OR_RETURN(const std::string fresh, Session(call, session));
  return SendOnce(call, method, url, body, fresh);
}

absl::StatusOr<XmlElement> VcdApi::Get(const common::CallScope& call, absl::string_view url) {
  for (int attempt = 1;; ++attempt) {
    absl::StatusOr<XmlElement> answer = SendInSession(call, "GET", UrlOf(url), {});
    if (answer.ok() || !IsTransient(answer.status()) || attempt == kMaxAttempts) return answer;
    DM_RETURN_IF_ERROR(PauseBetweenLooks(call, backoff_, attempt, answer.status()));
  }
}

absl::StatusOr<XmlElement> VcdApi::Send(const common::CallScope& call, absl::string_view method,
                                        absl::string_view url, const VcdBody& body) {
  DM_RETURN_IF_ERROR(call.Check());
  return SendInSession(call, method, UrlOf(url), body);
}

absl::Status VcdApi::AwaitTasks(const common::CallScope& call, const XmlElement& object) {
  const XmlElement* const first = TaskOf(object);
  if (first == nullptr) return absl::OkStatus();
  const std::string href = first->Attribute("href");
  return Await<bool>(
             call, backoff_,
             [&]() -> absl::StatusOr<std::optional<bool>> {
               DM_ASSIGN_OR_RETURN(const XmlElement task, Get(call, href));
               const std::string& status = task.Attribute("status");
               if (status == "success") return true;
               if (status == "error" || status == "aborted" || status == "canceled") {
                 const XmlElement& error = task.Child("Error");
                 return ErrorOfCode(
                     error, common::Error(absl::StatusCode::kFailedPrecondition,
                                          machine::v1::ERROR_REASON_HOST_COMMAND_FAILED,
                                          absl::StrCat("Cloud Director: ",
                                                       Printable(task.Attribute("operation")), ": ",
                                                       Printable(error.Attribute("message")))));
               }
               return std::nullopt;
             })
      .status();
}

absl::Status VcdApi::Run(const common::CallScope& call, absl::string_view method,
                         absl::string_view url, const VcdBody& body) {
  DM_ASSIGN_OR_RETURN(const XmlElement answer, Send(call, method, url, body));
  return AwaitTasks(call, answer);
}

absl::StatusOr<std::vector<XmlElement>> VcdApi::Query(const common::CallScope& call,
                                                      absl::string_view type,
                                                      absl::string_view filter) {
  std::vector<XmlElement> records;
  for (int page = 1; page <= kMaxPages; ++page) {
    const std::string condition =
        filter.empty() ? "" : absl::StrCat("&filter=", PercentEncode(filter));
    DM_ASSIGN_OR_RETURN(
        const XmlElement answer,
        Get(call, absl::StrCat("/api/query?type=", type, "&format=records&pageSize=", kPageSize,
                               "&page=", page, condition)));
    size_t total = 0;
    if (!absl::SimpleAtoi(answer.Attribute("total"), &total)) {
      return Down("answered a query without a total");
    }
    size_t on_page = 0;
    for (const XmlElement& record : answer.children()) {
      if (!absl::EndsWith(record.name(), "Record")) continue;
      records.push_back(record);
      ++on_page;
    }
    if (records.size() >= total || on_page == 0) break;
  }
  return records;
}

}  // namespace machine::driver::vmwarevcloudair
