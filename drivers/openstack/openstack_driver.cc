#include "drivers/openstack/openstack_driver.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "drivers/openstack/identity.h"
#include "drivers/openstack/settings.h"
#include "drivers/sdk/cloud/instance_driver.h"
#include "services/common/status/status.h"

namespace machine::driver::openstack {

DriverInfo OpenStackDriver::info() const { return CloudDriverInfo("openstack", absl::Minutes(5)); }

Flags OpenStackDriver::flags() const { return OpenStackFlags(); }

absl::StatusOr<Account> OpenStackDriver::ReadAccount(const Options& options) const {
  DM_ASSIGN_OR_RETURN(const Login login, ReadLogin(options));
  const Credentials& who = login.credentials;
  Account account;
  account.access = {.provider = "OpenStack",
                    .flag_prefix = std::string(kFlagPrefix),
                    .region = login.region,
                    .interface = login.interface,
                    .tls = who.tls};
  account.identity = absl::StrCat(who.auth_url, "\n", DumpJson(AuthBody(who)), "\n", login.region,
                                  "\n", login.interface, "\n", who.tls.verify, "\n", who.tls.ca_pem,
                                  "\n", who.tls.client_cert_pem);
  account.sign_in = [who, retry = timing().retry](common::HttpClient& http) {
    return SignInV3(http, who, retry);
  };
  return account;
}

absl::StatusOr<Plan> OpenStackDriver::ReadPlan(const Options& options) const {
  return ReadSettings(options);
}

absl::Status OpenStackDriver::CheckValues(DriverCall& call, const Options& options) const {
  return CheckOldValues(call, options);
}

}  // namespace machine::driver::openstack
