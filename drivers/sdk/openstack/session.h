// What signing in to an OpenStack cloud gives: a token, and the catalogue of its services.
#ifndef DRIVERS_SDK_OPENSTACK_SESSION_H_
#define DRIVERS_SDK_OPENSTACK_SESSION_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "drivers/sdk/cloud/json.h"
#include "services/common/crypto/secret_string.h"
#include "services/common/rpc/call_scope.h"

namespace machine::driver::openstack {

/// One address of one service.
struct Endpoint {
  /// "compute", "network", "volumev3" …
  std::string type;
  std::string region;
  /// "public", "internal" or "admin".
  std::string interface;
  /// Without a slash at its end.
  std::string url;
};

struct Session {
  common::SecretString token;
  absl::Time expires = absl::InfiniteFuture();
  /// The project that the token is for; empty where it is for none.
  std::string project_id;
  std::vector<Endpoint> catalog;

  /// The regions that have a service of `type`, sorted.
  std::vector<std::string> Regions(absl::string_view type) const;
};

/// Signs in. Errors: UNAUTHENTICATED PROVIDER_CREDENTIALS, UNAVAILABLE PROVIDER_DOWN.
using SignIn = std::function<absl::StatusOr<Session>(const common::CallScope&)>;

/// The catalogue of Identity v3: `token.catalog`.
std::vector<Endpoint> ReadCatalogV3(const Json& catalog);
/// The catalogue of Identity v2.0: `access.serviceCatalog`.
std::vector<Endpoint> ReadCatalogV2(const Json& catalog);

/// When a token ends, as its cloud writes it: RFC 3339 with a zone ("2026-11-26T14:00:00.000Z",
/// "…-06:00"), or without one, which means UTC. absl::InfinitePast() where it is no time, so that
/// the token is not kept.
absl::Time ParseExpiry(absl::string_view text);

/// "public" for "publicURL", and so on; empty for what is no interface.
std::string InterfaceOf(absl::string_view endpoint_type);

}  // namespace machine::driver::openstack

#endif  // DRIVERS_SDK_OPENSTACK_SESSION_H_
