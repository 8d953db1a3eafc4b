#include "drivers/sdk/cloud/json_api.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/common/status/status.h"

namespace machine::driver {
namespace {

constexpr int kMaxAttempts = 5;
constexpr size_t kMaxQuotedBytes = 500;
// One answer, lists of 200 instances included; the call's own deadline may be sooner.
constexpr absl::Duration kTimeout = absl::Minutes(1);

// Keeps bytes of a broken or hostile answer out of messages.
std::string Printable(absl::string_view text) {
  std::string result(text.substr(0, kMaxQuotedBytes));
  for (char& c : result) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = ' ';
  }
  absl::StripAsciiWhitespace(&result);
  return result;
}

bool IsIdempotent(const ApiRequest& request) {
  return request.retry_safe || (request.method != "POST" && request.method != "PATCH");
}

bool IsRateLimit(const absl::Status& status) {
  return common::ReasonOf(status) == machine::v1::ERROR_REASON_PROVIDER_RATE_LIMIT;
}

std::string UrlOf(absl::string_view base_url, const ApiRequest& request) {
  std::string url = absl::StrCat(base_url, request.path);
  char separator = '?';
  for (const auto& [name, value] : request.query) {
    absl::StrAppend(&url, std::string(1, separator), PercentEncode(name), "=",
                    PercentEncode(value));
    separator = '&';
  }
  return url;
}

}  // namespace

std::string PercentEncode(absl::string_view text) {
  std::string encoded;
  for (const char c : text) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.' || c == '_' ||
        c == '~') {
      encoded.push_back(c);
    } else {
      absl::StrAppendFormat(&encoded, "%%%02X", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

JsonApi::JsonApi(common::HttpClient& http, std::string base_url,
                 std::shared_ptr<common::TokenBucket> rate_limit, ApiDialect dialect)
    : http_(http),
      base_url_(std::move(base_url)),
      rate_limit_(std::move(rate_limit)),
      dialect_(std::move(dialect)) {}

absl::StatusOr<ApiResponse> JsonApi::Send(const common::CallScope& call,
                                          const ApiRequest& request) const {
  for (int attempt = 1;; ++attempt) {
    absl::StatusOr<ApiResponse> response = SendOnce(call, request);
    // What a rate limit refused was not carried out.
    const bool again = IsRateLimit(response.status()) ||
                       (absl::IsUnavailable(response.status()) && IsIdempotent(request));
    if (!again || attempt == kMaxAttempts) return response;
    DM_RETURN_IF_ERROR(PauseBetweenLooks(call, dialect_.backoff, attempt, response.status()));
  }
}

absl::StatusOr<ApiResponse> JsonApi::SendOnce(const common::CallScope& call,
                                              const ApiRequest& request) const {
  common::HttpRequest http;
  http.method = request.method;
  http.url = UrlOf(base_url_, request);
  http.headers = request.headers;
  if (!http.headers.Has("Accept")) http.headers.Add("Accept", "application/json");
  if (!request.body.is_null()) {
    http.body = DumpJson(request.body);
    http.headers.Add("Content-Type", "application/json");
  }
  http.deadline = std::min(call.deadline(), absl::Now() + kTimeout);
  http.rate_limit = rate_limit_;
  // Repeated by Send(), which knows more of the answer.
  http.max_attempts = 1;
  http.cancelled = [&call] { return call.cancelled(); };
  if (dialect_.authorize) DM_RETURN_IF_ERROR(dialect_.authorize(call, http));
  absl::StatusOr<common::HttpResponse> response = http_.Send(std::move(http));
  if (absl::IsDeadlineExceeded(response.status()) && call.Check().ok()) {
    // It is the provider that is slow; the call goes on.
    return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN,
                         absl::StrCat(dialect_.provider, " did not answer ", request.method, " ",
                                      request.path, " within ", absl::FormatDuration(kTimeout)));
  }
  if (!response.ok()) return response.status();
  if (dialect_.on_response) dialect_.on_response(*response);
  return Read(request, *std::move(response));
}

absl::StatusOr<ApiResponse> JsonApi::Read(const ApiRequest& request,
                                          common::HttpResponse response) const {
  Json body = response.body.empty() ? Json() : ParseJson(response.body);
  if (response.status < 400) {
    if (!body.is_discarded()) {
      return ApiResponse{response.status, std::move(response.headers), std::move(body)};
    }
    return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN,
                         absl::StrCat(dialect_.provider, " answered ", request.method, " ",
                                      request.path, " with something that is not JSON"));
  }
  std::string words;
  if (dialect_.message_of && body.is_object()) words = Printable(dialect_.message_of(body));
  const absl::Status error = common::ErrorOf(
      response, absl::StrCat(dialect_.provider, ": ", words.empty() ? "refused" : words),
      absl::Now());
  return dialect_.refine ? dialect_.refine(error, response.status, body) : error;
}

}  // namespace machine::driver
