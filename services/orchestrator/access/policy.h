// Who may do what, in memory: users with their certificates, roles and grants, as the store has
// them.
#ifndef SERVICES_ORCHESTRATOR_ACCESS_POLICY_H_
#define SERVICES_ORCHESTRATOR_ACCESS_POLICY_H_

#include <grpcpp/grpcpp.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "machine/v1/access.pb.h"
#include "services/common/clock/clock.h"
#include "services/orchestrator/events/machine_filter.h"
#include "services/orchestrator/store/store.h"

namespace machine::orchestrator {

/// Before the id in a certificate's URI.
inline constexpr absl::string_view kUserUriPrefix = "urn:docker-machine:user:";

/// Who makes a call.
struct Caller {
  enum class Kind {
    /// Nobody that is known.
    kNone,
    /// On this host, past the socket's folder and cookie: may do everything.
    kLocal,
    kUser,
  };
  Kind kind = Kind::kNone;
  /// Without "users/"; with kUser.
  std::string user_id;
  /// On every machine.
  machine::v1::Role role = machine::v1::ROLE_UNSPECIFIED;

  bool local() const { return kind == Kind::kLocal; }
  /// May do on every machine what needs `role`.
  bool Has(machine::v1::Role needed) const { return local() || role >= needed; }
  /// "users/{id}", "local", or empty.
  std::string Name() const;
};

/// Thread-safe; nothing but Load() blocks.
class AccessPolicy {
 public:
  /// Both outlive it.
  explicit AccessPolicy(Store& store, const common::Clock& clock = common::Clock::Real())
      : store_(store), clock_(clock) {}

  /// The authority whose certificates must be among those that were issued. Set once, first.
  void SetOwnAuthority(std::string ca_pem) { own_ca_pem_ = std::move(ca_pem); }

  /// Reads everything from the store. The ids of users who may do less than before.
  absl::StatusOr<std::vector<std::string>> Load();

  /// Whose call it is on a connection. UNAUTHENTICATED CLIENT_CREDENTIALS, saying what to do, for
  /// one without a certificate, with one that has ended or was revoked, or of no user.
  absl::StatusOr<Caller> Identify(const grpc::AuthContext& context);

  /// A grant gives the caller `needed` on some machine, or on this one.
  bool HasGrant(const Caller& caller, machine::v1::Role needed) const;
  bool MayOn(const Caller& caller, machine::v1::Role needed,
             const machine::v1::Machine& machine) const;
  /// The machines that the caller may see: those that fit any; all where there is no value.
  std::optional<std::vector<MachineFilter>> VisibleTo(const Caller& caller) const;

  /// Users seen since the last call of this, with when.
  std::map<std::string, absl::Time> TakeSeen();

 private:
  struct Grant {
    machine::v1::Role role;
    std::string selector;
    MachineFilter filter;
  };
  struct User {
    machine::v1::Role role;
    absl::flat_hash_set<std::string> fingerprints;
    std::vector<Grant> grants;
  };
  using Users = absl::flat_hash_map<std::string, User>;
  // What never changes about a certificate.
  struct Certificate {
    std::string user_id;
    std::string fingerprint;
    absl::Time not_after;
    bool own = false;
  };

  absl::StatusOr<Certificate> ReadCertificate(const std::string& pem);
  std::shared_ptr<const Users> users() const;
  static bool MayLess(const User& before, const Users& now, absl::string_view id);

  Store& store_;
  const common::Clock& clock_;
  std::string own_ca_pem_;
  // Held while the store is read, so that an older state never replaces a newer one.
  absl::Mutex load_mu_;
  mutable absl::Mutex mu_;
  std::shared_ptr<const Users> users_ ABSL_GUARDED_BY(mu_) = std::make_shared<const Users>();
  absl::flat_hash_map<std::string, Certificate> certificates_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, absl::Time> seen_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_ACCESS_POLICY_H_
