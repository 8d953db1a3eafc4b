#include "services/orchestrator/access/gate.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "google/longrunning/operations.pb.h"
#include "services/common/status/grpc_status.h"
#include "services/common/status/status.h"

namespace machine::orchestrator {
namespace {

using google::protobuf::Message;
using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::InterceptorBatchMethods;
using machine::v1::Role;
using Scope = MethodRule::Scope;
using Who = MethodRule::Who;

// Without a certificate anybody can ask to join: the store must not be flooded with it.
constexpr double kJoinsPerSecond = 5;
constexpr double kMaxJoins = 20;

// "StopMachine" of "/machine.v1.Machines/StopMachine".
absl::string_view ShortName(absl::string_view method) {
  return method.substr(method.rfind('/') + 1);
}

absl::Status RoleRequired(const Caller& caller, Role needed, absl::string_view method,
                          absl::string_view resource) {
  const std::string on = resource.empty() ? "" : absl::StrCat(" on ", resource);
  const std::string word = RoleWord(needed);
  const std::string remedy =
      needed == machine::v1::ROLE_ADMIN
          ? absl::StrCat("docker-machine user role ", caller.user_id, " ", word)
          : absl::StrCat("docker-machine user role ", caller.user_id, " ", word,
                         ", or grant add for some machines");
  return common::Error(
      absl::StatusCode::kPermissionDenied, machine::v1::ERROR_REASON_ROLE_REQUIRED,
      absl::StrCat(caller.Name(), " (", RoleWord(caller.role), ") may not ", ShortName(method), on,
                   ": it needs the role ", word, "; an admin can give it (", remedy, ")"),
      {{"method", std::string(absl::StripPrefix(method, "/"))}, {"role", word}});
}

std::string CodeName(grpc::StatusCode code) {
  return absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
}

}  // namespace

// What the gate knows of one call.
class AccessGate::Follower final : public grpc::experimental::Interceptor {
 public:
  Follower(AccessGate& gate, grpc::experimental::ServerRpcInfo& info)
      : gate_(gate),
        context_(*info.server_context()),
        method_(info.method()),
        bytes_(absl::StartsWith(method_, "/grpc.health.v1.")),
        unary_(info.type() == grpc::experimental::ServerRpcInfo::Type::UNARY),
        rule_(gate.rules_.Of(method_)) {}
  ~Follower() override {
    if (entered_) gate_.Left(this, caller_.user_id);
  }

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_INITIAL_METADATA)) {
      Arrived();
    }
    if (!bytes_ && methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_MESSAGE) &&
        CheckLater(methods)) {
      return;
    }
    if (unary_ && !bytes_ &&
        methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_MESSAGE)) {
      NoteAnswer(static_cast<const Message*>(methods->GetSendMessage()));
    }
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS) &&
        EndLater(methods)) {
      return;
    }
    methods->Proceed();
  }

  // From another thread, while the call is known to the gate.
  void Cancel() { context_.TryCancel(); }

 private:
  void Arrived() {
    absl::StatusOr<Caller> caller = gate_.policy_.Identify(*context_.auth_context());
    const std::string peer = context_.peer();
    absl::MutexLock lock(&mu_);
    peer_ = peer;
    if (caller.ok()) {
      caller_ = *std::move(caller);
    } else if (rule_.who != Who::kAnyone) {
      refused_ = caller.status();
    }
    if (caller_.kind != Caller::Kind::kUser) return;
    entered_ = true;
    gate_.Entered(this, caller_.user_id);
  }

  // True when the decision comes later, and goes on by itself.
  bool CheckLater(InterceptorBatchMethods* methods) {
    auto* const request = static_cast<Message*>(methods->GetRecvMessage());
    absl::MutexLock lock(&mu_);
    if (checked_ || request == nullptr) return false;
    checked_ = true;
    resource_ = ResourceOf(*request);
    if (!refused_.ok()) {
      request->Clear();
      return false;
    }
    if (rule_.who != Who::kRole || caller_.Has(rule_.role) || rule_.scope == Scope::kList) {
      return false;
    }
    if (rule_.scope == Scope::kOperation) {
      gate_.executor_.Run([this, methods, request, operation = resource_] {
        const std::string machine = MachineOfOperation(operation);
        {
          absl::MutexLock lock(&mu_);
          DecideLocked(machine, *request);
        }
        methods->Proceed();
      });
      return true;
    }
    DecideLocked(rule_.scope == Scope::kMachine ? resource_ : "", *request);
    return false;
  }

  void DecideLocked(absl::string_view machine_name, Message& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const MachinePointer machine = gate_.index_.Find(MachineId(machine_name));
    if (machine != nullptr && gate_.policy_.MayOn(caller_, rule_.role, machine->machine)) return;
    // The same for a machine that does not exist: who may not see it does not learn which.
    refused_ = RoleRequired(caller_, rule_.role, method_, resource_);
    request.Clear();
  }

  std::string MachineOfOperation(const std::string& operation) {
    std::string machine;
    gate_.store_
        .Read([&](StoreReader& reader) -> absl::Status {
          DM_ASSIGN_OR_RETURN(const auto record, reader.FindOperation(operation));
          if (record.has_value()) machine = record->machine_name();
          return absl::OkStatus();
        })
        .IgnoreError();  // What cannot be read is refused.
    return machine;
  }

  void NoteAnswer(const Message* answer) {
    if (answer == nullptr || !rule_.audited) return;
    absl::MutexLock lock(&mu_);
    if (answer->GetDescriptor() == google::longrunning::Operation::descriptor()) {
      operation_ = ResourceOf(*answer);
    } else if (resource_.empty()) {
      resource_ = ResourceOf(*answer);
    }
  }

  // True when the answer waits for its entry.
  bool EndLater(InterceptorBatchMethods* methods) {
    machine::v1::AuditEntry entry;
    {
      absl::MutexLock lock(&mu_);
      if (!refused_.ok()) methods->ModifySendStatus(common::ToGrpcStatus(refused_));
      if (!rule_.audited) return false;
      entry.set_user(caller_.Name());
      entry.set_resource(resource_);
      entry.set_peer(peer_);
      entry.set_operation(operation_);
    }
    entry.set_method(std::string(absl::StripPrefix(method_, "/")));
    entry.set_code(CodeName(methods->GetSendStatus().error_code()));
    gate_.Audit(std::move(entry), [methods] { methods->Proceed(); });
    return true;
  }

  AccessGate& gate_;
  grpc::ServerContextBase& context_;
  const std::string method_;
  // gRPC's own health service gives grpc::ByteBuffer where others give messages.
  const bool bytes_;
  const bool unary_;
  const MethodRule& rule_;
  // Reads and writes of a stream are followed on different threads.
  absl::Mutex mu_;
  Caller caller_;  // Not changed after the call has arrived.
  bool entered_ = false;
  std::string peer_ ABSL_GUARDED_BY(mu_);
  std::string resource_ ABSL_GUARDED_BY(mu_);
  std::string operation_ ABSL_GUARDED_BY(mu_);
  absl::Status refused_ ABSL_GUARDED_BY(mu_);
  bool checked_ ABSL_GUARDED_BY(mu_) = false;
};

