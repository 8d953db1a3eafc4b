// The certificate authority for clients of a shared orchestrator and for the orchestrator itself,
// and the files that it listens with.
#ifndef SERVICES_ORCHESTRATOR_ACCESS_AUTHORITY_H_
#define SERVICES_ORCHESTRATOR_ACCESS_AUTHORITY_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/common/clock/clock.h"
#include "services/common/crypto/certificates.h"
#include "services/common/rpc/server.h"
#include "services/orchestrator/secrets/secret_vault.h"
#include "services/orchestrator/store/store.h"

namespace machine::orchestrator {

/// A client renews its certificate when a third of this is left.
inline constexpr absl::Duration kUserCertificateLifetime = absl::Hours(24 * 30);

struct ListenOptions {
  /// "HOST:PORT".
  std::string address;
  /// More names and addresses by which clients reach it.
  std::vector<std::string> names;
  /// The server's own certificate, followed by those of its authorities up to the one that clients
  /// are to trust, and its key; empty for one of the access authority's.
  std::string cert_file;
  std::string key_file;
  /// Authorities whose clients are accepted beside the own ones; empty for none.
  std::string client_ca_file;
  /// Where files are put that are made here.
  std::string folder;
};

/// The authority is made once for a store, so that several orchestrators have the same; its sealed
/// key never leaves the store. Not thread-safe but for const methods. Blocks.
class AccessAuthority {
 public:
  /// Makes or reads the authority. `options`.folder is made. `clock` outlives it.
  static absl::StatusOr<AccessAuthority> Open(Store& store, const SecretVault& vault,
                                              ListenOptions options,
                                              const common::Clock& clock = common::Clock::Real());

  /// Writes the files to listen with where they are missing, old, or of other names.
  /// FAILED_PRECONDITION naming a given file that cannot be used.
  absl::StatusOr<common::RpcServerTls> WriteFiles() const;

  /// What clients are to trust, as PEM: the last certificate that the server sends.
  absl::StatusOr<std::string> TrustAnchor() const;

  /// A certificate of `user_id` for the key of a PKCS #10 request.
  absl::StatusOr<common::IssuedCert> IssueFor(absl::string_view user_id,
                                              absl::string_view request_pem) const;

  const std::string& ca_pem() const { return ca_.cert_pem(); }

 private:
  AccessAuthority(common::CertAuthority ca, ListenOptions options, const common::Clock& clock)
      : ca_(std::move(ca)), options_(std::move(options)), clock_(clock) {}

  std::string cert_path() const { return options_.folder + "/server.pem"; }
  std::string key_path() const { return options_.folder + "/server.key"; }
  std::string client_ca_path() const { return options_.folder + "/client-ca.pem"; }
  absl::Status WriteServerCertificate() const;
  absl::Status CheckGivenCertificate() const;
  bool IsGood(const std::vector<std::string>& names) const;

  common::CertAuthority ca_;
  ListenOptions options_;
  const common::Clock& clock_;
};

/// By which names and addresses clients may reach a server that listens on `host`: that itself, or
/// all of this host's where it is a wildcard.
std::vector<std::string> NamesOfListener(absl::string_view host);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_ACCESS_AUTHORITY_H_
