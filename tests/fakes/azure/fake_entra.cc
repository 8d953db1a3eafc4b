#include "tests/fakes/azure/fake_entra.h"

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

Response Refuse(int status, absl::string_view error, absl::string_view description) {
  return {
      .status = status,
      .body = Json{{"error", std::string(error)}, {"error_description", std::string(description)}}
                  .dump()};
}

// What openssl prints; fails the running test when it fails.
std::string Openssl(std::vector<std::string> arguments, const std::string& input = "") {
  arguments.insert(arguments.begin(), "openssl");
  common::RunOptions options;
  options.stdin_data = input;
  const auto run = common::RunProgram(arguments, options);
  EXPECT_TRUE(run.ok() && run->ok()) << arguments[1];
  return run.ok() ? run->stdout_data : "";
}

}  // namespace

FakeEntra::FakeEntra() {
  std::string folder = absl::StrCat(testing::TempDir(), "/entra.XXXXXX");
  EXPECT_NE(mkdtemp(folder.data()), nullptr);
  folder_ = folder;
  const std::string key = absl::StrCat(folder_, "/key.pem");
  const std::string certificate = absl::StrCat(folder_, "/certificate.pem");
  Openssl({"req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
           "-days", "2", "-subj", "/CN=docker-machine"});
  const auto read = [](const std::string& path) {
    const auto text = common::ReadFile(path, 1 << 20);
    EXPECT_TRUE(text.ok()) << text.status();
    return text.ok() ? *text : "";
  };
  certificate_file_ = absl::StrCat(read(key), read(certificate));
  const std::string der = Openssl({"x509", "-in", certificate, "-outform", "DER"});
  thumbprint_ = absl::WebSafeBase64Escape(Openssl({"dgst", "-sha1", "-binary"}, der));
  EXPECT_TRUE(
      common::WriteFileAtomically(absl::StrCat(folder_, "/public.pem"),
                                  Openssl({"x509", "-in", certificate, "-noout", "-pubkey"}), 0600)
          .ok());
  Route("POST", absl::StrCat("/", kTenant, "/oauth2/v2.0/token"),
        [this](const Request& request) { return Token(request); });
  Route("GET", "/metadata/identity/oauth2/token",
        [this](const Request& request) { return Metadata(request); });
  Start();
}

FakeEntra::~FakeEntra() {
  Stop();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

Response FakeEntra::Give() {
  return {.body = Json{{"access_token", absl::StrCat("eyJ0.fake-", ++given_)},
                       {"expires_in", lifetime_},
                       {"token_type", "Bearer"}}
                      .dump()};
}

bool FakeEntra::VerifyAssertion(absl::string_view assertion, Json& claims) const {
  const std::vector<std::string> parts = absl::StrSplit(assertion, '.');
  std::string header;
  std::string payload;
  std::string signature;
  if (parts.size() != 3 || !absl::WebSafeBase64Unescape(parts[0], &header) ||
      !absl::WebSafeBase64Unescape(parts[1], &payload) ||
      !absl::WebSafeBase64Unescape(parts[2], &signature)) {
    return false;
  }
  const Json head = Json::parse(header, nullptr, false);
  claims = Json::parse(payload, nullptr, false);
  if (!head.is_object() || !claims.is_object() || head.value("alg", "") != "RS256" ||
      head.value("x5t", "") != thumbprint_) {
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

Response FakeEntra::Token(const Request& request) {
  absl::MutexLock lock(&mu_);
  std::map<std::string, std::string> fields = FormFieldsOf(request.body);
  if (fields["grant_type"] != "client_credentials" || fields["scope"] != kScope) {
    return Refuse(400, "invalid_request", "AADSTS900144: grant_type or scope");
  }
  if (fields["client_id"] != kClient) {
    return Refuse(400, "unauthorized_client",
                  absl::StrCat("AADSTS700016: Application with identifier '", fields["client_id"],
                               "' was not found in the directory"));
  }
  if (fields.contains("client_secret")) {
    return fields["client_secret"] == kSecret
               ? Give()
               : Refuse(401, "invalid_client", "AADSTS7000215: Invalid client secret provided.");
  }
  Json claims;
  if (fields["client_assertion_type"] != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" ||
      !VerifyAssertion(fields["client_assertion"], claims)) {
    return Refuse(401, "invalid_client",
                  "AADSTS700027: The certificate used to sign the assertion is not registered.");
  }
  if (claims["iss"] != kClient || claims["sub"] != kClient ||
      claims["aud"] != absl::StrCat(url(), request.path)) {
    return Refuse(401, "invalid_client", "AADSTS50027: JWT token is invalid.");
  }
  last_claims_ = std::move(claims);
  return Give();
}

Response FakeEntra::Metadata(const Request& request) {
  absl::MutexLock lock(&mu_);
  if (request.Header("Metadata") != "true" || request.Query("api-version") != "2018-02-01" ||
      request.Query("resource") != "https://management.azure.com/") {
    return Refuse(400, "bad_request_102", "Required metadata header not specified");
  }
  const std::string client = request.Query("client_id");
  if (!has_identity_ || (!client.empty() && client != kClient)) {
    return Refuse(400, "invalid_request", "Identity not found");
  }
  Response response = Give();
  // As texts, unlike the token endpoint.
  Json body = Json::parse(response.body);
  body["expires_in"] = absl::StrCat(lifetime_);
  response.body = body.dump();
  return response;
}

void FakeEntra::SetLifetime(int seconds) {
  absl::MutexLock lock(&mu_);
  lifetime_ = seconds;
}

std::string FakeEntra::LastToken() const {
  absl::MutexLock lock(&mu_);
  return given_ == 0 ? "" : absl::StrCat("eyJ0.fake-", given_);
}

Json FakeEntra::LastClaims() const {
  absl::MutexLock lock(&mu_);
  return last_claims_;
}

void FakeEntra::RemoveIdentity() {
  absl::MutexLock lock(&mu_);
  has_identity_ = false;
}

}  // namespace machine::fakes
