#include "services/common/http/http_client.h"

#include <utility>

#include "absl/synchronization/notification.h"
#include "services/common/http/http_engine.h"
#include "services/common/http/http_transfer.h"

namespace machine::common {
namespace {

constexpr absl::Duration kCancelPoll = absl::Milliseconds(20);

}  // namespace

void HttpCall::Cancel() const {
  const std::shared_ptr<HttpEngine> engine = engine_.lock();
  const std::shared_ptr<HttpTransfer> transfer = transfer_.lock();
  if (engine != nullptr && transfer != nullptr) engine->Cancel(transfer);
}

HttpClient::HttpClient(Options options)
    : engine_(std::make_shared<HttpEngine>(std::move(options))) {}

HttpClient::~HttpClient() { engine_->Stop(); }

absl::StatusOr<HttpResponse> HttpClient::Send(HttpRequest request) {
  const std::function<bool()> cancelled = std::exchange(request.cancelled, nullptr);
  absl::StatusOr<HttpResponse> outcome;
  absl::Notification done;
  const HttpCall call =
      SendAsync(std::move(request), [&outcome, &done](absl::StatusOr<HttpResponse> result) {
        outcome = std::move(result);
        done.Notify();
      });
  if (cancelled) {
    while (!done.WaitForNotificationWithTimeout(kCancelPoll)) {
      if (!cancelled()) continue;
      call.Cancel();
      break;
    }
  }
  done.WaitForNotification();
  return outcome;
}

HttpCall HttpClient::SendAsync(HttpRequest request, Callback done) {
  const Options& options = engine_->options();
  const absl::Duration timeout = request.deadline.has_value()
                                     ? *request.deadline - options.clock->Now()
                                     : options.default_timeout;
  auto transfer = std::make_shared<HttpTransfer>(std::move(request), std::move(done),
                                                 options.clock->Steady() + timeout);
  HttpCall call(engine_, transfer);
  engine_->Start(std::move(transfer));
  return call;
}

}  // namespace machine::common
