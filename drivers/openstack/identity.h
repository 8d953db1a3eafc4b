// Signing in by Keystone's Identity API v3. https://docs.openstack.org/api-ref/identity/v3/
#ifndef DRIVERS_OPENSTACK_IDENTITY_H_
#define DRIVERS_OPENSTACK_IDENTITY_H_

#include <string>

#include "drivers/sdk/cloud/await.h"
#include "drivers/sdk/openstack/session.h"
#include "services/common/http/http_client.h"

namespace machine::driver::openstack {

/// Something with a domain around it, by name or id.
struct Domain {
  std::string id;
  std::string name;

  bool empty() const { return id.empty() && name.empty(); }
};

/// Who one is. Secrets.
struct Credentials {
  /// Of Keystone, with or without a version at its end; no slash.
  std::string auth_url;
  std::string user_id;
  std::string username;
  Domain user_domain;
  std::string password;
  /// One that was issued before; counts instead of a password.
  std::string token;
  /// Of an application credential, which is bound to a project; count instead of both.
  std::string application_id;
  std::string application_name;
  std::string application_secret;
  std::string project_id;
  std::string project_name;
  Domain project_domain;
  common::HttpTls tls;
};

/// What to post to /v3/auth/tokens.
Json AuthBody(const Credentials& credentials);

/// Signs in with `credentials`, at the address of v3 that the cloud itself names, on the host that
/// the user has named. `http` outlives what it returns.
///
/// Errors of that: UNAUTHENTICATED PROVIDER_CREDENTIALS; PRECREATE_CHECK_FAILED where there is no
/// v3, or the token is for no project.
SignIn SignInV3(common::HttpClient& http, Credentials credentials, const Backoff& retry);

}  // namespace machine::driver::openstack

#endif  // DRIVERS_OPENSTACK_IDENTITY_H_
