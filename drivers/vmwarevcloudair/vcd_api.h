// VMware Cloud Director's API (XML), for one account.
#ifndef DRIVERS_VMWAREVCLOUDAIR_VCD_API_H_
#define DRIVERS_VMWAREVCLOUDAIR_VCD_API_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "drivers/sdk/cloud/await.h"
#include "drivers/sdk/cloud/xml.h"
#include "drivers/vmwarevcloudair/settings.h"
#include "services/common/http/http_client.h"
#include "services/common/rpc/call_scope.h"

namespace machine::driver::vmwarevcloudair {

/// Namespaces of what is sent.
inline constexpr char kVcloudNamespace[] = "http://www.vmware.com/vcloud/v1.5";
inline constexpr char kOvfNamespace[] = "http://schemas.dmtf.org/ovf/envelope/1";

/// What a request carries: its media type, as "composeVAppParams", and the XML.
struct VcdBody {
  std::string type;
  std::string xml;
};

/// A session that is opened when it is first needed and opened anew when it has ended. Thread-safe;
/// blocks; ends with the call's deadline and cancellation. Reads are repeated after 5xx and lost
/// answers, at most five times in all.
class VcdApi {
 public:
  /// `http` outlives it.
  VcdApi(common::HttpClient& http, Credentials credentials, Backoff backoff);

  /// An object by its URL; a path from "/api" is at this endpoint. Errors: NOT_FOUND also where the
  /// server says that it may not be seen, which it says of what is gone.
  absl::StatusOr<XmlElement> Get(const common::CallScope& call, absl::string_view url);

  /// A request with effect, sent once. The answer may be empty.
  absl::StatusOr<XmlElement> Send(const common::CallScope& call, absl::string_view method,
                                  absl::string_view url, const VcdBody& body = {});

  /// The same, and waits for the end of the task that it gives.
  absl::Status Run(const common::CallScope& call, absl::string_view method, absl::string_view url,
                   const VcdBody& body = {});

  /// Waits until no task works on an object that was just answered, and none failed.
  absl::Status AwaitTasks(const common::CallScope& call, const XmlElement& object);

  /// All records of a query, as "type=vm", with `filter` in the server's own form.
  absl::StatusOr<std::vector<XmlElement>> Query(const common::CallScope& call,
                                                absl::string_view type, absl::string_view filter);

  /// Opens a session, if there is none.
  absl::Status LogIn(const common::CallScope& call);

  const Credentials& credentials() const { return credentials_; }
  /// Held while the rules of an edge gateway, which are written as a whole, are changed.
  absl::Mutex& gateway_mutex() { return gateway_mu_; }

 private:
  absl::StatusOr<std::string> Session(const common::CallScope& call, const std::string& stale);
  absl::StatusOr<std::string> OpenSession(const common::CallScope& call);
  absl::StatusOr<XmlElement> SendOnce(const common::CallScope& call, absl::string_view method,
                                      const std::string& url, const VcdBody& body,
                                      const std::string& session);
  absl::StatusOr<XmlElement> SendInSession(const common::CallScope& call, absl::string_view method,
                                           const std::string& url, const VcdBody& body);
  std::string UrlOf(absl::string_view url) const;
  common::HttpRequest Request(const common::CallScope& call, absl::string_view method,
                              const std::string& url) const;

  common::HttpClient& http_;
  const Credentials credentials_;
  const Backoff backoff_;
  absl::Mutex gateway_mu_;
  absl::Mutex login_mu_;
  absl::Mutex mu_;
  /// Secret; empty for none.
  std::string session_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::driver::vmwarevcloudair

#endif  // DRIVERS_VMWAREVCLOUDAIR_VCD_API_H_
