// The flags of the driver, and what they ask for.
#ifndef DRIVERS_AMAZONEC2_SETTINGS_H_
#define DRIVERS_AMAZONEC2_SETTINGS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/amazonec2/credentials.h"
#include "drivers/sdk/driver.h"

namespace machine::driver::amazonec2 {

inline constexpr absl::string_view kRegionFlag = "amazonec2-region";
inline constexpr absl::string_view kZoneFlag = "amazonec2-zone";
inline constexpr absl::string_view kAmiFlag = "amazonec2-ami";
inline constexpr absl::string_view kTypeFlag = "amazonec2-instance-type";
inline constexpr absl::string_view kVpcFlag = "amazonec2-vpc-id";
inline constexpr absl::string_view kSubnetFlag = "amazonec2-subnet-id";
inline constexpr absl::string_view kGroupFlag = "amazonec2-security-group";
inline constexpr absl::string_view kKeyPairFlag = "amazonec2-keypair-name";
inline constexpr absl::string_view kOpenCidrFlag = "amazonec2-open-cidr";

inline constexpr int kSshPort = 22;
/// Port of every machine's engine.
inline constexpr int kEnginePort = 2376;
inline constexpr int kSwarmPort = 3376;

/// What a machine is to be.
struct Settings {
  std::string region;
  /// "a"; empty for any.
  std::string zone;
  /// Empty for the newest image of Ubuntu LTS.
  std::string ami;
  /// Empty for the smallest of the free tier that the region has.
  std::string instance_type;
  /// Empty for the region's default.
  std::string vpc_id;
  std::string subnet_id;
  /// Names or ids; empty for a group of the machine's own.
  std::vector<std::string> groups;
  /// The groups stay as they are.
  bool groups_read_only = false;
  /// Who may reach the machine.
  std::vector<std::string> open_cidrs;
  int64_t root_size_gib = 0;
  std::string volume_type;
  /// Empty for the image's.
  std::string device_name;
  /// Name or ARN; may be empty.
  std::string iam_profile;
  bool spot = false;
  /// Dollars an hour; empty for as much as on demand.
  std::string spot_price;
  bool private_address_only = false;
  bool use_private_address = false;
  bool monitoring = false;
  bool ebs_optimized = false;
  /// "required" or "optional": whether the metadata service wants a token (IMDSv2).
  std::string metadata_tokens;
  std::vector<std::pair<std::string, std::string>> tags;
  std::string user_data;
  /// A key pair of the account; empty for one of the machine's own.
  std::string key_pair;
  std::string ssh_user;
};

Flags AmazonEc2Flags();

/// Reads options. Errors: BadOption().
absl::StatusOr<Settings> ReadSettings(const Options& options);
absl::StatusOr<AccountSettings> ReadAccount(const Options& options);

}  // namespace machine::driver::amazonec2

#endif  // DRIVERS_AMAZONEC2_SETTINGS_H_
