#include "tests/fakes/google/fake_google_auth.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <map>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/common/file/file.h"
#include "services/common/process/run.h"
#include "tests/fakes/http/form.h"

namespace machine::fakes {
namespace {

using Json = nlohmann::json;

Response Refuse(absl::string_view error, absl::string_view description) {
  return {
      .status = 400,
      .body = Json{{"error", std::string(error)}, {"error_description", std::string(description)}}
                  .dump()};
}

}  // namespace

FakeGoogleAuth::FakeGoogleAuth() {
  std::string folder = absl::StrCat(testing::TempDir(), "/google_auth.XXXXXX");
  EXPECT_NE(mkdtemp(folder.data()), nullptr);
  folder_ = folder;
  const auto key = common::RunProgram(
      {"openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"});
  EXPECT_TRUE(key.ok() && key->ok());
  private_key_ = key.ok() ? key->stdout_data : "";
  common::RunOptions with_key;
  with_key.stdin_data = private_key_;
  const auto made = common::RunProgram(
      {"openssl", "pkey", "-pubout", "-out", absl::StrCat(folder_, "/public.pem")}, with_key);
  EXPECT_TRUE(made.ok() && made->ok());
  Route("POST", "/token", [this](const Request& request) { return Token(request); });
  Route("GET", "/computeMetadata/v1/instance/service-accounts/default/token",
        [this](const Request& request) { return Metadata(request); });
  Start();
}

FakeGoogleAuth::~FakeGoogleAuth() {
  Stop();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string FakeGoogleAuth::ServiceAccountFile() const {
  return Json{{"type", "service_account"},
              {"project_id", "my-project"},
              {"private_key_id", "key-1"},
              {"private_key", private_key_},
              {"client_email", kServiceAccount},
              {"client_id", "1234567890"},
              {"token_uri", absl::StrCat(url(), "/token")},
              {"universe_domain", "googleapis.com"}}
      .dump();
}

std::string FakeGoogleAuth::AuthorizedUserFile() const {
  return Json{{"type", "authorized_user"},
              {"client_id", "client.apps.googleusercontent.com"},
              {"client_secret", "client-secret"},
              {"refresh_token", kRefreshToken},
              {"token_uri", absl::StrCat(url(), "/token")}}
      .dump();
}

Response FakeGoogleAuth::Give() {
  return {.body = Json{{"access_token", absl::StrCat("ya29.fake-", ++given_)},
                       {"expires_in", lifetime_},
                       {"token_type", "Bearer"}}
                      .dump()};
}

bool FakeGoogleAuth::VerifySignature(absl::string_view assertion, std::string& claims) const {
  const std::vector<std::string> parts = absl::StrSplit(assertion, '.');
  std::string header;
  std::string signature;
  if (parts.size() != 3 || !absl::WebSafeBase64Unescape(parts[0], &header) ||
      !absl::WebSafeBase64Unescape(parts[1], &claims) ||
      !absl::WebSafeBase64Unescape(parts[2], &signature)) {
    return false;
  }
  const Json head = Json::parse(header, nullptr, false);
  if (!head.is_object() || head.value("alg", "") != "RS256" || head.value("kid", "") != "key-1") {
    return false;
  }
  const std::string file = absl::StrCat(folder_, "/signature");
  EXPECT_TRUE(common::WriteFileAtomically(file, signature, 0600).ok());
  common::RunOptions options;
  options.stdin_data = absl::StrCat(parts[0], ".", parts[1]);
  const auto verified =
      common::RunProgram({"openssl", "dgst", "-sha256", "-verify",
                          absl::StrCat(folder_, "/public.pem"), "-signature", file},
                         options);
  return verified.ok() && verified->ok();
}

Response FakeGoogleAuth::Token(const Request& request) {
  absl::MutexLock lock(&mu_);
  std::map<std::string, std::string> fields = FormFieldsOf(request.body);
  if (fields["grant_type"] == "refresh_token") {
    const bool known = fields["refresh_token"] == kRefreshToken &&
                       fields["client_secret"] == "client-secret" && !fields["client_id"].empty();
    return known ? Give() : Refuse("invalid_grant", "Token has been expired or revoked.");
  }
  if (fields["grant_type"] != "urn:ietf:params:oauth:grant-type:jwt-bearer") {
    return Refuse("unsupported_grant_type", fields["grant_type"]);
  }
  std::string text;
  if (!VerifySignature(fields["assertion"], text)) {
    return Refuse("invalid_grant", "Invalid JWT Signature.");
  }
  const Json claims = Json::parse(text, nullptr, false);
  const int64_t issued = claims.value("iat", int64_t{0});
  const int64_t expires = claims.value("exp", int64_t{0});
  if (claims.value("aud", "") != absl::StrCat(url(), "/token") || expires <= issued ||
      expires - issued > 3600) {
    return Refuse("invalid_grant", "Invalid JWT: check aud, iat and exp.");
  }
  if (claims.value("iss", "") != kServiceAccount) {
    return Refuse("invalid_grant", "Invalid grant: account not found");
  }
  if (claims.value("scope", "").empty()) return Refuse("invalid_scope", "Empty scope");
  last_claims_ = claims;
  return Give();
}

Response FakeGoogleAuth::Metadata(const Request& request) {
  absl::MutexLock lock(&mu_);
  const std::map<std::string, std::string> flavor = {{"Metadata-Flavor", "Google"}};
  if (request.Header("Metadata-Flavor") != "Google") return {.status = 403, .headers = flavor};
  if (!has_service_account_) return {.status = 404, .headers = flavor};
  Response response = Give();
  response.headers = flavor;
  return response;
}

void FakeGoogleAuth::SetLifetime(int seconds) {
  absl::MutexLock lock(&mu_);
  lifetime_ = seconds;
}

std::string FakeGoogleAuth::LastToken() const {
  absl::MutexLock lock(&mu_);
  return given_ == 0 ? "" : absl::StrCat("ya29.fake-", given_);
}

Json FakeGoogleAuth::LastClaims() const {
  absl::MutexLock lock(&mu_);
  return last_claims_;
}

void FakeGoogleAuth::RemoveServiceAccount() {
  absl::MutexLock lock(&mu_);
  has_service_account_ = false;
}

}  // namespace machine::fakes
