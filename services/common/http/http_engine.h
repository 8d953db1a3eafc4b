// The thread that runs all transfers of a client. For this folder only.
#ifndef SERVICES_COMMON_HTTP_HTTP_ENGINE_H_
#define SERVICES_COMMON_HTTP_HTTP_ENGINE_H_

#include <curl/curl.h>

#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "services/common/http/http_client.h"
#include "services/common/http/http_transfer.h"
#include "services/common/http/retry_policy.h"

namespace machine::common {

/// One curl-multi handle and its thread.
class HttpEngine {
 public:
  explicit HttpEngine(HttpClient::Options options);
  /// Stop() has been called.
  ~HttpEngine();

  HttpEngine(const HttpEngine&) = delete;
  HttpEngine& operator=(const HttpEngine&) = delete;

  const HttpClient::Options& options() const { return options_; }

  /// Takes a transfer over; it always gets an outcome.
  void Start(std::shared_ptr<HttpTransfer> transfer);
  void Cancel(const std::shared_ptr<HttpTransfer>& transfer);

  /// Ends everything with CANCELLED and joins the thread.
  void Stop();

 private:
  using TransferPtr = std::shared_ptr<HttpTransfer>;

  void Loop();
  bool TakeInbox();
  void BeginNew(const TransferPtr& transfer);
  void BeginAttempt(const TransferPtr& transfer);
  void BeginDue();
  void DropCancelled();
  void EndFinished();
  void EndAttempt(const TransferPtr& transfer, CURLcode code);
  void Delay(const TransferPtr& transfer, absl::Duration delay, absl::Status cause);
  void EndAll();
  int PollTimeoutMs() const;

  const HttpClient::Options options_;
  const Clock& clock_;
  CURLM* const multi_;

  absl::Mutex mu_;
  std::vector<TransferPtr> inbox_ ABSL_GUARDED_BY(mu_);
  bool some_cancelled_ ABSL_GUARDED_BY(mu_) = false;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;

  // The thread's own.
  RetryPolicy retry_policy_;
  std::map<CURL*, TransferPtr> active_;
  std::multimap<absl::Duration, TransferPtr> delayed_;

  std::thread thread_;
};

}  // namespace machine::common

#endif  // SERVICES_COMMON_HTTP_HTTP_ENGINE_H_
