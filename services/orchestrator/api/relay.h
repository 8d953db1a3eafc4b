// Joins a client's two-way stream with one to the provisioner, message by message, in both
// directions, without holding more than a few messages on either side.
#ifndef SERVICES_ORCHESTRATOR_API_RELAY_H_
#define SERVICES_ORCHESTRATOR_API_RELAY_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "services/common/rpc/client_reactors.h"
#include "services/common/rpc/server_reactors.h"

namespace machine::orchestrator {

/// `Request` comes from the client, `Forward` wraps it for the provisioner, `Response` goes back as
/// it is.
template <typename Request, typename Forward, typename Response>
class Relay final : public std::enable_shared_from_this<Relay<Request, Forward, Response>> {
 public:
  using Upstream = common::BidiStream<Request, Response>;
  using Downstream = common::ClientBidi<Forward, Response>;
  /// Gets the first request; must lead to Connect() or Fail(), from any thread.
  using OnStart = absl::AnyInvocable<void(std::shared_ptr<Relay>, Request)>;
  using Wrap = std::function<Forward(Request)>;

  static Upstream* Start(OnStart on_start, Wrap wrap) {
    std::shared_ptr<Relay> relay(new Relay(std::move(on_start), std::move(wrap)));
    relay->upstream_->Begin({
        .on_read = [relay](Request request) { relay->FromClient(std::move(request)); },
        .on_reads_done = [relay] { relay->ClientHasEnded(); },
        .on_drained = [relay] { relay->ResumeDownstream(); },
        .on_done = [relay] { relay->ClientIsGone(); },
    });
    return relay->upstream_.get();
  }

  /// Opens the stream to the provisioner: `begin` makes the call on the stream's context, and
  /// `first` is its first message.
  void Connect(const std::function<void(Downstream&)>& begin, Forward first) {
    auto self = this->shared_from_this();
    auto downstream = Downstream::Create({
        .on_read = [self](Response response) { self->FromHost(std::move(response)); },
        .on_drained = [self] { self->ResumeUpstream(); },
        .on_done =
            [self](absl::Status status) {
              self->upstream_->End(std::move(status));
              absl::MutexLock lock(&self->mu_);
              self->downstream_ = nullptr;
            },
    });
    begin(*downstream);
    downstream->Write(std::move(first));
    bool gone = false;
    {
      absl::MutexLock lock(&mu_);
      downstream_ = downstream;
      gone = gone_;
    }
    downstream->Begin();
    if (gone) return downstream->Cancel();
    upstream_->ReadNext();
  }

  void Fail(absl::Status status) { upstream_->End(std::move(status)); }

 private:
  static constexpr size_t kMaxQueued = 8;

  Relay(OnStart on_start, Wrap wrap)
      : upstream_(Upstream::Create()), on_start_(std::move(on_start)), wrap_(std::move(wrap)) {}

  std::shared_ptr<Downstream> downstream() {
    absl::MutexLock lock(&mu_);
    return downstream_;
  }

  void FromClient(Request request) {
    if (on_start_) {
      return std::exchange(on_start_, nullptr)(this->shared_from_this(), std::move(request));
    }
    const std::shared_ptr<Downstream> to = downstream();
    if (to == nullptr) return;
    to->Write(wrap_(std::move(request)));
    {
      absl::MutexLock lock(&mu_);
      if (to->queued() >= kMaxQueued) {
        upstream_paused_ = true;
        return;
      }
    }
    upstream_->ReadNext();
  }

  void FromHost(Response response) {
    upstream_->Write(std::move(response));
    const std::shared_ptr<Downstream> from = downstream();
    if (from == nullptr) return;
    {
      absl::MutexLock lock(&mu_);
      if (upstream_->queued() >= kMaxQueued && !gone_) {
        downstream_paused_ = true;
        return;
      }
    }
    from->ReadNext();
  }

  void ResumeUpstream() {
    {
      absl::MutexLock lock(&mu_);
      if (!std::exchange(upstream_paused_, false)) return;
    }
    upstream_->ReadNext();
  }

  void ResumeDownstream() {
    std::shared_ptr<Downstream> from;
    {
      absl::MutexLock lock(&mu_);
      if (!std::exchange(downstream_paused_, false)) return;
      from = downstream_;
    }
    if (from != nullptr) from->ReadNext();
  }

  void ClientHasEnded() {
    if (on_start_) return Fail(absl::InvalidArgumentError("the first message must be a start"));
    if (const auto to = downstream()) to->WritesDone();
  }

  void ClientIsGone() {
    std::shared_ptr<Downstream> from;
    bool paused = false;
    {
      absl::MutexLock lock(&mu_);
      gone_ = true;
      from = downstream_;
      paused = std::exchange(downstream_paused_, false);
    }
    if (from == nullptr) return;
    from->Cancel();
    if (paused) from->ReadNext();  // The read that fails ends the call.
  }

  const std::shared_ptr<Upstream> upstream_;
  OnStart on_start_;  // Until the first message, which comes before any other callback.
  const Wrap wrap_;
  absl::Mutex mu_;
  std::shared_ptr<Downstream> downstream_ ABSL_GUARDED_BY(mu_);
  bool upstream_paused_ ABSL_GUARDED_BY(mu_) = false;
  bool downstream_paused_ ABSL_GUARDED_BY(mu_) = false;
  bool gone_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_API_RELAY_H_
