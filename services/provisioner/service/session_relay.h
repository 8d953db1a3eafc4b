// Bytes between a gRPC stream and an ssh session, with flow control both ways.
#ifndef SERVICES_PROVISIONER_SERVICE_SESSION_RELAY_H_
#define SERVICES_PROVISIONER_SERVICE_SESSION_RELAY_H_

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "services/common/rpc/call_scope.h"
#include "services/common/rpc/executor.h"
#include "services/common/rpc/server_reactors.h"
#include "services/common/ssh/ssh.h"
#include "services/common/status/status.h"
#include "services/provisioner/service/host_access.h"
#include "services/provisioner/service/running_calls.h"

namespace machine::provisioner {

/// Largest piece of output in one message.
inline constexpr size_t kMaxChunkBytes = 32 << 10;
/// Messages to the client that may wait before the host is held back.
inline constexpr size_t kMaxQueuedChunks = 8;
/// Input that may wait for the host before the client is held back.
inline constexpr size_t kMaxPendingInputBytes = 256 << 10;

/// One call of Exec or Tunnel. `Protocol` is what differs between the two; see session_protocols.h.
///
/// Holds a thread only while it connects. The next message of the client is read when the input of
/// those before it fits into kMaxPendingInputBytes; the host is read while the client keeps up.
template <typename Protocol>
class SessionRelay final : public std::enable_shared_from_this<SessionRelay<Protocol>> {
 public:
  using Request = typename Protocol::Request;
  using Response = typename Protocol::Response;
  using Stream = common::BidiStream<Request, Response>;

  /// The reactor of a new call. All arguments must outlive it.
  static grpc::ServerBidiReactor<Request, Response>* Start(common::Executor& executor,
                                                           HostAccess& access, RunningCalls& calls,
                                                           absl::Time deadline) {
    auto stream = Stream::Create();
    std::shared_ptr<SessionRelay> relay(new SessionRelay(executor, access, deadline));
    relay->stream_ = stream;
    absl::StatusOr<std::shared_ptr<void>> entered = calls.Enter([relay] {
      relay->End(common::Error(absl::StatusCode::kUnavailable,
                               machine::v1::ERROR_REASON_SHUTTING_DOWN,
                               "the provisioner is shutting down"));
    });
    if (entered.ok()) relay->entered_ = *entered;
    typename Stream::Callbacks callbacks;
    callbacks.on_read = [relay](Request request) { relay->OnRead(std::move(request)); };
    callbacks.on_reads_done = [relay] { relay->OnReadsDone(); };
    callbacks.on_drained = [relay] { relay->OnDrained(); };
    callbacks.on_done = [relay] { relay->OnDone(); };
    stream->Begin(std::move(callbacks));
    if (!entered.ok()) stream->End(entered.status());
    return stream.get();
  }

 private:
  SessionRelay(common::Executor& executor, HostAccess& access, absl::Time deadline)
      : executor_(executor), access_(access), deadline_(deadline) {}

  void OnRead(Request request) {
    bool first = false;
    {
      absl::MutexLock lock(&mu_);
      first = !began_;
      began_ = true;
    }
    if (first) {
      absl::Status valid = Protocol::CheckStart(request);
      if (!valid.ok()) return End(std::move(valid));
      start_ = std::move(request);
      executor_.Run([self = this->shared_from_this()] { self->Open(); });
      return;
    }
    Deliver(request);
  }

  // On a thread of its own.
  void Open() {
    int attempt = 0;
    {
      absl::MutexLock lock(&mu_);
      attempt = attempt_;
    }
    common::CallScope call(deadline_, cancellation_, {});
    absl::StatusOr<PooledConnection> connection = access_.Connect(call, Protocol::Target(start_));
    if (!connection.ok()) return End(connection.status());
    const bool kept = !connection->opened();
    absl::StatusOr<std::shared_ptr<common::SshSession>> session =
        Protocol::Open(*connection->get(), start_, Callbacks(*connection));
    if (!session.ok()) {
      access_.Discard(Protocol::Target(start_), *connection);
      if (kept) return Open();
      return End(session.status());
    }
    std::shared_ptr<common::SshSession> unwanted;
    {
      absl::MutexLock lock(&mu_);
      if (done_ || attempt != attempt_) {
        unwanted = *std::move(session);
      } else {
        session_ = *std::move(session);
        // Its callbacks may have run before it was known here.
        if (paused_) session_->PauseReading();
        if (started_) ReadNextLocked();
      }
    }
    if (unwanted != nullptr) unwanted->Close();
  }

  common::SessionCallbacks Callbacks(const PooledConnection& connection) {
    auto self = this->shared_from_this();
    common::SessionCallbacks callbacks;
    callbacks.on_started = [self] {
      absl::MutexLock lock(&self->mu_);
      self->started_ = true;
      // Before Open() has the session there is nobody to deliver to.
      if (self->session_ != nullptr) self->ReadNextLocked();
    };
    callbacks.on_stdout = [self](absl::string_view bytes) { self->Send(bytes, Protocol::Stdout); };
    callbacks.on_stderr = [self](absl::string_view bytes) { self->Send(bytes, Protocol::Stderr); };
    callbacks.on_written = [self](size_t bytes) { self->OnWritten(bytes); };
    callbacks.on_eof = [self] { self->Tell(Protocol::Eof()); };
    callbacks.on_exit = [self](int code, absl::string_view signal) {
      self->Tell(Protocol::Exit(code, signal));
      self->End(absl::OkStatus());
    };
    callbacks.on_error = [self, connection](const absl::Status& status) {
      self->OnSessionError(connection, status);
    };
    return callbacks;
  }

