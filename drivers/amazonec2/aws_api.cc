#include "drivers/amazonec2/aws_api.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "drivers/sdk/cloud/json_api.h"
#include "services/common/status/status.h"

namespace machine::driver::amazonec2 {
namespace {

using machine::v1::ErrorReason;

constexpr int kMaxAttempts = 5;
constexpr size_t kMaxQuotedBytes = 500;
// One answer, lists of 1,000 instances included; the call's own deadline may be sooner.
constexpr absl::Duration kTimeout = absl::Minutes(1);
constexpr char kCodeKey[] = "aws_code";

struct CodeRule {
  /// The whole code; with a "*" at its end or beginning, the rest of it.
  absl::string_view code;
  absl::StatusCode status;
  ErrorReason reason;
};

// The first that fits. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
constexpr CodeRule kCodes[] = {
    {"AuthFailure", absl::StatusCode::kUnauthenticated,
     machine::v1::ERROR_REASON_PROVIDER_CREDENTIALS},
    {"SignatureDoesNotMatch", absl::StatusCode::kUnauthenticated,
     machine::v1::ERROR_REASON_PROVIDER_CREDENTIALS},
    {"InvalidSignatureException", absl::StatusCode::kUnauthenticated,
     machine::v1::ERROR_REASON_PROVIDER_CREDENTIALS},
    {"InvalidClientTokenId", absl::StatusCode::kUnauthenticated,
     machine::v1::ERROR_REASON_PROVIDER_CREDENTIALS},
    {"UnrecognizedClientException", absl::StatusCode::kUnauthenticated,
     machine::v1::ERROR_REASON_PROVIDER_CREDENTIALS},
    {"MissingAuthenticationToken*", absl::StatusCode::kUnauthenticated,
     machine::v1::ERROR_REASON_PROVIDER_CREDENTIALS},
    {"ExpiredToken*", absl::StatusCode::kUnauthenticated,
     machine::v1::ERROR_REASON_PROVIDER_CREDENTIALS},
    {"RequestExpired", absl::StatusCode::kUnauthenticated,
     machine::v1::ERROR_REASON_PROVIDER_CREDENTIALS},
    {"UnauthorizedOperation", absl::StatusCode::kPermissionDenied,
     machine::v1::ERROR_REASON_PROVIDER_POLICY},
    {"AccessDenied*", absl::StatusCode::kPermissionDenied,
     machine::v1::ERROR_REASON_PROVIDER_POLICY},
    {"OptInRequired", absl::StatusCode::kPermissionDenied,
     machine::v1::ERROR_REASON_PROVIDER_POLICY},
    {"RequestLimitExceeded", absl::StatusCode::kResourceExhausted,
     machine::v1::ERROR_REASON_PROVIDER_RATE_LIMIT},
    {"Throttling*", absl::StatusCode::kResourceExhausted,
     machine::v1::ERROR_REASON_PROVIDER_RATE_LIMIT},
    {"*LimitExceeded", absl::StatusCode::kResourceExhausted,
     machine::v1::ERROR_REASON_PROVIDER_QUOTA},
    {"MaxSpotInstanceCountExceeded", absl::StatusCode::kResourceExhausted,
     machine::v1::ERROR_REASON_PROVIDER_QUOTA},
    {"Insufficient*Capacity", absl::StatusCode::kResourceExhausted,
     machine::v1::ERROR_REASON_PROVIDER_QUOTA},
    {"IdempotentParameterMismatch", absl::StatusCode::kAlreadyExists,
     machine::v1::ERROR_REASON_INSTANCE_DIFFERS},
    {"*.Duplicate", absl::StatusCode::kAlreadyExists, machine::v1::ERROR_REASON_UNSPECIFIED},
    {"*.NotFound", absl::StatusCode::kNotFound, machine::v1::ERROR_REASON_UNSPECIFIED},
    {"ParameterNotFound", absl::StatusCode::kNotFound, machine::v1::ERROR_REASON_UNSPECIFIED},
    {"IncorrectInstanceState", absl::StatusCode::kAborted, machine::v1::ERROR_REASON_UNSPECIFIED},
    {"IncorrectSpotRequestState", absl::StatusCode::kAborted,
     machine::v1::ERROR_REASON_UNSPECIFIED},
    {"DependencyViolation", absl::StatusCode::kAborted, machine::v1::ERROR_REASON_UNSPECIFIED},
    {"InvalidGroup.InUse", absl::StatusCode::kAborted, machine::v1::ERROR_REASON_UNSPECIFIED},
};

bool Fits(absl::string_view pattern, absl::string_view code) {
  const size_t star = pattern.find('*');
  if (star == absl::string_view::npos) return pattern == code;
  return code.size() >= pattern.size() - 1 && absl::StartsWith(code, pattern.substr(0, star)) &&
         absl::EndsWith(code, pattern.substr(star + 1));
}

struct Words {
  std::string code;
  std::string message;
};

// EC2 nests its error in Errors, STS does not, and SSM speaks JSON.
Words WordsOf(const std::string& body) {
  const Json json = absl::StartsWith(body, "{") ? ParseJson(body) : Json();
  if (json.is_object()) {
    const std::string type = Text(json, "__type");
    const std::string message = Text(json, "message");
    return {type.substr(type.find('#') + 1), message.empty() ? Text(json, "Message") : message};
  }
  const std::optional<XmlElement> root = ParseXml(body);
  if (!root.has_value()) return {};
  const XmlElement& error =
      root->Has("Errors") ? root->Child("Errors").Child("Error") : root->Child("Error");
  return {error.Text("Code"), error.Text("Message")};
}

// Keeps bytes of a broken or hostile answer out of messages.
std::string Printable(absl::string_view text) {
  std::string result(text.substr(0, kMaxQuotedBytes));
  for (char& c : result) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = ' ';
  }
  absl::StripAsciiWhitespace(&result);
  return result;
}

bool IsRead(absl::string_view action) {
  return absl::StartsWith(action, "Describe") || absl::StartsWith(action, "Get");
}

// As forms are written, and AWS's own tools do: some that verify signatures write the form anew.
std::string FormEncode(absl::string_view text) {
  return absl::StrReplaceAll(PercentEncode(text), {{"%20", "+"}});
}

absl::Status NoAnswer(absl::string_view label, absl::string_view what) {
  return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN,
                       absl::StrCat("AWS answered ", label, " ", what));
}

}  // namespace

