#include "services/common/rpc/call_scope.h"

#include <algorithm>
#include <utility>

#include "services/common/status/status.h"

namespace machine::common {

void Cancellation::Cancel() {
  absl::MutexLock lock(&mu_);
  cancelled_ = true;
}

bool Cancellation::cancelled() const {
  absl::MutexLock lock(&mu_);
  return cancelled_;
}

bool Cancellation::WaitFor(absl::Duration timeout) const {
  absl::MutexLock lock(&mu_);
  return mu_.AwaitWithTimeout(absl::Condition(&cancelled_), timeout);
}

CallScope::CallScope(absl::Time deadline, std::shared_ptr<Cancellation> cancellation, Sink sink,
                     const Clock& clock)
    : deadline_(deadline),
      cancellation_(std::move(cancellation)),
      clock_(clock),
      sink_(std::move(sink)) {}

absl::Status CallScope::Check() const {
  if (cancellation_->cancelled()) {
    return Error(absl::StatusCode::kCancelled, machine::v1::ERROR_REASON_BY_USER, "cancelled");
  }
  if (clock_.Now() >= deadline_) {
    return Error(absl::StatusCode::kDeadlineExceeded, machine::v1::ERROR_REASON_STEP_TIMEOUT,
                 "the call's time is up");
  }
  return absl::OkStatus();
}

absl::Duration CallScope::Remaining() const {
  return std::max(deadline_ - clock_.Now(), absl::ZeroDuration());
}

absl::Status CallScope::Sleep(absl::Duration duration) const {
  cancellation_->WaitFor(std::min(duration, Remaining()));
  return Check();
}

void CallScope::Progress(absl::string_view message, int percent) {
  machine::v1::Progress progress;
  progress.set_message(std::string(message));
  progress.set_percent(percent);
  absl::MutexLock lock(&mu_);
  if (sink_.progress) sink_.progress(std::move(progress));
}

void CallScope::Log(machine::v1::LogLine::Severity severity, absl::string_view text) {
  machine::v1::LogLine line;
  line.set_severity(severity);
  line.set_text(std::string(text));
  absl::MutexLock lock(&mu_);
  if (sink_.log) sink_.log(std::move(line));
}

}  // namespace machine::common
