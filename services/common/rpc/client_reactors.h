// The client's side of streams, for servers that call other servers without holding a thread.
#ifndef SERVICES_COMMON_RPC_CLIENT_REACTORS_H_
#define SERVICES_COMMON_RPC_CLIENT_REACTORS_H_

#include <grpcpp/grpcpp.h>

#include <deque>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "services/common/status/grpc_status.h"

namespace machine::common {

/// Reads a server-to-client stream to its end.
///
///   auto stream = ReadStream<ActionEvent>::Create(on_message, on_done);
///   channel.Prepare(stream->context(), deadline);
///   stub->async()->Create(&stream->context(), &request, stream.get());   // `request` must live on
///   stream->Begin();
///
/// The callbacks run in reactions, so they must not block; on_done is the last, exactly once.
template <typename Response>
class ReadStream final : public grpc::ClientReadReactor<Response> {
 public:
  static std::shared_ptr<ReadStream> Create(absl::AnyInvocable<void(Response)> on_message,
                                            absl::AnyInvocable<void(absl::Status)> on_done) {
    std::shared_ptr<ReadStream> stream(new ReadStream);
    stream->self_ = stream;
    stream->on_message_ = std::move(on_message);
    stream->on_done_ = std::move(on_done);
    return stream;
  }

  grpc::ClientContext& context() { return context_; }

  void Begin() {
    this->StartRead(&response_);
    this->StartCall();
  }

  /// Ends the call with CANCELLED. Thread-safe.
  void Cancel() { context_.TryCancel(); }

 private:
  ReadStream() = default;

  void OnReadDone(bool ok) override {
    if (!ok) return;
    on_message_(std::move(response_));
    response_.Clear();
    this->StartRead(&response_);
  }

  void OnDone(const grpc::Status& status) override {
    const auto last = std::move(self_);
    on_done_(FromGrpcStatus(status));
  }

  grpc::ClientContext context_;
  Response response_;
  absl::AnyInvocable<void(Response)> on_message_;
  absl::AnyInvocable<void(absl::Status)> on_done_;
  std::shared_ptr<ReadStream> self_;
};

/// A two-way stream to another server. Reads come one at a time, the next after ReadNext(). Writes
/// are queued. All methods are thread-safe and none blocks.
template <typename Request, typename Response>
class ClientBidi final : public grpc::ClientBidiReactor<Request, Response> {
 public:
  struct Callbacks {
    absl::AnyInvocable<void(Response)> on_read;
    /// The write queue is empty.
    absl::AnyInvocable<void()> on_drained;
    /// The last callback, exactly once.
    absl::AnyInvocable<void(absl::Status)> on_done;
  };

  static std::shared_ptr<ClientBidi> Create(Callbacks callbacks) {
    std::shared_ptr<ClientBidi> stream(new ClientBidi);
    stream->self_ = stream;
    stream->callbacks_ = std::move(callbacks);
    return stream;
  }

  grpc::ClientContext& context() { return context_; }

  /// After the stub's call: starts it and reads the first message.
  void Begin() {
    // The hold keeps OnDone away while writes may still come from outside reactions.
    this->AddHold();
    this->StartRead(&response_);
    this->StartCall();
  }

  /// Must follow each on_read, also after Cancel(): the stream ends by a read that fails.
  void ReadNext() { this->StartRead(&response_); }

  void Write(Request request) {
    absl::MutexLock lock(&mu_);
    if (broken_ || writes_done_) return;
    queue_.push_back(std::move(request));
    PumpLocked();
  }

  /// No more writes follow.
  void WritesDone() {
    absl::MutexLock lock(&mu_);
    if (broken_ || writes_done_) return;
    writes_done_ = true;
    PumpLocked();
  }

  size_t queued() const {
    absl::MutexLock lock(&mu_);
    return queue_.size();
  }

  void Cancel() { context_.TryCancel(); }

 private:
  ClientBidi() = default;

  void OnReadDone(bool ok) override {
    if (ok) {
      callbacks_.on_read(std::move(response_));
      return;
    }
    ReleaseHold();  // The server has ended the call.
  }

  void OnWriteDone(bool ok) override {
    bool drained = false;
    {
      absl::MutexLock lock(&mu_);
      writing_ = false;
      queue_.pop_front();
      if (!ok) {
        broken_ = true;
        queue_.clear();
      }
      drained = ok && queue_.empty() && !writes_done_;
      PumpLocked();
    }
    if (drained && callbacks_.on_drained) callbacks_.on_drained();
  }

  void OnDone(const grpc::Status& status) override {
    const auto last = std::move(self_);
    callbacks_.on_done(FromGrpcStatus(status));
  }

  void PumpLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (writing_ || broken_) return;
    if (!queue_.empty()) {
      writing_ = true;
      this->StartWrite(&queue_.front());
    } else if (writes_done_ && !half_closed_) {
      half_closed_ = true;
      this->StartWritesDone();
    }
  }

  void ReleaseHold() {
    {
      absl::MutexLock lock(&mu_);
      broken_ = true;
      if (hold_released_) return;
      hold_released_ = true;
    }
    this->RemoveHold();
  }

  grpc::ClientContext context_;
  Response response_;
  Callbacks callbacks_;
  std::shared_ptr<ClientBidi> self_;
  mutable absl::Mutex mu_;
  std::deque<Request> queue_ ABSL_GUARDED_BY(mu_);
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool broken_ ABSL_GUARDED_BY(mu_) = false;
  bool writes_done_ ABSL_GUARDED_BY(mu_) = false;
  bool half_closed_ ABSL_GUARDED_BY(mu_) = false;
  bool hold_released_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace machine::common

#endif  // SERVICES_COMMON_RPC_CLIENT_REACTORS_H_
