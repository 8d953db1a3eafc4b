#include "services/common/http/http_message.h"

#include <curl/curl.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"

namespace machine::common {

void HttpHeaders::Add(absl::string_view name, absl::string_view value) {
  fields_.emplace_back(std::string(name), std::string(value));
}

void HttpHeaders::Set(absl::string_view name, absl::string_view value) {
  std::erase_if(fields_, [&](const Field& f) { return absl::EqualsIgnoreCase(f.first, name); });
  Add(name, value);
}

std::optional<absl::string_view> HttpHeaders::Get(absl::string_view name) const {
  for (const auto& [field, value] : fields_) {
    if (absl::EqualsIgnoreCase(field, name)) return value;
  }
  return std::nullopt;
}

std::vector<absl::string_view> HttpHeaders::GetAll(absl::string_view name) const {
  std::vector<absl::string_view> values;
  for (const auto& [field, value] : fields_) {
    if (absl::EqualsIgnoreCase(field, name)) values.push_back(value);
  }
  return values;
}

std::optional<absl::Duration> RetryAfterOf(const HttpHeaders& headers, absl::Time now) {
  const std::optional<absl::string_view> value = headers.Get("Retry-After");
  if (!value.has_value()) return std::nullopt;
  int64_t seconds = 0;
  if (absl::SimpleAtoi(*value, &seconds)) {
    if (seconds < 0) return std::nullopt;
    return absl::Seconds(seconds);
  }
  const time_t date = curl_getdate(std::string(*value).c_str(), nullptr);
  if (date == -1) return std::nullopt;
  return std::max(absl::FromTimeT(date) - now, absl::ZeroDuration());
}

absl::Status ErrorOf(const HttpResponse& response, absl::string_view message, absl::Time now) {
  using absl::StatusCode;
  const int status = response.status;
  if (status < 400) return absl::OkStatus();
  const std::string text = absl::StrCat(message, message.empty() ? "" : " ", "(HTTP ", status, ")");
  switch (status) {
    case 400:
    case 422:
      return absl::InvalidArgumentError(text);
    case 401:
      return Error(StatusCode::kUnauthenticated, machine::v1::ERROR_REASON_PROVIDER_CREDENTIALS,
                   text);
    case 403:
      return Error(StatusCode::kPermissionDenied, machine::v1::ERROR_REASON_PROVIDER_POLICY, text);
    case 404:
    case 410:
      return absl::NotFoundError(text);
    case 409:
    case 412:
      return absl::AbortedError(text);
    case 429: {
      absl::Status limited = Error(StatusCode::kResourceExhausted,
                                   machine::v1::ERROR_REASON_PROVIDER_RATE_LIMIT, text);
      const std::optional<absl::Duration> delay = RetryAfterOf(response.headers, now);
      return delay.has_value() ? WithRetryDelay(limited, *delay) : limited;
    }
    case 501:
      return Error(StatusCode::kUnimplemented, machine::v1::ERROR_REASON_CAPABILITY_MISSING, text);
    default:
      if (status >= 500) {
        return Error(StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN, text);
      }
      return absl::FailedPreconditionError(text);
  }
}

}  // namespace machine::common
