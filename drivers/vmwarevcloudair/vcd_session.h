// Sessions at a VMware Cloud Director, and requests in them, of whichever of its APIs.
#ifndef DRIVERS_VMWAREVCLOUDAIR_VCD_SESSION_H_
#define DRIVERS_VMWAREVCLOUDAIR_VCD_SESSION_H_

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "drivers/sdk/cloud/await.h"
#include "drivers/vmwarevcloudair/settings.h"
#include "services/common/http/http_client.h"
#include "services/common/rpc/call_scope.h"
#include "services/common/status/status.h"

namespace machine::driver::vmwarevcloudair {

struct VcdRequest {
  std::string method = "GET";
  /// A path from "/" is at the account's endpoint.
  std::string url;
  /// Media type of the answer, without a version.
  std::string accept;
  std::string content_type = "";
  std::string body = "";
};

/// A session that is opened when it is first needed and opened anew when it has ended, in the
/// newest version of the API that driver and server both know. Thread-safe; blocks; ends with the
/// call's deadline and cancellation.
class VcdSession {
 public:
  /// `http` outlives it.
  VcdSession(common::HttpClient& http, Credentials credentials, Backoff backoff);

  /// Opens a session, if there is none.
  absl::Status LogIn(const common::CallScope& call) { return Current(call, "").status(); }

  /// Sends once, and again where the session had ended. The answer may be an error.
  absl::StatusOr<common::HttpResponse> Send(const common::CallScope& call,
                                            const VcdRequest& request);

  /// Calls `read` again after 5xx and lost answers, at most five times in all.
  template <typename T>
  absl::StatusOr<T> Repeat(const common::CallScope& call,
                           absl::FunctionRef<absl::StatusOr<T>()> read) const {
    for (int attempt = 1;; ++attempt) {
      absl::StatusOr<T> answer = read();
      if (answer.ok() || !IsTransient(answer.status()) || attempt == kMaxAttempts) return answer;
      DM_RETURN_IF_ERROR(PauseBetweenLooks(call, backoff_, attempt, answer.status()));
    }
  }

  const Credentials& credentials() const { return credentials_; }
  const Backoff& backoff() const { return backoff_; }

 private:
  static constexpr int kMaxAttempts = 5;

  struct Session {
    /// Secret; empty for none.
    std::string token;
    /// "37.0".
    std::string version;
  };

  absl::StatusOr<Session> Current(const common::CallScope& call, const std::string& stale);
  absl::StatusOr<Session> Open(const common::CallScope& call) const;
  absl::StatusOr<std::string> ChooseVersion(const common::CallScope& call) const;
  absl::StatusOr<common::HttpResponse> SendOnce(const common::CallScope& call,
                                                const VcdRequest& request,
                                                const Session& session) const;
  common::HttpRequest Prepared(const common::CallScope& call, absl::string_view method,
                               absl::string_view url) const;

  common::HttpClient& http_;
  const Credentials credentials_;
  const Backoff backoff_;
  absl::Mutex login_mu_;
  absl::Mutex mu_;
  Session session_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::driver::vmwarevcloudair

#endif  // DRIVERS_VMWAREVCLOUDAIR_VCD_SESSION_H_