AccessGate::AccessGate(Store& store, AccessPolicy& policy, const MachineIndex& index,
                       common::Executor& executor, common::Logger log, const common::Clock& clock)
    : store_(store),
      policy_(policy),
      index_(index),
      executor_(executor),
      log_(std::move(log)),
      clock_(clock),
      joins_(kMaxJoins),
      joins_time_(clock.Steady()) {}

absl::Status AccessGate::Admit(absl::string_view method, const grpc::AuthContext& context) {
  const MethodRule& rule = rules_.Of(method);
  if (rule.who == Who::kAnyone) return CheckJoins();
  const absl::StatusOr<Caller> caller = policy_.Identify(context);
  if (!caller.ok()) {
    log_.Debug("call refused", {{"method", std::string(method)},
                                {"reason", std::string(caller.status().message())}});
    return caller.status();
  }
  DM_RETURN_IF_ERROR(CheckFlood(*caller));
  absl::Status status = CheckRole(*caller, rule, method);
  if (!status.ok() && rule.audited) {
    machine::v1::AuditEntry entry;
    entry.set_user(caller->Name());
    entry.set_method(std::string(absl::StripPrefix(method, "/")));
    entry.set_code(absl::StatusCodeToString(status.code()));
    Audit(std::move(entry), [] {});
  }
  return status;
}

