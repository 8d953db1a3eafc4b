// The flags of the driver, and what they ask for.
#ifndef DRIVERS_SOFTLAYER_SETTINGS_H_
#define DRIVERS_SOFTLAYER_SETTINGS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/sdk/cloud/host_files.h"
#include "drivers/sdk/driver.h"

namespace machine::driver::softlayer {

inline constexpr absl::string_view kUserFlag = "softlayer-user";
inline constexpr absl::string_view kApiKeyFlag = "softlayer-api-key";
inline constexpr absl::string_view kEndpointFlag = "softlayer-api-endpoint";
inline constexpr absl::string_view kRegionFlag = "softlayer-region";
inline constexpr absl::string_view kCpuFlag = "softlayer-cpu";
inline constexpr absl::string_view kMemoryFlag = "softlayer-memory";
inline constexpr absl::string_view kDiskFlag = "softlayer-disk-size";
inline constexpr absl::string_view kImageFlag = "softlayer-image";
inline constexpr absl::string_view kPublicVlanFlag = "softlayer-public-vlan-id";
inline constexpr absl::string_view kPrivateVlanFlag = "softlayer-private-vlan-id";
inline constexpr absl::string_view kOpenCidrFlag = "softlayer-open-cidr";
inline constexpr absl::string_view kKeyIdFlag = "softlayer-ssh-key-id";

/// Port of every machine's engine.
inline constexpr int kEnginePort = 2376;

/// What a machine is to be.
struct Settings {
  /// Data center; empty for one that takes orders.
  std::string region;
  int64_t cpus = 0;
  int64_t memory_mib = 0;
  /// 0 for SoftLayer's default.
  int64_t disk_gib = 0;
  /// A code such as "UBUNTU_24_64", the id of an image template, or UBUNTU_LATEST.
  std::string image;
  std::string hostname;
  std::string domain;
  bool hourly = true;
  bool local_disk = false;
  bool private_only = false;
  /// 0 for any.
  int64_t public_vlan = 0;
  int64_t private_vlan = 0;
  /// Id of a key of the account that may log in, too; 0 for none.
  int64_t key_id = 0;
  /// Who may reach the machine; empty for everybody, without a security group.
  std::vector<std::string> open_cidrs;
  std::vector<std::string> tags;
  std::string ssh_user;
  std::string user_data;
};

/// Where an account is, and its credentials.
struct Credentials {
  /// With "/rest/v3.1", without a slash at its end.
  std::string endpoint;
  std::string user;
  /// Secret.
  std::string api_key;
};

Flags SoftLayerFlags();

/// Reads options. Errors: BadOption().
absl::StatusOr<Settings> ReadSettings(const Options& options);
/// Where the options have no key it is that of slcli, IBM's own tool, on the driver's host
/// (~/.softlayer).
absl::StatusOr<Credentials> ReadCredentials(const Options& options, const Environment& environment);

/// Whether the image is an image template of the account, by its globalIdentifier, and no code.
bool IsImageTemplate(absl::string_view image);

/// Values that SoftLayer no longer has. Errors: PreCreateCheckFailed() with what to use instead.
absl::Status CheckRetiredValues(const Options& options);

}  // namespace machine::driver::softlayer

#endif  // DRIVERS_SOFTLAYER_SETTINGS_H_
