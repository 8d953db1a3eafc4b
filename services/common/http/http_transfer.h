// One request on its way through libcurl. For this folder only.
#ifndef SERVICES_COMMON_HTTP_HTTP_TRANSFER_H_
#define SERVICES_COMMON_HTTP_HTTP_TRANSFER_H_

#include <curl/curl.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/common/http/http_client.h"
#include "services/common/process/unique_fd.h"

namespace machine::common {

/// A request, its attempts and what has come of the present one. Used by the engine's thread only,
/// except for cancel().
class HttpTransfer {
 public:
  /// `deadline` by the steady clock of the engine.
  HttpTransfer(HttpRequest request, HttpClient::Callback done, absl::Duration deadline)
      : request_(std::move(request)),
        done_(std::move(done)),
        deadline_(deadline),
        label_(request_.method) {}

  void cancel() { cancelled_ = true; }
  bool cancelled() const { return cancelled_; }

  const HttpRequest& request() const { return request_; }
  absl::Duration deadline() const { return deadline_; }
  /// Method, scheme, host and path, for messages.
  const std::string& label() const { return label_; }
  /// Attempts begun.
  int attempts() const { return attempts_; }

  /// Whether a turn under the rate limit was taken and not yet used.
  bool has_turn() const { return has_turn_; }
  void set_has_turn(bool has_turn) { has_turn_ = has_turn; }

  /// Looks at the request; before anything else.
  absl::Status Check();

  /// Whether one more attempt would do no harm.
  bool MayRepeat() const;

  /// Makes the handle for the next attempt, which has `timeout` to end.
  absl::StatusOr<CURL*> Begin(const HttpClient::Options& options, absl::Duration timeout);

  /// What came of the attempt that ended with `code`; its handle is then gone.
  absl::StatusOr<HttpResponse> End(CURLcode code);

  /// Drops the handle of an attempt that is not wanted any more.
  void Abandon();

  /// Hands the outcome to the caller.
  void Finish(absl::StatusOr<HttpResponse> outcome) { std::move(done_)(std::move(outcome)); }

 private:
  struct EasyDeleter {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  };
  struct ListDeleter {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };

  static size_t OnHeader(char* data, size_t size, size_t count, void* self);
  static size_t OnBody(char* data, size_t size, size_t count, void* self);
  static size_t OnRead(char* buffer, size_t size, size_t count, void* self);
  static int OnSeek(void* self, curl_off_t offset, int origin);

  bool AddHeaderLine(absl::string_view line);
  bool AddBody(absl::string_view data);
  absl::StatusOr<size_t> ReadBody(absl::Span<char> into);

  void SetUrl(const HttpClient::Options& options);
  absl::Status SetHeaders(bool has_content);
  absl::Status SetTls();
  /// True when the request carries content, even of length 0.
  absl::StatusOr<bool> SetMethodAndBody();
  absl::Status ErrorFor(CURLcode code);
  absl::Status NotTrusted(absl::string_view cause) const;

  template <typename T>
  void Set(CURLoption option, T value) {
    curl_easy_setopt(easy_.get(), option, value);
  }

  const HttpRequest request_;
  HttpClient::Callback done_;
  const absl::Duration deadline_;
  std::string label_;
  std::string host_;
  int attempts_ = 0;
  std::atomic<bool> cancelled_ = false;
  bool https_ = false;
  bool has_turn_ = false;
  // Once the caller has got a piece of the answer, or its source has given a piece of the body, a
  // repetition would lack it or give it twice.
  bool touched_caller_ = false;

  std::unique_ptr<CURL, EasyDeleter> easy_;
  std::unique_ptr<curl_slist, ListDeleter> header_list_;
  std::array<char, CURL_ERROR_SIZE> error_text_ = {};
  absl::Duration timeout_;
  HttpResponse response_;
  size_t header_bytes_ = 0;
  UniqueFd body_fd_;
  // Why one of the callbacks ended the transfer.
  absl::Status stop_reason_;
};

}  // namespace machine::common

#endif  // SERVICES_COMMON_HTTP_HTTP_TRANSFER_H_
