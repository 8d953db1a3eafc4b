// VMware Cloud Director's API (XML), for one account.
#ifndef DRIVERS_VMWAREVCLOUDAIR_VCD_API_H_
#define DRIVERS_VMWAREVCLOUDAIR_VCD_API_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "drivers/sdk/cloud/await.h"
#include "drivers/sdk/cloud/xml.h"
#include "drivers/vmwarevcloudair/settings.h"
#include "drivers/vmwarevcloudair/vcd_session.h"
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

/// The API of one account. Thread-safe; blocks; ends with the call's deadline and cancellation.
/// Reads are repeated after 5xx and lost answers, at most five times in all.
class VcdApi {
 public:
  /// `http` outlives it.
  VcdApi(common::HttpClient& http, Credentials credentials, Backoff backoff)
      : session_(http, std::move(credentials), backoff) {}

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

  /// Waits for the end of the task of that URL. Errors: what it failed of.
  absl::Status AwaitTask(const common::CallScope& call, const std::string& url);

  /// All records of a query, as "type=vm", with `filter` in the server's own form.
  absl::StatusOr<std::vector<XmlElement>> Query(const common::CallScope& call,
                                                absl::string_view type, absl::string_view filter);

  VcdSession& session() { return session_; }
  /// Held while the rules of an edge gateway are read and changed.
  absl::Mutex& gateway_mutex() { return gateway_mu_; }

 private:
  absl::StatusOr<XmlElement> SendOnce(const common::CallScope& call, absl::string_view method,
                                      absl::string_view url, const VcdBody& body);

  VcdSession session_;
  absl::Mutex gateway_mu_;
};

}  // namespace machine::driver::vmwarevcloudair

#endif  // DRIVERS_VMWAREVCLOUDAIR_VCD_API_H_
