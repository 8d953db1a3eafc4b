// The server's side of streams and of calls that block.
//
// A reactor belongs to gRPC until OnDone, and to whoever still pushes into it: both hold it by
// shared_ptr, because `delete this` in OnDone would pull it from under a producer's feet.
#ifndef SERVICES_COMMON_RPC_SERVER_REACTORS_H_
#define SERVICES_COMMON_RPC_SERVER_REACTORS_H_

#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "services/common/rpc/call_scope.h"
#include "services/common/rpc/executor.h"
#include "services/common/status/grpc_status.h"
#include "services/common/status/status.h"

namespace machine::common {

/// Events a stream holds for its reader before it ends with WATCH_LAGGED.
inline constexpr size_t kMaxQueuedEvents = 1024;

/// A server-to-client stream. Bounded queue, one write in flight, Finish once and never beside a
/// write. All methods are thread-safe and none blocks, but for PushWhenRoom.
template <typename Event>
class EventStream final : public grpc::ServerWriteReactor<Event> {
 public:
  /// A stream that gRPC may be given at once: `return stream.get();`.
  static std::shared_ptr<EventStream> Create() {
    std::shared_ptr<EventStream> stream(new EventStream);
    stream->self_ = stream;
    return stream;
  }

  /// Runs `callback` once when the client goes away or cancels; at once if it already has.
  void OnEnded(absl::AnyInvocable<void()> callback) {
    {
      absl::MutexLock lock(&mu_);
      if (!cancelled_) {
        on_cancel_ = std::move(callback);
        return;
      }
    }
    callback();
  }

  /// Queues an event. False when the stream has ended; a reader with kMaxQueuedEvents waiting is
  /// ended with RESOURCE_EXHAUSTED WATCH_LAGGED.
  bool Push(std::shared_ptr<const Event> event) {
    absl::MutexLock lock(&mu_);
    if (end_.has_value()) return false;
    if (queue_.size() >= kMaxQueuedEvents) {
      queue_.resize(1);  // Only the message being written stays.
      EndLocked(Error(absl::StatusCode::kResourceExhausted, machine::v1::ERROR_REASON_WATCH_LAGGED,
                      "the reader fell behind; resume after the last event it got"));
      return false;
    }
    queue_.push_back(std::move(event));
    PumpLocked();
    return true;
  }

  /// Queues an event, waiting while the queue is full. For producers on threads of their own.
  /// False when the stream has ended.
  bool PushWhenRoom(Event event) {
    return PushWhenRoom(std::make_shared<const Event>(std::move(event)));
  }
  bool PushWhenRoom(std::shared_ptr<const Event> event) {
    absl::MutexLock lock(&mu_);
    const auto room = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) {
      return end_.has_value() || queue_.size() < kMaxQueuedEvents;
    };
    mu_.Await(absl::Condition(&room));
    if (end_.has_value()) return false;
    queue_.push_back(std::move(event));
    PumpLocked();
    return true;
  }

  /// Ends the stream after what is queued. Only the first call counts.
  void End(absl::Status status) {
    absl::MutexLock lock(&mu_);
    EndLocked(std::move(status));
  }

  bool ended() const {
    absl::MutexLock lock(&mu_);
    return end_.has_value();
  }

 private:
  EventStream() = default;

  void OnWriteDone(bool ok) override {
    std::shared_ptr<const Event> written;  // Freed outside the lock.
    absl::MutexLock lock(&mu_);
    writing_ = false;
    written = std::move(queue_.front());
    queue_.pop_front();
    if (!ok) {
      queue_.clear();
      if (!end_.has_value()) end_ = absl::CancelledError("the client is gone");
    }
    PumpLocked();
  }

  void OnCancel() override {
    absl::AnyInvocable<void()> callback;
    {
      absl::MutexLock lock(&mu_);
      cancelled_ = true;
      callback = std::move(on_cancel_);
      if (queue_.size() > 1) queue_.resize(1);
      if (!writing_) queue_.clear();
      EndLocked(absl::CancelledError("cancelled by the client"));
    }
    if (callback) callback();
  }

  void OnDone() override {
    absl::AnyInvocable<void()> callback;
    std::shared_ptr<EventStream> last;
    {
      absl::MutexLock lock(&mu_);
      callback = std::move(on_cancel_);
      last = std::move(self_);
    }
    if (callback) callback();
  }

  void EndLocked(absl::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (!end_.has_value()) end_ = std::move(status);
    PumpLocked();
  }

  void PumpLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (writing_ || finished_) return;
    if (!queue_.empty()) {
      writing_ = true;
      this->StartWrite(queue_.front().get());  // Borrowed until OnWriteDone pops it.
      return;
    }
    if (end_.has_value()) {
      finished_ = true;
      this->Finish(ToGrpcStatus(*end_));
    }
  }

  mutable absl::Mutex mu_;
  std::deque<std::shared_ptr<const Event>> queue_ ABSL_GUARDED_BY(mu_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mu_);
  absl::AnyInvocable<void()> on_cancel_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<EventStream> self_ ABSL_GUARDED_BY(mu_);
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
};

