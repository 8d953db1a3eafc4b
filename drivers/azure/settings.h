// The flags of the driver, and what they ask for.
#ifndef DRIVERS_AZURE_SETTINGS_H_
#define DRIVERS_AZURE_SETTINGS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/sdk/driver.h"

namespace machine::driver::azure {

inline constexpr absl::string_view kSubscriptionFlag = "azure-subscription-id";
inline constexpr absl::string_view kCertificateFlag = "azure-subscription-cert";
inline constexpr absl::string_view kCertificateTextFlag = "azure-subscription-cert-text";
inline constexpr absl::string_view kClientFlag = "azure-client-id";
inline constexpr absl::string_view kClientSecretFlag = "azure-client-secret";
inline constexpr absl::string_view kTenantFlag = "azure-tenant-id";
inline constexpr absl::string_view kTokenFlag = "azure-access-token";
inline constexpr absl::string_view kManagedIdentityFlag = "azure-managed-identity";
inline constexpr absl::string_view kEnvironmentFlag = "azure-environment";
inline constexpr absl::string_view kEndpointFlag = "azure-endpoint";
inline constexpr absl::string_view kAuthorityFlag = "azure-authority";
inline constexpr absl::string_view kLocationFlag = "azure-location";
inline constexpr absl::string_view kSizeFlag = "azure-size";
inline constexpr absl::string_view kImageFlag = "azure-image";
inline constexpr absl::string_view kUsernameFlag = "azure-username";
inline constexpr absl::string_view kPasswordFlag = "azure-password";
inline constexpr absl::string_view kPublishSettingsFlag = "azure-publish-settings-file";
inline constexpr absl::string_view kGroupFlag = "azure-resource-group";
inline constexpr absl::string_view kNetworkFlag = "azure-vnet";
inline constexpr absl::string_view kSubnetFlag = "azure-subnet";
inline constexpr absl::string_view kSubnetPrefixFlag = "azure-subnet-prefix";
inline constexpr absl::string_view kPrivateIpFlag = "azure-private-ip-address";
inline constexpr absl::string_view kNoPublicIpFlag = "azure-no-public-ip";
inline constexpr absl::string_view kDnsFlag = "azure-dns";
inline constexpr absl::string_view kZoneFlag = "azure-availability-zone";
inline constexpr absl::string_view kAvailabilitySetFlag = "azure-availability-set";
inline constexpr absl::string_view kDiskTypeFlag = "azure-storage-type";
inline constexpr absl::string_view kDiskSizeFlag = "azure-disk-size";
inline constexpr absl::string_view kOpenCidrFlag = "azure-open-cidr";

using Tags = std::map<std::string, std::string>;

/// An image of the marketplace, or one of the user's own.
struct ImageName {
  /// Of the marketplace; all four are empty for an own image, or for none.
  std::string publisher;
  std::string offer;
  std::string sku;
  /// May be "latest".
  std::string version;
  /// "/subscriptions/…" of an own one.
  std::string id;

  bool empty() const { return publisher.empty() && id.empty(); }
  /// As the flag takes it.
  std::string Text() const;
};

/// What a machine is to be.
struct Settings {
  std::string subscription;
  /// As "westus".
  std::string location;
  /// Empty for the smallest that is enough.
  std::string size;
  /// Empty for the newest Ubuntu LTS.
  ImageName image;
  std::string username;
  /// Secret; empty for login by key only.
  std::string password;
  int ssh_port = 22;
  int docker_port = 2376;
  /// Of the user; empty for one of the machine's own.
  std::string resource_group;
  /// Group and name of the user's network; both empty for one of the machine's own.
  std::string network_group;
  std::string network;
  std::string subnet;
  /// Of an own network.
  std::string subnet_prefix;
  /// Empty for one of Azure's choice.
  std::string private_ip;
  bool public_ip = true;
  bool use_private_ip = false;
  /// Label of the public address; empty for none.
  std::string dns_label;
  /// "1", "2", "3", or empty.
  std::string zone;
  std::string disk_type;
  /// 0 for the image's own size.
  int64_t disk_gb = 0;
  std::string custom_data;
  Tags tags;
  /// Who may reach the machine; empty for nobody from outside.
  std::vector<std::string> open_cidrs;
  /// Further ports, as "8080/Tcp".
  std::vector<std::string> open_ports;
};

/// Where an account is, and its credentials: the first that is there counts.
struct Credentials {
  /// Of Resource Manager; also what tokens are asked for.
  std::string endpoint;
  std::string audience;
  /// Where tokens are asked for.
  std::string authority;
  std::string subscription;
  /// Empty: found out from the subscription.
  std::string tenant;
  std::string client_id;
  /// Secrets.
  std::string token;
  std::string certificate;
  std::string client_secret;
  /// The identity of the virtual machine that the driver runs on, and no other.
  bool managed_identity = false;
};

/// Reads options. Errors: BadOption().
absl::StatusOr<Settings> ReadSettings(const Options& options);
absl::StatusOr<Credentials> ReadCredentials(const Options& options);

/// "PUBLISHER:OFFER:SKU:VERSION", "/subscriptions/…", or empty. Errors: BadOption().
absl::StatusOr<ImageName> ReadImage(absl::string_view text);

/// "West US" as "westus".
std::string LocationName(absl::string_view text);

/// Values that Azure no longer has. Errors: PreCreateCheckFailed() with what to use instead.
absl::Status CheckRetiredValues(const Options& options);

}  // namespace machine::driver::azure

#endif  // DRIVERS_AZURE_SETTINGS_H_
