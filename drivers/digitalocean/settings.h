// The flags of the driver, and what they ask for.
#ifndef DRIVERS_DIGITALOCEAN_SETTINGS_H_
#define DRIVERS_DIGITALOCEAN_SETTINGS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/sdk/driver.h"

namespace machine::driver::digitalocean {

inline constexpr absl::string_view kTokenFlag = "digitalocean-access-token";
inline constexpr absl::string_view kEndpointFlag = "digitalocean-endpoint";
inline constexpr absl::string_view kImageFlag = "digitalocean-image";
inline constexpr absl::string_view kRegionFlag = "digitalocean-region";
inline constexpr absl::string_view kSizeFlag = "digitalocean-size";
inline constexpr absl::string_view kVpcFlag = "digitalocean-vpc-uuid";
inline constexpr absl::string_view kKeyFlag = "digitalocean-ssh-key-fingerprint";
inline constexpr absl::string_view kOpenCidrFlag = "digitalocean-open-cidr";

/// Port of every machine's engine.
inline constexpr int kEnginePort = 2376;

/// What a machine is to be.
struct Settings {
  /// Empty for the newest Ubuntu LTS.
  std::string image;
  std::string region;
  /// Empty for the cheapest that is enough.
  std::string size;
  bool ipv6 = false;
  bool backups = false;
  bool monitoring = false;
  bool private_networking = false;
  bool private_address_only = false;
  std::vector<std::string> tags;
  std::string vpc_uuid;
  std::string user_data;
  /// Of a key of the account that may log in, too; may be empty.
  std::string key_fingerprint;
  /// Who may reach the machine; empty for everybody, without a firewall.
  std::vector<std::string> open_cidrs;
  std::string ssh_user;
  int ssh_port = 22;
};

/// Where an account is, and its credentials.
struct Credentials {
  std::string endpoint;
  /// Secret.
  std::string token;
};

Flags DigitalOceanFlags();

/// Reads options. Errors: BadOption().
absl::StatusOr<Settings> ReadSettings(const Options& options);
absl::StatusOr<Credentials> ReadCredentials(const Options& options);

/// Values that DigitalOcean no longer has. Errors: PreCreateCheckFailed() with what to use instead.
absl::Status CheckRetiredValues(const Options& options);

}  // namespace machine::driver::digitalocean

#endif  // DRIVERS_DIGITALOCEAN_SETTINGS_H_