absl::Status ErrorOfAws(const common::HttpResponse& response) {
  const Words words = WordsOf(response.body);
  const std::string code = Printable(words.code);
  const std::string said = code.empty()
                               ? "AWS: refused"
                               : absl::StrCat("AWS: ", Printable(words.message), " (", code, ")");
  const absl::Status error = common::ErrorOf(response, said, absl::Now());
  if (code.empty()) return error;
  for (const CodeRule& rule : kCodes) {
    if (!Fits(rule.code, code)) continue;
    return common::Error(rule.status, rule.reason, error.message(), {{kCodeKey, code}});
  }
  const absl::Status coded =
      common::Error(error.code(), common::ReasonOf(error), error.message(), {{kCodeKey, code}});
  const std::optional<absl::Duration> delay = common::RetryDelayOf(error);
  return delay.has_value() ? common::WithRetryDelay(coded, *delay) : coded;
}

std::string AwsCodeOf(const absl::Status& status) {
  return common::ErrorMetadataOf(status, kCodeKey);
}

AwsApi::AwsApi(common::HttpClient& http, Options options, CredentialsSource credentials)
    : http_(http), options_(std::move(options)), credentials_(std::move(credentials)) {}

absl::StatusOr<XmlElement> AwsApi::Query(const common::CallScope& call, absl::string_view action,
                                         const Params& params) const {
  std::string body = absl::StrCat("Action=", action, "&Version=", options_.version);
  for (const auto& [name, value] : params) {
    absl::StrAppend(&body, "&", FormEncode(name), "=", FormEncode(value));
  }
  std::optional<XmlElement> root;
  DM_RETURN_IF_ERROR(Send(call,
                          {.label = std::string(action),
                           .content_type = "application/x-www-form-urlencoded; charset=utf-8",
                           .body = std::move(body),
                           .reads = IsRead(action)},
                          [&](const std::string& answer) {
                            root = ParseXml(answer);
                            // A page of a proxy may well be XML, too.
                            return root.has_value() &&
                                   root->name() == absl::StrCat(action, "Response");
                          }));
  return *std::move(root);
}

absl::StatusOr<Json> AwsApi::Json11(const common::CallScope& call, absl::string_view target,
                                    const Json& body) const {
  Json answer;
  DM_RETURN_IF_ERROR(Send(call,
                          {.label = std::string(target),
                           .content_type = "application/x-amz-json-1.1",
                           .target = std::string(target),
                           .body = DumpJson(body),
                           .reads = true},
                          [&](const std::string& text) {
                            answer = ParseJson(text);
                            return answer.is_object();
                          }));
  return answer;
}

absl::Status AwsApi::Send(const common::CallScope& call, const Message& message,
                          absl::FunctionRef<bool(const std::string& body)> parse) const {
  for (int attempt = 1;; ++attempt) {
    const absl::StatusOr<std::string> body = SendOnce(call, message);
    if (body.ok() && parse(*body)) return absl::OkStatus();
    const absl::Status failure =
        body.ok() ? NoAnswer(message.label, "with something that cannot be read") : body.status();
    if (!IsTransient(failure) || attempt == kMaxAttempts) return failure;
    DM_RETURN_IF_ERROR(PauseBetweenLooks(call, options_.backoff, attempt, failure));
  }
}

absl::StatusOr<std::string> AwsApi::SendOnce(const common::CallScope& call,
                                             const Message& message) const {
  DM_ASSIGN_OR_RETURN(const AwsCredentials credentials, credentials_(call));
  common::HttpRequest http;
  http.method = "POST";
  http.url = absl::StrCat(options_.endpoint, "/");
  http.headers.Add("Content-Type", message.content_type);
  if (!message.target.empty()) http.headers.Add("X-Amz-Target", message.target);
  http.body = message.body;
  SignRequest(credentials, options_.scope, absl::Now(), http);
  http.deadline = std::min(call.deadline(), absl::Now() + kTimeout);
  http.rate_limit = message.reads ? options_.reads : options_.writes;
  // Repeated by Send(), which signs anew and knows more of the answer.
  http.max_attempts = 1;
  http.cancelled = [&call] { return call.cancelled(); };
  const absl::StatusOr<common::HttpResponse> response = http_.Send(std::move(http));
  if (absl::IsDeadlineExceeded(response.status()) && call.Check().ok()) {
    // It is the provider that is slow; the call goes on.
    return NoAnswer(message.label, "not in time");
  }
  if (!response.ok()) return response.status();
  if (response->status >= 400) return ErrorOfAws(*response);
  return response->body;
}

}  // namespace machine::driver::amazonec2
