#include "drivers/sdk/cloud/token.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "drivers/sdk/cloud/json.h"
#include "drivers/sdk/cloud/json_api.h"
#include "services/common/status/status.h"

namespace machine::driver {
namespace {

// Metadata servers give the same token again until it has about five minutes left.
constexpr absl::Duration kRenewBefore = absl::Minutes(4);
constexpr size_t kMaxQuotedBytes = 300;

// RFC 6749, 5.2: {"error": "invalid_grant", "error_description": "…"}.
std::string WordsOf(const Json& body) {
  std::string words = Text(body, "error");
  const std::string description = Text(body, "error_description");
  if (!description.empty()) absl::StrAppend(&words, words.empty() ? "" : ": ", description);
  return absl::CHexEscape(words.substr(0, kMaxQuotedBytes));
}

class FixedTokenSource final : public TokenSource {
 public:
  explicit FixedTokenSource(absl::string_view token) : token_(token) {}

  absl::StatusOr<AccessToken> Fetch(const common::CallScope&) const override {
    return AccessToken{token_};
  }

 private:
  const common::SecretString token_;
};

class NoTokenSource final : public TokenSource {
 public:
  explicit NoTokenSource(absl::Status reason) : reason_(std::move(reason)) {}

  absl::StatusOr<AccessToken> Fetch(const common::CallScope&) const override { return reason_; }

 private:
  const absl::Status reason_;
};

}  // namespace

absl::Status CredentialsRefused(absl::string_view message) {
  return common::Error(absl::StatusCode::kUnauthenticated,
                       machine::v1::ERROR_REASON_PROVIDER_CREDENTIALS, message);
}

std::string FormOf(const std::vector<std::pair<std::string, std::string>>& fields) {
  return absl::StrJoin(fields, "&", [](std::string* out, const auto& field) {
    absl::StrAppend(out, field.first, "=", PercentEncode(field.second));
  });
}

absl::StatusOr<AccessToken> ReadToken(const absl::StatusOr<common::HttpResponse>& response,
                                      absl::string_view provider, absl::string_view whose,
                                      absl::Time now) {
  if (!response.ok()) {
    return common::Annotate(response.status(), absl::StrCat("asking for a token of ", whose));
  }
  const Json body = ParseJson(response->body);
  if (response->status >= 400) {
    const std::string words = WordsOf(body);
    const std::string message = absl::StrCat(provider, " gave no token to ", whose, ": ",
                                             words.empty() ? "refused" : words);
    const absl::Status error = common::ErrorOf(*response, message, now);
    return response->status < 500 && response->status != 429 ? CredentialsRefused(message) : error;
  }
  AccessToken token = {common::SecretString(Text(body, "access_token")),
                       now + absl::Seconds(Number(body, "expires_in"))};
  if (token.value.empty() || token.value.view().find_first_of("\r\n") != absl::string_view::npos) {
    return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN,
                         absl::StrCat(provider, "'s answer has no token of ", whose));
  }
  return token;
}

std::unique_ptr<TokenSource> GivenToken(absl::string_view token) {
  return std::make_unique<FixedTokenSource>(token);
}

std::unique_ptr<TokenSource> NoToken(absl::Status reason) {
  return std::make_unique<NoTokenSource>(std::move(reason));
}

AccessTokenCache::AccessTokenCache(std::unique_ptr<TokenSource> source, const common::Clock& clock)
    : source_(std::move(source)),
      tokens_([this](const common::CallScope& call) { return source_->Fetch(call); }, kRenewBefore,
              clock) {}

absl::StatusOr<common::SecretString> AccessTokenCache::Get(const common::CallScope& call) {
  DM_ASSIGN_OR_RETURN(const std::shared_ptr<const AccessToken> token, tokens_.Get(call));
  absl::MutexLock lock(&mu_);
  last_ = token;
  return token->value;
}

bool AccessTokenCache::Forget() {
  absl::MutexLock lock(&mu_);
  if (last_ == nullptr || last_->expires == absl::InfiniteFuture()) return false;
  tokens_.Forget(last_);
  last_ = nullptr;
  return true;
}

}  // namespace machine::driver
