// What a blocking piece of work knows about the call it runs for.
#ifndef SERVICES_COMMON_RPC_CALL_SCOPE_H_
#define SERVICES_COMMON_RPC_CALL_SCOPE_H_

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "machine/v1/operations.pb.h"
#include "services/common/clock/clock.h"

namespace machine::common {

/// Set once, from any thread; waited on by the work. Shared between a call and its scope.
class Cancellation {
 public:
  /// Marks the call as cancelled and runs the callbacks.
  void Cancel();
  bool cancelled() const;

  /// Waits until cancelled or `timeout` has passed; true when cancelled.
  bool WaitFor(absl::Duration timeout) const;

 private:
  mutable absl::Mutex mu_;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
};

/// Deadline, cancellation, progress and log of one call, for straight blocking code on a pool.
/// Thread-safe.
class CallScope {
 public:
  /// Where progress and log lines go: a response stream, or nothing.
  struct Sink {
    absl::AnyInvocable<void(machine::v1::Progress)> progress;
    absl::AnyInvocable<void(machine::v1::LogLine)> log;
  };

  /// `deadline` by the wall clock; absl::InfiniteFuture() for none.
  CallScope(absl::Time deadline, std::shared_ptr<Cancellation> cancellation, Sink sink,
            const Clock& clock = Clock::Real());
  virtual ~CallScope() = default;

  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

  /// OK while the call may go on; CANCELLED or DEADLINE_EXCEEDED STEP_TIMEOUT after. Call it
  /// before each outside effect: a cancelled call stops at the next such point.
  virtual absl::Status Check() const;

  bool cancelled() const { return cancellation_->cancelled(); }
  const std::shared_ptr<Cancellation>& cancellation() const { return cancellation_; }
  absl::Time deadline() const { return deadline_; }
  /// Time left, never negative.
  absl::Duration Remaining() const;

  /// Waits `duration` unless the call is cancelled or its deadline passes first; returns Check().
  absl::Status Sleep(absl::Duration duration) const;

  /// Tells the user what is being done. `percent` is 0 to 100, or -1 where not known.
  void Progress(absl::string_view message, int percent = -1);
  /// A line for the user. Never put a secret in it.
  void Log(machine::v1::LogLine::Severity severity, absl::string_view text);
  void Info(absl::string_view text) { Log(machine::v1::LogLine::INFO, text); }
  void Debug(absl::string_view text) { Log(machine::v1::LogLine::DEBUG, text); }
  void Warning(absl::string_view text) { Log(machine::v1::LogLine::WARNING, text); }

 private:
  const absl::Time deadline_;
  const std::shared_ptr<Cancellation> cancellation_;
  const Clock& clock_;
  absl::Mutex mu_;
  Sink sink_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::common

#endif  // SERVICES_COMMON_RPC_CALL_SCOPE_H_