/// A two-way stream. Reads come one at a time: the next message is read only after ReadNext(),
/// which is the flow control. Writes are queued; `OnDrained` tells when the queue is empty again.
/// All methods are thread-safe and none blocks.
template <typename Request, typename Response>
class BidiStream final : public grpc::ServerBidiReactor<Request, Response> {
 public:
  struct Callbacks {
    /// A message came. Call ReadNext() when the next one may come.
    absl::AnyInvocable<void(Request)> on_read;
    /// The client sends no more.
    absl::AnyInvocable<void()> on_reads_done;
    /// The write queue is empty.
    absl::AnyInvocable<void()> on_drained;
    /// The stream is over, for whatever reason; the last callback.
    absl::AnyInvocable<void()> on_done;
  };

  static std::shared_ptr<BidiStream> Create() {
    std::shared_ptr<BidiStream> stream(new BidiStream);
    stream->self_ = stream;
    return stream;
  }

  /// Sets the callbacks and begins to read. They run in reactions, so they must not block.
  void Begin(Callbacks callbacks) {
    callbacks_ = std::move(callbacks);
    ReadNext();
  }

  void ReadNext() {
    absl::MutexLock lock(&mu_);
    if (!finished_) this->StartRead(&request_);
  }

  /// Queues a message; dropped when the stream has ended.
  void Write(Response response) {
    absl::MutexLock lock(&mu_);
    if (end_.has_value()) return;
    queue_.push_back(std::move(response));
    PumpLocked();
  }

  /// Messages not yet written.
  size_t queued() const {
    absl::MutexLock lock(&mu_);
    return queue_.size();
  }

  /// Ends the stream after what is queued. Only the first call counts.
  void End(absl::Status status) {
    absl::MutexLock lock(&mu_);
    if (!end_.has_value()) end_ = std::move(status);
    PumpLocked();
  }

 private:
  BidiStream() = default;

  void OnReadDone(bool ok) override {
    if (ok) {
      if (callbacks_.on_read) callbacks_.on_read(std::move(request_));
    } else if (callbacks_.on_reads_done) {
      callbacks_.on_reads_done();
    }
  }

  void OnWriteDone(bool ok) override {
    bool drained = false;
    {
      absl::MutexLock lock(&mu_);
      writing_ = false;
      queue_.pop_front();
      if (!ok) {
        queue_.clear();
        if (!end_.has_value()) end_ = absl::CancelledError("the client is gone");
      }
      drained = queue_.empty() && !end_.has_value();
      PumpLocked();
    }
    if (drained && callbacks_.on_drained) callbacks_.on_drained();
  }

  void OnCancel() override {
    absl::MutexLock lock(&mu_);
    if (queue_.size() > 1) queue_.resize(1);
    if (!writing_) queue_.clear();
    if (!end_.has_value()) end_ = absl::CancelledError("cancelled by the client");
    PumpLocked();
  }

  void OnDone() override {
    if (callbacks_.on_done) callbacks_.on_done();
    const auto last = std::move(self_);
  }

  void PumpLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (writing_ || finished_) return;
    if (!queue_.empty()) {
      writing_ = true;
      this->StartWrite(&queue_.front());
      return;
    }
    if (end_.has_value()) {
      finished_ = true;
      this->Finish(ToGrpcStatus(*end_));
    }
  }

  Callbacks callbacks_;
  Request request_;
  std::shared_ptr<BidiStream> self_;
  mutable absl::Mutex mu_;
  std::deque<Response> queue_ ABSL_GUARDED_BY(mu_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mu_);
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

/// A unary call that is answered later, from any thread, exactly once.
class UnaryCall final : public grpc::ServerUnaryReactor {
 public:
  static std::shared_ptr<UnaryCall> Create() {
    std::shared_ptr<UnaryCall> call(new UnaryCall);
    call->self_ = call;
    return call;
  }

  /// Set before the work starts; shows when the client has gone away.
  const std::shared_ptr<Cancellation>& cancellation() const { return cancellation_; }

  /// The response must be complete; it is not touched after this.
  void Reply(const absl::Status& status) { Finish(ToGrpcStatus(status)); }

 private:
  UnaryCall() = default;

  void OnCancel() override { cancellation_->Cancel(); }
  void OnDone() override { const auto last = std::move(self_); }

  const std::shared_ptr<Cancellation> cancellation_ = std::make_shared<Cancellation>();
  std::shared_ptr<UnaryCall> self_;
};

/// The deadline of a server call as absl::Time; InfiniteFuture when the client set none.
inline absl::Time DeadlineOf(const grpc::ServerContextBase& context) {
  const auto deadline = context.deadline();
  if (deadline == std::chrono::system_clock::time_point::max()) return absl::InfiniteFuture();
  return absl::FromChrono(deadline);
}

/// Answers a unary call with what `work` returns, run on `executor`. `work` gets a CallScope and
/// fills the response it captured.
inline grpc::ServerUnaryReactor* RunUnary(Executor& executor,
                                          const grpc::CallbackServerContext& context,
                                          absl::AnyInvocable<absl::Status(CallScope&)> work) {
  auto call = UnaryCall::Create();
  executor.Run([call, deadline = DeadlineOf(context), work = std::move(work)]() mutable {
    CallScope scope(deadline, call->cancellation(), {});
    call->Reply(work(scope));
  });
  return call.get();
}

}  // namespace machine::common

#endif  // SERVICES_COMMON_RPC_SERVER_REACTORS_H_
