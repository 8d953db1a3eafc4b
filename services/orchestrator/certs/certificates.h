// The orchestrator's certificate authority and what it issues.
#ifndef SERVICES_ORCHESTRATOR_CERTS_CERTIFICATES_H_
#define SERVICES_ORCHESTRATOR_CERTS_CERTIFICATES_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "services/common/clock/clock.h"
#include "services/common/crypto/certificates.h"
#include "services/orchestrator/certs/authority_record.h"
#include "services/orchestrator/secrets/secret_vault.h"
#include "services/orchestrator/store/store.h"

namespace machine::orchestrator {

/// What a client needs to speak with the engines. All PEM.
struct ClientBundle {
  std::string ca_pem;
  std::string cert_pem;
  std::string key_pem;
  absl::Time not_before;
  absl::Time not_after;
};

/// What an engine needs. All PEM.
struct ServerCertificate {
  std::string cert_pem;
  std::string key_pem;
  absl::Time not_after;
};

/// A new server certificate costs a visit to the host and a restart of its engine, so it lasts as
/// long as any client accepts: Apple's platforms refuse more than 825 days (its document
/// HT210176),
/// also for authorities that a user has added. One day less makes room for its backdated start.
inline constexpr absl::Duration kServerLifetime = absl::Hours(24 * 824);
/// Shorter ones would be renewed all the time.
inline constexpr absl::Duration kShortestServerLifetime = absl::Minutes(1);
/// A client's can be renewed at any time and without a trace.
inline constexpr absl::Duration kClientLifetime = absl::Hours(24 * 365);
/// What a user of a shared orchestrator gets: an engine knows no revocation, so it ends soon.
inline constexpr absl::Duration kShortLifetime = absl::Hours(12);

/// Issues certificates from one authority, which is made when it is first needed and kept in the
/// store, its key sealed; the key never leaves the orchestrator. Thread-safe. The first call of a
/// kind waits for the disk, later ones are answered from memory: not in a reaction, nor on the
/// store's thread.
class Certificates {
 public:
  /// All three outlive it.
  Certificates(Store& store, const SecretVault& vault,
               const common::Clock& clock = common::Clock::Real())
      : store_(store), vault_(vault), clock_(clock) {}

  /// The authority. DATA_LOSS STORE_CORRUPT when its sealed key cannot be opened.
  absl::StatusOr<common::CertAuthority> Ca();

  /// A new certificate for an engine that is reached under `names`.
  absl::StatusOr<ServerCertificate> IssueServer(const std::vector<std::string>& names,
                                                absl::Duration lifetime = kServerLifetime);

  /// Whether an engine should get a new certificate instead of this one: less than a third of
  /// `lifetime` is left, another authority signed it, or it is none.
  bool NeedsRenewal(absl::string_view cert_pem, absl::Duration lifetime = kServerLifetime);

  /// The certificate of `user` for engines, the same at each call until a third of its life is
  /// left.
  absl::StatusOr<ClientBundle> BundleOf(absl::string_view user);

  /// A new one in its place, whatever is left of it. The former stays good until it ends.
  absl::Status RenewBundleOf(absl::string_view user);
  /// A new certificate of `user` for engines that lasts kShortLifetime and is not kept.
  absl::StatusOr<ClientBundle> ShortLivedBundle(absl::string_view user);

  /// The orchestrator's own, with which it checks engines; a private orchestrator's user has it
  /// too.
  absl::StatusOr<ClientBundle> OwnClientBundle() { return BundleOf(kOwnUser); }
  absl::Status RenewOwnClientBundle() { return RenewBundleOf(kOwnUser); }

 private:
  static constexpr absl::string_view kOwnUser = "orchestrator";

  absl::StatusOr<common::CertAuthority> CaLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<std::optional<ClientBundle>> LoadClient(const common::CertAuthority& ca,
                                                         absl::string_view user);
  absl::StatusOr<ClientBundle> IssueClient(const common::CertAuthority& ca, absl::string_view user);
  absl::StatusOr<std::optional<CertificateRecord>> FindRecord(absl::string_view name);
  // Whether at least a third of a life is left, or a renewal would give no longer one.
  bool IsFresh(absl::Time not_before, absl::Time not_after, absl::Time ca_not_after) const;

  Store& store_;
  const SecretVault& vault_;
  const common::Clock& clock_;
  absl::Mutex mu_;
  std::optional<common::CertAuthority> ca_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, ClientBundle> clients_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_CERTS_CERTIFICATES_H_
