#include "services/common/http/http_engine.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

absl::Status Cancelled(const HttpTransfer& transfer) {
  return absl::CancelledError(absl::StrCat(transfer.label(), ": cancelled"));
}

}  // namespace

HttpEngine::HttpEngine(HttpClient::Options options)
    : options_(std::move(options)),
      clock_(*options_.clock),
      // The global set-up counts its callers and is thread-safe in this libcurl.
      multi_((curl_global_init(CURL_GLOBAL_DEFAULT), curl_multi_init())),
      retry_policy_(options_.min_backoff, options_.max_backoff, options_.random) {
  curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS,
                    static_cast<long>(options_.max_host_connections));
  thread_ = std::thread([this] { Loop(); });
}

HttpEngine::~HttpEngine() {
  curl_multi_cleanup(multi_);
  curl_global_cleanup();
}

void HttpEngine::Start(std::shared_ptr<HttpTransfer> transfer) {
  {
    absl::MutexLock lock(&mu_);
    if (!stopping_) {
      inbox_.push_back(std::move(transfer));
      curl_multi_wakeup(multi_);
      return;
    }
  }
  transfer->Finish(Cancelled(*transfer));
}

void HttpEngine::Cancel(const std::shared_ptr<HttpTransfer>& transfer) {
  transfer->cancel();
  absl::MutexLock lock(&mu_);
  some_cancelled_ = true;
  curl_multi_wakeup(multi_);
}

void HttpEngine::Stop() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
    curl_multi_wakeup(multi_);
  }
  thread_.join();
}

void HttpEngine::Loop() {
  while (TakeInbox()) {
    BeginDue();
    int running = 0;
    curl_multi_perform(multi_, &running);
    EndFinished();
    curl_multi_poll(multi_, nullptr, 0, PollTimeoutMs(), nullptr);
  }
  EndAll();
}

bool HttpEngine::TakeInbox() {
  std::vector<TransferPtr> incoming;
  bool some_cancelled;
  {
    absl::MutexLock lock(&mu_);
    if (stopping_) return false;
    incoming.swap(inbox_);
    some_cancelled = std::exchange(some_cancelled_, false);
  }
  for (const TransferPtr& transfer : incoming) BeginNew(transfer);
  if (some_cancelled) DropCancelled();
  return true;
}

void HttpEngine::BeginNew(const TransferPtr& transfer) {
  if (absl::Status status = transfer->Check(); !status.ok()) {
    transfer->Finish(std::move(status));
    return;
  }
  BeginAttempt(transfer);
}

void HttpEngine::BeginAttempt(const TransferPtr& transfer) {
  if (transfer->cancelled()) return transfer->Finish(Cancelled(*transfer));
  const absl::Duration left = transfer->deadline() - clock_.Steady();
  if (left <= absl::ZeroDuration()) {
    return transfer->Finish(absl::DeadlineExceededError(
        absl::StrCat(transfer->label(), ": the deadline passed before it could be sent")));
  }
  const auto& rate_limit = transfer->request().rate_limit;
  if (rate_limit != nullptr && !transfer->has_turn()) {
    const std::optional<absl::Duration> wait = rate_limit->Reserve(left);
    if (!wait.has_value()) {
      return transfer->Finish(absl::DeadlineExceededError(absl::StrCat(
          transfer->label(), ": the account's rate limit lets it go only after the deadline")));
    }
    transfer->set_has_turn(true);
    if (*wait > absl::ZeroDuration()) return Delay(transfer, *wait, absl::OkStatus());
  }
  transfer->set_has_turn(false);
  const absl::StatusOr<CURL*> easy = transfer->Begin(options_, left);
  if (!easy.ok()) return transfer->Finish(easy.status());
  curl_multi_add_handle(multi_, *easy);
  active_.emplace(*easy, transfer);
}

