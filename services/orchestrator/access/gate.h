// The one place where calls are allowed or refused, and where the audit log is written.
#ifndef SERVICES_ORCHESTRATOR_ACCESS_GATE_H_
#define SERVICES_ORCHESTRATOR_ACCESS_GATE_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "machine/v1/access.pb.h"
#include "services/common/clock/clock.h"
#include "services/common/log/log.h"
#include "services/common/rpc/executor.h"
#include "services/common/rpc/server.h"
#include "services/orchestrator/access/method_rules.h"
#include "services/orchestrator/access/policy.h"
#include "services/orchestrator/events/machine_index.h"
#include "services/orchestrator/store/store.h"

namespace machine::orchestrator {

/// Calls that one user may have open at once.
inline constexpr int64_t kMaxCallsOfUser = 20'000;

/// What a call asks for is known in two steps. Before any handler: who calls, and which method; a
/// caller whose role does not do goes no further, unless a grant could. With the request: for which
/// machine; a request that no grant allows is emptied before its handler sees it, and whatever the
/// handler makes of it is answered with PERMISSION_DENIED.
///
/// A call that is audited is answered after its entry was committed. Thread-safe.
class AccessGate final : public common::CallGuard {
 public:
  /// All outlive it. `policy` was loaded.
  AccessGate(Store& store, AccessPolicy& policy, const MachineIndex& index,
             common::Executor& executor, common::Logger log,
             const common::Clock& clock = common::Clock::Real());

  absl::Status Admit(absl::string_view method, const grpc::AuthContext& context) override;
  std::unique_ptr<grpc::experimental::Interceptor> Follow(
      grpc::experimental::ServerRpcInfo& info) override;

  /// From the store's listener: users or grants were changed, here or elsewhere.
  void Changed();
  /// Reads the policy anew and ends open calls of users who may do less. Blocks.
  void Reload();
  /// Writes when users were last seen. Blocks.
  void NoteSeen();

 private:
  class Follower;

  absl::Status CheckRole(const Caller& caller, const MethodRule& rule,
                         absl::string_view method) const;
  absl::Status CheckFlood(const Caller& caller);
  absl::Status CheckJoins();
  /// `done` runs once it is committed, or could not be.
  void Audit(machine::v1::AuditEntry entry, absl::AnyInvocable<void()> done);
  void Entered(Follower* follower, const std::string& user_id);
  void Left(Follower* follower, const std::string& user_id);

  Store& store_;
  AccessPolicy& policy_;
  const MachineIndex& index_;
  common::Executor& executor_;
  const common::Logger log_;
  const common::Clock& clock_;
  const MethodRules rules_;

  absl::Mutex mu_;
  absl::flat_hash_map<std::string, absl::flat_hash_set<Follower*>> open_ ABSL_GUARDED_BY(mu_);
  // Attempts to join that may still be made now.
  double joins_ ABSL_GUARDED_BY(mu_);
  absl::Duration joins_time_ ABSL_GUARDED_BY(mu_);
};

/// Who makes the call that a handler runs for. Without a policy: everybody is local.
Caller CallerOf(AccessPolicy* policy, const grpc::ServerContextBase& context);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_ACCESS_GATE_H_
