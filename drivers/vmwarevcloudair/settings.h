// The flags of the driver, and what they ask for.
#ifndef DRIVERS_VMWAREVCLOUDAIR_SETTINGS_H_
#define DRIVERS_VMWAREVCLOUDAIR_SETTINGS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/sdk/driver.h"

namespace machine::driver::vmwarevcloudair {

inline constexpr absl::string_view kHrefFlag = "vmwarevcloudair-href";
inline constexpr absl::string_view kOrgFlag = "vmwarevcloudair-org";
inline constexpr absl::string_view kCaFlag = "vmwarevcloudair-ca-text";
inline constexpr absl::string_view kTokenFlag = "vmwarevcloudair-api-token";
inline constexpr absl::string_view kUsernameFlag = "vmwarevcloudair-username";
inline constexpr absl::string_view kPasswordFlag = "vmwarevcloudair-password";
inline constexpr absl::string_view kVdcFlag = "vmwarevcloudair-vdcid";
inline constexpr absl::string_view kNetworkFlag = "vmwarevcloudair-orgvdcnetwork";
inline constexpr absl::string_view kGatewayFlag = "vmwarevcloudair-edgegateway";
inline constexpr absl::string_view kPublicIpFlag = "vmwarevcloudair-publicip";
inline constexpr absl::string_view kOpenCidrFlag = "vmwarevcloudair-open-cidr";
inline constexpr absl::string_view kUserDataTextFlag = "vmwarevcloudair-userdata-text";
inline constexpr absl::string_view kCatalogFlag = "vmwarevcloudair-catalog";
inline constexpr absl::string_view kItemFlag = "vmwarevcloudair-catalogitem";
inline constexpr absl::string_view kCpuFlag = "vmwarevcloudair-cpu-count";
inline constexpr absl::string_view kMemoryFlag = "vmwarevcloudair-memory-size";

/// What a machine is to be; empty names are for the driver's choice.
struct Settings {
  std::string vdc;
  std::string network;
  std::string gateway;
  std::string public_ip;
  /// IPv4 ranges that may reach the public address; one at least where there is one.
  std::vector<std::string> open_cidrs;
  std::string catalog;
  std::string item;
  int64_t cpus = 0;
  int64_t memory_mib = 0;
  int ssh_port = 22;
  int docker_port = 2376;
  std::string ssh_user;
  /// For cloud-init in the guest; empty for none.
  std::string user_data;
};

/// Where an account is, and its credentials.
struct Credentials {
  /// Without a slash and "/api" at its end; empty where the driver was given none.
  std::string href;
  std::string org;
  std::string username;
  /// Secret.
  std::string password;
  /// Secret; used before user and password.
  std::string token;
  /// The only authority to trust; empty for those of the system.
  std::string ca_pem;
};

Flags VcloudFlags();

/// Reads options. Errors: BadOption().
absl::StatusOr<Settings> ReadSettings(const Options& options);
absl::StatusOr<Credentials> ReadCredentials(const Options& options);

}  // namespace machine::driver::vmwarevcloudair

#endif  // DRIVERS_VMWAREVCLOUDAIR_SETTINGS_H_
