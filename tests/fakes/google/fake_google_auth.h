// Where Google gives out access tokens: OAuth's token endpoint, and the metadata server of a
// virtual machine, both on one port of this computer.
#ifndef TESTS_FAKES_GOOGLE_FAKE_GOOGLE_AUTH_H_
#define TESTS_FAKES_GOOGLE_FAKE_GOOGLE_AUTH_H_

#include <nlohmann/json.hpp>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "tests/fakes/http/fake_server.h"

namespace machine::fakes {

/// Gives tokens to one service account, whose signature it checks with the program openssl, to one
/// user, and to the virtual machine. Thread-safe.
class FakeGoogleAuth final : public FakeServer {
 public:
  static constexpr char kRefreshToken[] = "1//a-very-secret-refresh-token";
  static constexpr char kServiceAccount[] = "builder@my-project.iam.gserviceaccount.com";

  FakeGoogleAuth();
  ~FakeGoogleAuth() override;

  /// The text of a service account's key file.
  std::string ServiceAccountFile() const;
  /// The text of gcloud's application-default file.
  std::string AuthorizedUserFile() const;

  /// Seconds that tokens given from now on last.
  void SetLifetime(int seconds);
  /// The token that was given last, as "ya29.fake-N"; empty before the first.
  std::string LastToken() const;
  /// The claims of the last assertion that was taken.
  nlohmann::json LastClaims() const;
  /// A virtual machine without a service account.
  void RemoveServiceAccount();

 private:
  Response Token(const Request& request);
  Response Metadata(const Request& request);
  Response Give() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool VerifySignature(absl::string_view assertion, std::string& claims) const;

  std::string folder_;
  std::string private_key_;
  mutable absl::Mutex mu_;
  int lifetime_ ABSL_GUARDED_BY(mu_) = 3600;
  int given_ ABSL_GUARDED_BY(mu_) = 0;
  bool has_service_account_ ABSL_GUARDED_BY(mu_) = true;
  nlohmann::json last_claims_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::fakes

#endif  // TESTS_FAKES_GOOGLE_FAKE_GOOGLE_AUTH_H_