absl::Status AccessGate::CheckRole(const Caller& caller, const MethodRule& rule,
                                   absl::string_view method) const {
  switch (rule.who) {
    case Who::kAnyone:
    case Who::kAnyUser:
      return absl::OkStatus();
    case Who::kRole:
      break;
    case Who::kNobody:
      return common::Error(absl::StatusCode::kPermissionDenied,
                           machine::v1::ERROR_REASON_ROLE_REQUIRED,
                           absl::StrCat("no user may call ", method));
  }
  if (caller.Has(rule.role)) return absl::OkStatus();
  // gRPC sends no details of a call that is refused here. What names one machine or operation is
  // refused by the Follower, with details, as it has to be for callers with grants for others.
  if (rule.refused_with_details) return absl::OkStatus();
  if (rule.scope != Scope::kNone && policy_.HasGrant(caller, rule.role)) return absl::OkStatus();
  return RoleRequired(caller, rule.role, method, "");
}

absl::Status AccessGate::CheckFlood(const Caller& caller) {
  absl::MutexLock lock(&mu_);
  const auto it = open_.find(caller.user_id);
  if (it == open_.end() || it->second.size() < static_cast<size_t>(kMaxCallsOfUser)) {
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(absl::StrCat(caller.Name(), " has ", it->second.size(),
                                                   " calls open: wait for some of them to end"));
}

absl::Status AccessGate::CheckJoins() {
  const absl::Duration now = clock_.Steady();
  absl::MutexLock lock(&mu_);
  joins_ = std::min(kMaxJoins, joins_ + absl::ToDoubleSeconds(now - joins_time_) * kJoinsPerSecond);
  joins_time_ = now;
  if (joins_ < 1) {
    return absl::ResourceExhaustedError("too many clients try to join: try again in a moment");
  }
  joins_ -= 1;
  return absl::OkStatus();
}

std::unique_ptr<grpc::experimental::Interceptor> AccessGate::Follow(
    grpc::experimental::ServerRpcInfo& info) {
  return std::make_unique<Follower>(*this, info);
}

void AccessGate::Audit(machine::v1::AuditEntry entry, absl::AnyInvocable<void()> done) {
  store_.Write(
      [entry = std::move(entry)](StoreTransaction& transaction) mutable {
        return transaction.AppendAudit(entry);
      },
      [this, done = std::move(done)](const absl::Status& status) mutable {
        if (!status.ok()) {
          log_.Error("an audit entry was lost", {{"reason", std::string(status.message())}});
        }
        done();
      });
}

void AccessGate::Entered(Follower* follower, const std::string& user_id) {
  absl::MutexLock lock(&mu_);
  open_[user_id].insert(follower);
}

void AccessGate::Left(Follower* follower, const std::string& user_id) {
  absl::MutexLock lock(&mu_);
  const auto it = open_.find(user_id);
  if (it == open_.end()) return;
  it->second.erase(follower);
  if (it->second.empty()) open_.erase(it);
}

void AccessGate::Changed() {
  executor_.Run([this] { Reload(); });
}

void AccessGate::Reload() {
  const absl::StatusOr<std::vector<std::string>> lessened = policy_.Load();
  if (!lessened.ok()) {
    log_.Error("users and grants cannot be read",
               {{"reason", std::string(lessened.status().message())}});
    return;
  }
  // Under the lock a call cannot go; what its end runs is on other threads.
  absl::MutexLock lock(&mu_);
  for (const std::string& user : *lessened) {
    const auto it = open_.find(user);
    if (it == open_.end()) continue;
    for (Follower* const follower : it->second) follower->Cancel();
  }
}

void AccessGate::NoteSeen() {
  const std::map<std::string, absl::Time> seen = policy_.TakeSeen();
  if (seen.empty()) return;
  const absl::Status status = store_.WriteAndWait([&](StoreTransaction& transaction) {
    for (const auto& [id, time] : seen) {
      DM_ASSIGN_OR_RETURN(std::optional<UserRecord> record, transaction.FindUser(id));
      const int64_t minute = absl::ToUnixSeconds(time) / 60 * 60;
      if (!record.has_value() || record->user().last_seen_time().seconds() >= minute) continue;
      record->mutable_user()->mutable_last_seen_time()->set_seconds(minute);
      DM_RETURN_IF_ERROR(transaction.PutUser(*record));
    }
    return absl::OkStatus();
  });
  if (!status.ok()) {
    log_.Warning("when users were seen is not stored", {{"reason", std::string(status.message())}});
  }
}

Caller CallerOf(AccessPolicy* policy, const grpc::ServerContextBase& context) {
  if (policy == nullptr) return Caller{.kind = Caller::Kind::kLocal};
  return policy->Identify(*context.auth_context()).value_or(Caller());
}

}  // namespace machine::orchestrator
