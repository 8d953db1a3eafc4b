// The names of the driver's flags.
#ifndef DRIVERS_OPENSTACK_FLAG_NAMES_H_
#define DRIVERS_OPENSTACK_FLAG_NAMES_H_

#include "absl/strings/string_view.h"

namespace machine::driver::openstack {

inline constexpr absl::string_view kAuthUrlFlag = "openstack-auth-url";
inline constexpr absl::string_view kCloudFlag = "openstack-cloud";
inline constexpr absl::string_view kCloudsFileFlag = "openstack-clouds-file";
inline constexpr absl::string_view kCloudsTextFlag = "openstack-clouds-text";
inline constexpr absl::string_view kSecureFileFlag = "openstack-secure-file";
inline constexpr absl::string_view kSecureTextFlag = "openstack-secure-text";
inline constexpr absl::string_view kUsernameFlag = "openstack-username";
inline constexpr absl::string_view kUserIdFlag = "openstack-user-id";
inline constexpr absl::string_view kPasswordFlag = "openstack-password";
inline constexpr absl::string_view kTokenFlag = "openstack-token";
inline constexpr absl::string_view kApplicationIdFlag = "openstack-application-credential-id";
inline constexpr absl::string_view kApplicationNameFlag = "openstack-application-credential-name";
inline constexpr absl::string_view kApplicationSecretFlag =
    "openstack-application-credential-secret";
inline constexpr absl::string_view kTenantNameFlag = "openstack-tenant-name";
inline constexpr absl::string_view kTenantIdFlag = "openstack-tenant-id";
inline constexpr absl::string_view kDomainNameFlag = "openstack-domain-name";
inline constexpr absl::string_view kDomainIdFlag = "openstack-domain-id";
inline constexpr absl::string_view kUserDomainNameFlag = "openstack-user-domain-name";
inline constexpr absl::string_view kUserDomainIdFlag = "openstack-user-domain-id";
inline constexpr absl::string_view kProjectDomainNameFlag = "openstack-project-domain-name";
inline constexpr absl::string_view kProjectDomainIdFlag = "openstack-project-domain-id";
inline constexpr absl::string_view kRegionFlag = "openstack-region";
inline constexpr absl::string_view kEndpointTypeFlag = "openstack-endpoint-type";
inline constexpr absl::string_view kInsecureFlag = "openstack-insecure";
inline constexpr absl::string_view kCaCertFlag = "openstack-cacert";
inline constexpr absl::string_view kCaCertTextFlag = "openstack-cacert-text";
inline constexpr absl::string_view kFlavorNameFlag = "openstack-flavor-name";
inline constexpr absl::string_view kFlavorIdFlag = "openstack-flavor-id";
inline constexpr absl::string_view kImageNameFlag = "openstack-image-name";
inline constexpr absl::string_view kImageIdFlag = "openstack-image-id";
inline constexpr absl::string_view kZoneFlag = "openstack-availability-zone";
inline constexpr absl::string_view kConfigDriveFlag = "openstack-config-drive";
inline constexpr absl::string_view kBootFromVolumeFlag = "openstack-boot-from-volume";
inline constexpr absl::string_view kVolumeSizeFlag = "openstack-volume-size";
inline constexpr absl::string_view kVolumeTypeFlag = "openstack-volume-type";
inline constexpr absl::string_view kMetadataFlag = "openstack-metadata";
inline constexpr absl::string_view kActiveTimeoutFlag = "openstack-active-timeout";
inline constexpr absl::string_view kNetNameFlag = "openstack-net-name";
inline constexpr absl::string_view kNetIdFlag = "openstack-net-id";
inline constexpr absl::string_view kSecGroupsFlag = "openstack-sec-groups";
inline constexpr absl::string_view kOpenCidrFlag = "openstack-open-cidr";
inline constexpr absl::string_view kPoolFlag = "openstack-floatingip-pool";
inline constexpr absl::string_view kIpVersionFlag = "openstack-ip-version";
inline constexpr absl::string_view kPrivateOnlyFlag = "openstack-private-address-only";
inline constexpr absl::string_view kNovaNetworkFlag = "openstack-nova-network";
inline constexpr absl::string_view kUserDataFlag = "openstack-user-data-file";
inline constexpr absl::string_view kUserDataTextFlag = "openstack-user-data";
inline constexpr absl::string_view kKeyPairFlag = "openstack-keypair-name";
inline constexpr absl::string_view kPrivateKeyFlag = "openstack-private-key-file";
inline constexpr absl::string_view kSshUserFlag = "openstack-ssh-user";
inline constexpr absl::string_view kSshPortFlag = "openstack-ssh-port";

}  // namespace machine::driver::openstack

#endif  // DRIVERS_OPENSTACK_FLAG_NAMES_H_
