// Where Azure gives out access tokens: Entra ID's token endpoint, and the metadata service (IMDS)
// of a virtual machine, both on one port of this computer.
#ifndef TESTS_FAKES_AZURE_FAKE_ENTRA_H_
#define TESTS_FAKES_AZURE_FAKE_ENTRA_H_

#include <nlohmann/json.hpp>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "tests/fakes/http/fake_server.h"

namespace machine::fakes {

/// Gives tokens of one tenant to one service principal, by secret or by certificate, whose
/// thumbprint and signature it checks with the program openssl, and to the virtual machine.
/// Thread-safe.
class FakeEntra final : public FakeServer {
 public:
  static constexpr char kTenant[] = "72f988bf-86f1-41af-91ab-2d7cd011db47";
  static constexpr char kClient[] = "6731de76-14a6-49ae-97bc-6eba6914391e";
  static constexpr char kSecret[] = "a~very~secret~of~the~principal";
  static constexpr char kScope[] = "https://management.azure.com/.default";

  FakeEntra();
  ~FakeEntra() override;

  /// A PEM file with the principal's certificate and private key.
  const std::string& CertificateFile() const { return certificate_file_; }

  /// Seconds that tokens given from now on last.
  void SetLifetime(int seconds);
  /// The token that was given last, as "eyJ0.fake-N"; empty before the first.
  std::string LastToken() const;
  /// The claims of the last assertion that was taken.
  nlohmann::json LastClaims() const;
  /// A virtual machine without an identity.
  void RemoveIdentity();

 private:
  Response Token(const Request& request);
  Response Metadata(const Request& request);
  Response Give() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool VerifyAssertion(absl::string_view assertion, nlohmann::json& claims) const;

  std::string folder_;
  std::string certificate_file_;
  std::string thumbprint_;
  mutable absl::Mutex mu_;
  int lifetime_ ABSL_GUARDED_BY(mu_) = 3599;
  int given_ ABSL_GUARDED_BY(mu_) = 0;
  bool has_identity_ ABSL_GUARDED_BY(mu_) = true;
  nlohmann::json last_claims_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::fakes

#endif  // TESTS_FAKES_AZURE_FAKE_ENTRA_H_