void HttpEngine::BeginDue() {
  while (!delayed_.empty() && delayed_.begin()->first <= clock_.Steady()) {
    const TransferPtr transfer = delayed_.extract(delayed_.begin()).mapped();
    BeginAttempt(transfer);
  }
}

void HttpEngine::DropCancelled() {
  std::vector<TransferPtr> dropped;
  for (auto it = active_.begin(); it != active_.end();) {
    if (it->second->cancelled()) {
      curl_multi_remove_handle(multi_, it->first);
      it->second->Abandon();
      dropped.push_back(std::move(it->second));
      it = active_.erase(it);
    } else {
      ++it;
    }
  }
  for (auto it = delayed_.begin(); it != delayed_.end();) {
    if (it->second->cancelled()) {
      dropped.push_back(std::move(it->second));
      it = delayed_.erase(it);
    } else {
      ++it;
    }
  }
  for (const TransferPtr& transfer : dropped) transfer->Finish(Cancelled(*transfer));
}

void HttpEngine::EndFinished() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    // Copied: removing the handle frees the message.
    CURL* const easy = message->easy_handle;
    const CURLcode code = message->data.result;
    curl_multi_remove_handle(multi_, easy);
    const TransferPtr transfer = active_.extract(easy).mapped();
    EndAttempt(transfer, code);
  }
}

void HttpEngine::EndAttempt(const TransferPtr& transfer, CURLcode code) {
  absl::StatusOr<HttpResponse> outcome = transfer->End(code);
  std::optional<absl::Duration> retry_after;
  absl::Status cause = outcome.status();
  if (outcome.ok() && IsTransientStatus(outcome->status)) {
    retry_after = RetryAfterOf(outcome->headers, clock_.Now());
    cause = absl::UnavailableError(absl::StrCat("HTTP ", outcome->status));
  }
  const bool transient = absl::IsUnavailable(cause);
  if (!transient) return transfer->Finish(std::move(outcome));

  const absl::Duration delay = retry_policy_.Delay(transfer->attempts(), retry_after);
  const HttpRequest& request = transfer->request();
  if (request.rate_limit != nullptr && outcome.ok() && outcome->status == 429) {
    request.rate_limit->PauseFor(delay);
  }
  const bool worth_it =
      transfer->MayRepeat() &&
      transfer->attempts() < request.max_attempts.value_or(options_.max_attempts) &&
      clock_.Steady() + delay < transfer->deadline();
  if (!worth_it) return transfer->Finish(std::move(outcome));
  Delay(transfer, delay, std::move(cause));
}

void HttpEngine::Delay(const TransferPtr& transfer, absl::Duration delay, absl::Status cause) {
  delayed_.emplace(clock_.Steady() + delay, transfer);
  if (options_.on_delay) {
    options_.on_delay({.request = transfer->label(),
                       .attempt = transfer->attempts() + 1,
                       .delay = delay,
                       .cause = std::move(cause)});
  }
}

void HttpEngine::EndAll() {
  std::vector<TransferPtr> ended;
  {
    absl::MutexLock lock(&mu_);
    ended.swap(inbox_);
  }
  for (auto& [easy, transfer] : active_) {
    curl_multi_remove_handle(multi_, easy);
    transfer->Abandon();
    ended.push_back(std::move(transfer));
  }
  active_.clear();
  for (auto& [due, transfer] : delayed_) ended.push_back(std::move(transfer));
  delayed_.clear();
  for (const TransferPtr& transfer : ended) transfer->Finish(Cancelled(*transfer));
}

int HttpEngine::PollTimeoutMs() const {
  constexpr absl::Duration kLongest = absl::Hours(1);
  absl::Duration wait = kLongest;
  if (!delayed_.empty()) {
    wait = std::clamp(delayed_.begin()->first - clock_.Steady(), absl::ZeroDuration(), kLongest);
  }
  return static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(wait, absl::Milliseconds(1))));
}

}  // namespace machine::common
