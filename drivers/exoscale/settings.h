// The flags of the driver, and what they ask for.
#ifndef DRIVERS_EXOSCALE_SETTINGS_H_
#define DRIVERS_EXOSCALE_SETTINGS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/sdk/cloud/host_files.h"
#include "drivers/sdk/driver.h"

namespace machine::driver::exoscale {

inline constexpr absl::string_view kUrlFlag = "exoscale-url";
inline constexpr absl::string_view kKeyFlag = "exoscale-api-key";
inline constexpr absl::string_view kSecretFlag = "exoscale-api-secret-key";
inline constexpr absl::string_view kAccountFlag = "exoscale-account";
inline constexpr absl::string_view kZoneFlag = "exoscale-availability-zone";
inline constexpr absl::string_view kProfileFlag = "exoscale-instance-profile";
inline constexpr absl::string_view kImageFlag = "exoscale-image";
inline constexpr absl::string_view kDiskFlag = "exoscale-disk-size";
inline constexpr absl::string_view kGroupFlag = "exoscale-security-group";
inline constexpr absl::string_view kAffinityFlag = "exoscale-affinity-group";
inline constexpr absl::string_view kOpenCidrFlag = "exoscale-open-cidr";
inline constexpr absl::string_view kKeyNameFlag = "exoscale-key-name";
inline constexpr absl::string_view kPrivateNetworkFlag = "exoscale-private-network";
inline constexpr absl::string_view kPrivateOnlyFlag = "exoscale-private-address-only";

/// Port of every machine's engine.
inline constexpr int kEnginePort = 2376;

/// What a machine is to be.
struct Settings {
  std::string zone;
  /// "small", or "FAMILY.SIZE".
  std::string profile;
  /// Empty for the newest Ubuntu LTS.
  std::string image;
  int64_t disk_gib = 0;
  /// By name; those that do not exist are made.
  std::vector<std::string> security_groups;
  std::vector<std::string> affinity_groups;
  /// Who may reach the machine by the rules of a security group that is made.
  std::vector<std::string> open_cidrs;
  /// Nobody said so: the whole internet is the default.
  bool open_by_default = false;
  bool ipv6 = false;
  /// Name of a managed private network to attach; may be empty.
  std::string private_network;
  bool private_address_only = false;
  /// Name of a key of the account that may log in, too; may be empty.
  std::string key_name;
  /// Labels of the user's own.
  std::map<std::string, std::string> labels;
  /// Empty for the template's user.
  std::string ssh_user;
  std::string user_data;
};

/// Where an account is, and its credentials.
struct Credentials {
  /// Of the zone, with "/v2", without a slash at its end.
  std::string endpoint;
  std::string key;
  /// Secret.
  std::string secret;
};

Flags ExoscaleFlags();

/// Reads options. Errors: BadOption().
absl::StatusOr<Settings> ReadSettings(const Options& options);

/// The account of the options, in their zone or in `zone`. Where they have no key it is that of
/// exo, Exoscale's own tool, on the driver's host: the account that kAccountFlag names, else its
/// default one, in EXOSCALE_CONFIG or exoscale/exoscale.toml of the folder of configurations.
/// Errors: BadOption().
absl::StatusOr<Credentials> ReadCredentials(const Options& options, const Environment& environment,
                                            absl::string_view zone = "");

/// Values that Exoscale no longer has. Errors: PreCreateCheckFailed() with what to use instead.
absl::Status CheckRetiredValues(const Options& options);

}  // namespace machine::driver::exoscale

#endif  // DRIVERS_EXOSCALE_SETTINGS_H_