  // A kept connection may be found lost only now; until the command has started, another will do.
  void OnSessionError(const PooledConnection& connection, const absl::Status& status) {
    const bool lost = absl::IsUnavailable(status);
    if (lost) access_.Discard(Protocol::Target(start_), connection);
    bool again = false;
    std::shared_ptr<common::SshSession> old;
    {
      absl::MutexLock lock(&mu_);
      again = lost && !started_ && !connection.opened() && !done_;
      if (again) {
        ++attempt_;
        old = std::move(session_);
      }
    }
    if (again) {
      executor_.Run([self = this->shared_from_this()] { self->Open(); });
    } else {
      End(status);
    }
  }

  void Tell(std::optional<Response> response) {
    const std::shared_ptr<Stream> stream = this->stream();
    if (stream != nullptr && response.has_value()) stream->Write(*std::move(response));
  }

  template <typename MakeResponse>
  void Send(absl::string_view bytes, MakeResponse make_response) {
    const std::shared_ptr<Stream> stream = this->stream();
    if (stream == nullptr) return;
    while (!bytes.empty()) {
      const size_t length = std::min(bytes.size(), kMaxChunkBytes);
      stream->Write(make_response(bytes.substr(0, length)));
      bytes.remove_prefix(length);
    }
    absl::MutexLock lock(&mu_);
    if (paused_ || stream->queued() < kMaxQueuedChunks) return;
    // on_drained comes when the queue becomes empty, and waits for the lock to see `paused_`.
    paused_ = true;
    if (session_ != nullptr) session_->PauseReading();
  }

  void OnDrained() {
    absl::MutexLock lock(&mu_);
    if (!paused_) return;
    paused_ = false;
    if (session_ != nullptr) session_->ResumeReading();
  }

  void Deliver(const Request& request) {
    std::shared_ptr<common::SshSession> session;
    {
      absl::MutexLock lock(&mu_);
      session = session_;
      if (session == nullptr) return;
      pending_input_ += Protocol::InputBytes(request);
    }
    Protocol::Deliver(request, *session);
    absl::MutexLock lock(&mu_);
    if (pending_input_ < kMaxPendingInputBytes) {
      ReadNextLocked();
    } else {
      read_held_back_ = true;
    }
  }

  void OnWritten(size_t bytes) {
    absl::MutexLock lock(&mu_);
    pending_input_ -= std::min(bytes, pending_input_);
    if (!read_held_back_ || pending_input_ >= kMaxPendingInputBytes) return;
    read_held_back_ = false;
    ReadNextLocked();
  }

  void OnReadsDone() {
    std::shared_ptr<common::SshSession> session;
    bool began = false;
    {
      absl::MutexLock lock(&mu_);
      began = began_;
      session = session_;
    }
    if (!began) return End(absl::InvalidArgumentError("the first message must be start"));
    if (session != nullptr) session->SendEof();
  }

  void OnDone() {
    std::shared_ptr<common::SshSession> session;
    std::shared_ptr<Stream> stream;
    std::shared_ptr<void> entered;
    {
      absl::MutexLock lock(&mu_);
      done_ = true;
      session = std::move(session_);
      stream = std::move(stream_);
      entered = std::move(entered_);
    }
    cancellation_->Cancel();
    if (session != nullptr) session->Close();
  }

  void End(absl::Status status) {
    if (const std::shared_ptr<Stream> stream = this->stream()) stream->End(std::move(status));
  }

  void ReadNextLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (stream_ != nullptr) stream_->ReadNext();
  }

  std::shared_ptr<Stream> stream() const {
    absl::MutexLock lock(&mu_);
    return stream_;
  }

  common::Executor& executor_;
  HostAccess& access_;
  const absl::Time deadline_;
  const std::shared_ptr<common::Cancellation> cancellation_ =
      std::make_shared<common::Cancellation>();
  Request start_;  // Written once, before anything that reads it begins.

  mutable absl::Mutex mu_;
  std::shared_ptr<Stream> stream_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<common::SshSession> session_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<void> entered_ ABSL_GUARDED_BY(mu_);
  int attempt_ ABSL_GUARDED_BY(mu_) = 0;  // Which Open() counts.
  bool began_ ABSL_GUARDED_BY(mu_) = false;
  bool started_ ABSL_GUARDED_BY(mu_) = false;
  bool done_ ABSL_GUARDED_BY(mu_) = false;
  bool paused_ ABSL_GUARDED_BY(mu_) = false;
  bool read_held_back_ ABSL_GUARDED_BY(mu_) = false;
  size_t pending_input_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_SERVICE_SESSION_RELAY_H_
