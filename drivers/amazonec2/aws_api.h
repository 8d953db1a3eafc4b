// Signed requests to the services of AWS, and their errors in our terms.
#ifndef DRIVERS_AMAZONEC2_AWS_API_H_
#define DRIVERS_AMAZONEC2_AWS_API_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/amazonec2/sigv4.h"
#include "drivers/sdk/cloud/await.h"
#include "drivers/sdk/cloud/json.h"
#include "drivers/sdk/cloud/xml.h"
#include "services/common/http/http_client.h"
#include "services/common/rpc/call_scope.h"

namespace machine::driver::amazonec2 {

/// Parameters of a query in their order; names as "Filter.1.Value.2".
using Params = std::vector<std::pair<std::string, std::string>>;

/// The credentials to sign the next request with. May itself send.
using CredentialsSource =
    std::function<absl::StatusOr<AwsCredentials>(const common::CallScope& call)>;

/// One service in one region for one account. Thread-safe; blocks; ends with the call's deadline
/// and cancellation. Requests are repeated when a rate limit refused them, and after 5xx, lost
/// answers and answers that cannot be read, at most five times in all: everything that the driver
/// sends may be repeated, because it is a read, names a goal, or carries a token or a name.
class AwsApi {
 public:
  struct Options {
    /// Without a slash at its end.
    std::string endpoint;
    SigningScope scope;
    /// For Query actions: "2016-11-15".
    std::string version;
    Backoff backoff = {absl::Milliseconds(300), absl::Seconds(10)};
    /// How often a second actions that read and that write may be sent; each may be null.
    std::shared_ptr<common::TokenBucket> reads;
    std::shared_ptr<common::TokenBucket> writes;
  };

  /// `http` outlives it.
  AwsApi(common::HttpClient& http, Options options, CredentialsSource credentials);

  /// Sends a Query action and returns the root of its answer.
  ///
  /// @return ErrorOfAws(); UNAVAILABLE PROVIDER_DOWN where no answer came, or none that is XML.
  absl::StatusOr<XmlElement> Query(const common::CallScope& call, absl::string_view action,
                                   const Params& params) const;

  /// The same for a service that speaks JSON; `target` is "AmazonSSM.GetParameter".
  absl::StatusOr<Json> Json11(const common::CallScope& call, absl::string_view target,
                              const Json& body) const;

 private:
  struct Message {
    std::string label;
    std::string content_type;
    std::string target;
    std::string body;
    bool reads = false;
  };

  absl::StatusOr<std::string> SendOnce(const common::CallScope& call, const Message& message) const;
  /// Sends `message` until `parse` takes the answer.
  absl::Status Send(const common::CallScope& call, const Message& message,
                    absl::FunctionRef<bool(const std::string& body)> parse) const;

  common::HttpClient& http_;
  const Options options_;
  const CredentialsSource credentials_;
};

/// `status` of an answer with `body` as an error. The provider's code is in its metadata; see
/// AwsCodeOf(). Besides ErrorOf() of services/common/http: UNAUTHENTICATED PROVIDER_CREDENTIALS,
/// PERMISSION_DENIED PROVIDER_POLICY, RESOURCE_EXHAUSTED PROVIDER_QUOTA and PROVIDER_RATE_LIMIT,
/// NOT_FOUND, ALREADY_EXISTS, and ABORTED where another action is under way.
absl::Status ErrorOfAws(const common::HttpResponse& response);

/// The code in an error of ErrorOfAws(), as "InvalidInstanceID.NotFound"; empty for none.
std::string AwsCodeOf(const absl::Status& status);

}  // namespace machine::driver::amazonec2

#endif  // DRIVERS_AMAZONEC2_AWS_API_H_
