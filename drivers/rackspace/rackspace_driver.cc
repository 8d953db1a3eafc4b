#include "drivers/rackspace/rackspace_driver.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/instance_driver.h"
#include "drivers/sdk/cloud/json_api.h"
#include "services/common/status/status.h"

namespace machine::driver::rackspace {
namespace {

constexpr absl::string_view kProvider = "Rackspace";

}  // namespace

openstack::SignIn SignInV2(common::HttpClient& http, Login login, const Backoff& retry) {
  const auto api = std::make_shared<const JsonApi>(
      http, login.endpoint, nullptr,
      openstack::DialectOf("Rackspace Identity", common::HttpTls(), retry));
  return [api, login = std::move(login)](
             const common::CallScope& call) -> absl::StatusOr<openstack::Session> {
    const Json key = {{"username", login.username}, {"apiKey", login.api_key}};
    const ApiRequest request = {.method = "POST",
                                .path = "/tokens",
                                .body = {{"auth", {{"RAX-KSKEY:apiKeyCredentials", key}}}},
                                // Two tokens do no harm.
                                .retry_safe = true};
    absl::StatusOr<ApiResponse> response = api->Send(call, request);
    if (!response.ok()) {
      return common::Annotate(response.status(),
                              absl::StrCat("signing in to Rackspace as ", login.username));
    }
    const Json& access = Member(response->body, "access");
    const Json& token = Member(access, "token");
    openstack::Session session = {
        .token = common::SecretString(Text(token, "id")),
        .expires = openstack::ParseExpiry(Text(token, "expires")),
        .project_id = Text(Member(token, "tenant"), "id"),
        .catalog = openstack::ReadCatalogV2(Member(access, "serviceCatalog"))};
    if (!session.token.empty()) return session;
    return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN,
                         "Rackspace's answer to the sign-in has no token");
  };
}

DriverInfo RackspaceDriver::info() const { return CloudDriverInfo("rackspace", absl::Minutes(5)); }

Flags RackspaceDriver::flags() const { return RackspaceFlags(); }

absl::StatusOr<openstack::Account> RackspaceDriver::ReadAccount(const Options& options) const {
  DM_ASSIGN_OR_RETURN(const Login login, ReadLogin(options));
  openstack::Account account;
  account.access = {.provider = std::string(kProvider),
                    .flag_prefix = std::string(kFlagPrefix),
                    .region = login.region,
                    .interface = login.interface};
  account.identity = absl::StrCat(login.endpoint, "\n", login.username, "\n", login.api_key, "\n",
                                  login.region, "\n", login.interface);
  account.sign_in = [login, retry = timing().retry](common::HttpClient& http) {
    return SignInV2(http, login, retry);
  };
  return account;
}

absl::StatusOr<openstack::Plan> RackspaceDriver::ReadPlan(const Options& options) const {
  return ReadSettings(options);
}

absl::Status RackspaceDriver::CheckValues(DriverCall& call, const Options& options) const {
  return CheckOldValues(call, options);
}

}  // namespace machine::driver::rackspace
