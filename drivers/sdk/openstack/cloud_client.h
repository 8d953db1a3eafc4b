// One project in one region of an OpenStack cloud: finds the services in the catalogue, learns
// their versions, and sends requests with a token that is renewed.
// https://docs.openstack.org/api-quick-start/
#ifndef DRIVERS_SDK_OPENSTACK_CLOUD_CLIENT_H_
#define DRIVERS_SDK_OPENSTACK_CLOUD_CLIENT_H_

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "drivers/sdk/cloud/json_api.h"
#include "drivers/sdk/cloud/token_cache.h"
#include "drivers/sdk/openstack/session.h"
#include "services/common/http/http_client.h"

namespace machine::driver::openstack {

enum class Service { kCompute, kNetwork, kImage, kVolume };

/// Where in a cloud, and how it is reached.
struct Access {
  /// For messages: "OpenStack".
  std::string provider;
  /// Of the driver's flags: "openstack" for "--openstack-region".
  std::string flag_prefix;
  /// Empty for the only one that the catalogue has.
  std::string region;
  /// "public", "internal" or "admin".
  std::string interface = "public";
  common::HttpTls tls;
  /// Before a request that failed is sent again.
  Backoff retry;
};

/// A version of the compute API, "2.67"; {2, 0} for one without microversions.
struct Microversion {
  int major = 2;
  int minor = 0;

  /// The header's value; empty for {2, 0}.
  std::string Text() const;
};

/// How errors of OpenStack read, and requests are sent again, with `tls`: for sign-in, too.
ApiDialect DialectOf(absl::string_view provider, const common::HttpTls& tls, const Backoff& retry);

/// Thread-safe; blocks. A token that is refused is fetched anew, once for each request.
///
/// Errors: those of JsonApi::Send() and of the sign-in; RESOURCE_EXHAUSTED PROVIDER_QUOTA or
/// PROVIDER_RATE_LIMIT whatever status they came with; PRECREATE_CHECK_FAILED that lists the
/// regions where the one asked for does not exist, or none was asked for and there are several.
class CloudClient {
 public:
  /// `http` outlives it.
  CloudClient(common::HttpClient& http, Access access, SignIn sign_in);

  const Access& access() const { return access_; }

  absl::StatusOr<std::shared_ptr<const Session>> GetSession(const common::CallScope& call) const;

  /// The version of the compute API that is spoken: the newest that both know.
  absl::StatusOr<Microversion> ComputeVersion(const common::CallScope& call) const;

  /// Sends; `request.path` is what follows the service's version: "/servers".
  absl::StatusOr<Json> Send(const common::CallScope& call, Service service,
                            ApiRequest request) const;

  /// Member `key` of what is at `path`; no value for 404.
  absl::StatusOr<std::optional<Json>> Find(const common::CallScope& call, Service service,
                                           std::string path, absl::string_view key) const;

  /// Calls `each` with every element of the list `key`, of all pages.
  absl::Status List(const common::CallScope& call, Service service, ApiRequest request,
                    absl::string_view key, absl::FunctionRef<void(const Json&)> each) const;

  /// Deletes; OK where there is nothing.
  absl::Status Delete(const common::CallScope& call, Service service, std::string path) const;

 private:
  /// A service's address with its version, and what is sent beside the token.
  struct Root {
    std::string url;
    Microversion version;
  };

  absl::StatusOr<std::string> RegionOf(const Session& session) const;
  /// The address in the catalogue; empty where the region has no such service.
  absl::StatusOr<std::string> EndpointOf(const Session& session, Service service) const;
  absl::StatusOr<Root> RootOf(const common::CallScope& call, Service service) const;
  absl::StatusOr<Root> DiscoverCompute(const common::CallScope& call,
                                       const std::string& endpoint) const;
  /// With a token that is renewed where it is refused. `request.path` is a URL.
  absl::StatusOr<ApiResponse> SendWithToken(const common::CallScope& call,
                                            const ApiRequest& request) const;

  const Access access_;
  mutable TokenCache<Session> sessions_;
  const JsonApi api_;
  mutable absl::Mutex mu_;
  mutable std::map<Service, Root> roots_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::driver::openstack

#endif  // DRIVERS_SDK_OPENSTACK_CLOUD_CLIENT_H_
