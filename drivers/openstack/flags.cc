#include "drivers/openstack/flag_names.h"
#include "drivers/openstack/settings.h"

namespace machine::driver::openstack {
namespace {

void AddIdentityFlags(Flags& flags) {
  flags.String(kAuthUrlFlag)
      .Usage("URL of Identity (Keystone), with or without /v3")
      .Env("OS_AUTH_URL")
      .String(kCloudFlag)
      .Usage("Cloud of clouds.yaml to take what is not given from")
      .Env("OS_CLOUD")
      .String(kCloudsFileFlag)
      .Usage("clouds.yaml (default: that of the driver's host, in ~/.config or /etc/openstack)")
      .Env("OS_CLIENT_CONFIG_FILE")
      .ContentTo(kCloudsTextFlag)
      .String(kCloudsTextFlag)
      .Usage("Text of clouds.yaml")
      .Secret()
      .String(kSecureFileFlag)
      .Usage("secure.yaml, whose values count for more than those of clouds.yaml")
      .Env("OS_CLIENT_SECURE_FILE")
      .ContentTo(kSecureTextFlag)
      .String(kSecureTextFlag)
      .Usage("Text of secure.yaml")
      .Secret()
      .String(kUsernameFlag)
      .Usage("User, by name")
      .Env("OS_USERNAME")
      .String(kUserIdFlag)
      .Usage("User, by id")
      .Env("OS_USER_ID")
      .String(kPasswordFlag)
      .Usage("Password of the user")
      .Env("OS_PASSWORD")
      .Secret()
      .String(kTokenFlag)
      .Usage("Token that was issued before, instead of user and password")
      .Env("OS_TOKEN")
      .Env("OS_AUTH_TOKEN")
      .Secret()
      .String(kApplicationIdFlag)
      .Usage("Application credential, by id, instead of user and password")
      .Env("OS_APPLICATION_CREDENTIAL_ID")
      .String(kApplicationNameFlag)
      .Usage("Application credential of the user, by name")
      .Env("OS_APPLICATION_CREDENTIAL_NAME")
      .String(kApplicationSecretFlag)
      .Usage("Secret of the application credential")
      .Env("OS_APPLICATION_CREDENTIAL_SECRET")
      .Secret()
      .String(kTenantNameFlag)
      .Usage("Project, by name")
      .Env("OS_PROJECT_NAME")
      .Env("OS_TENANT_NAME")
      .Alias("openstack-project-name")
      .String(kTenantIdFlag)
      .Usage("Project, by id")
      .Env("OS_PROJECT_ID")
      .Env("OS_TENANT_ID")
      .Alias("openstack-project-id");
}

void AddDomainFlags(Flags& flags) {
  flags.String(kDomainNameFlag)
      .Usage("Domain of user and project, by name (default: the domain with the id \"default\")")
      .Env("OS_DOMAIN_NAME")
      .String(kDomainIdFlag)
      .Usage("Domain of user and project, by id")
      .Env("OS_DOMAIN_ID")
      .Env("OS_DEFAULT_DOMAIN")
      .String(kUserDomainNameFlag)
      .Usage("Domain of the user, by name")
      .Env("OS_USER_DOMAIN_NAME")
      .String(kUserDomainIdFlag)
      .Usage("Domain of the user, by id")
      .Env("OS_USER_DOMAIN_ID")
      .String(kProjectDomainNameFlag)
      .Usage("Domain of the project, by name")
      .Env("OS_PROJECT_DOMAIN_NAME")
      .String(kProjectDomainIdFlag)
      .Usage("Domain of the project, by id")
      .Env("OS_PROJECT_DOMAIN_ID")
      .String(kRegionFlag)
      .Usage("Region (default: the only one)")
      .Env("OS_REGION_NAME")
      .String(kEndpointTypeFlag)
      .Usage(
          "Which addresses of the catalogue to use: publicURL, internalURL or adminURL (default: "
          "publicURL)")
      .Env("OS_ENDPOINT_TYPE")
      .Env("OS_INTERFACE")
      .Bool(kInsecureFlag)
      .Usage("Do not verify the cloud's certificate: whoever is in between can read and change all")
      .Env("OS_INSECURE")
      .String(kCaCertFlag)
      .Usage("File with the authorities to trust, instead of the system's")
      .Env("OS_CACERT")
      .ContentTo(kCaCertTextFlag)
      .String(kCaCertTextFlag)
      .Usage("Text of such a file");
}

void AddServerFlags(Flags& flags) {
  flags.String(kFlavorNameFlag)
      .Usage("Flavor, by name (default: the smallest with 1 GiB of memory that the image fits in)")
      .Env("OS_FLAVOR_NAME")
      .String(kFlavorIdFlag)
      .Usage("Flavor, by id")
      .Env("OS_FLAVOR_ID")
      .String(kImageNameFlag)
      .Usage("Image, by name (default: the cloud's newest Ubuntu LTS)")
      .Env("OS_IMAGE_NAME")
      .String(kImageIdFlag)
      .Usage("Image, by id")
      .Env("OS_IMAGE_ID")
      .String(kZoneFlag)
      .Usage("Availability zone (default: the cloud's choice)")
      .Env("OS_AVAILABILITY_ZONE")
      .Bool(kConfigDriveFlag)
      .Usage("Give the server a config drive, for clouds without a metadata service")
      .Env("OS_CONFIG_DRIVE")
      .Bool(kBootFromVolumeFlag)
      .Usage("Boot from a new volume with the image on it, which goes with the machine")
      .Env("OS_BOOT_FROM_VOLUME")
      .Int(kVolumeSizeFlag)
      .Usage("Size of that volume (default: the flavor's disk, at least 10 GiB)")
      .Env("OS_VOLUME_SIZE")
      .Unit("GiB")
      .Range(1, 65'536)
      .String(kVolumeTypeFlag)
      .Usage("Type of that volume (default: the cloud's)")
      .Env("OS_VOLUME_TYPE")
      .StringList(kMetadataFlag)
      .Usage("Metadata KEY=VALUE of the server, or several with commas; may be repeated")
      .Env("OS_METADATA")
      .Int(kActiveTimeoutFlag)
      .Usage("How long the server may take to run")
      .Env("OS_ACTIVE_TIMEOUT")
      .Unit("s")
      .Default(int64_t{600})
      .Range(1, 86'400);
}

void AddNetworkFlags(Flags& flags) {
  flags.String(kNetNameFlag)
      .Usage("Network, by name (default: the project's only one)")
      .Env("OS_NETWORK_NAME")
      .String(kNetIdFlag)
      .Usage("Network, by id")
      .Env("OS_NETWORK_ID")
      .String(kSecGroupsFlag)
      .Usage(
          "Security groups of the machine, names or ids, with commas (default: one of the "
          "driver's own)")
      .Env("OS_SECURITY_GROUPS")
      .StringList(kOpenCidrFlag)
      .Usage(
          "Range that may reach ssh (--openstack-ssh-port), the engine (2376) and swarm (3376), "
          "by a security group of the driver's own; \"none\" for no such group (default: "
          "0.0.0.0/0 where --openstack-sec-groups names none); may be repeated")
      .Env("OS_OPEN_CIDR")
      .String(kPoolFlag)
      .Usage(
          "External network, by name or id, to take a floating IP of the machine from; a free "
          "one of the project is used first")
      .Env("OS_FLOATINGIP_POOL")
      .Int(kIpVersionFlag)
      .Usage("Which of the server's addresses to use: 4 or 6")
      .Env("OS_IP_VERSION")
      .Default(int64_t{4})
      .Bool(kPrivateOnlyFlag)
      .Usage("Reach the machine by its address in the private network")
      .Env("OS_PRIVATE_ADDRESS_ONLY")
      .Bool(kNovaNetworkFlag)
      .Usage("Refused: nova-network is gone")
      .Env("OS_NOVA_NETWORK")
      .DeprecatedBy("nova-network left OpenStack in 2020; networks are Neutron's");
}

void AddLoginFlags(Flags& flags) {
  flags.String(kUserDataFlag)
      .Usage("File with user data for cloud-init")
      .Env("OS_USER_DATA_FILE")
      .ContentTo(kUserDataTextFlag)
      .String(kUserDataTextFlag)
      .Usage("User data for cloud-init as text")
      .String(kKeyPairFlag)
      .Usage("Key pair of the user to log in with; --openstack-private-key-file has its other half")
      .Env("OS_KEYPAIR_NAME")
      .String(kPrivateKeyFlag)
      .Usage("File with the private ssh key to use (default: a new one for the machine)")
      .Env("OS_PRIVATE_KEY_FILE")
      .SshPrivateKey()
      .String(kSshUserFlag)
      .Usage("User to log in as: root, or one with sudo and no password, such as ubuntu")
      .Env("OS_SSH_USER")
      .Default("root")
      .Int(kSshPortFlag)
      .Usage("Port of the image's ssh server")
      .Env("OS_SSH_PORT")
      .Default(int64_t{22})
      .Range(1, 65535);
}

}  // namespace

Flags OpenStackFlags() {
  Flags flags;
  AddIdentityFlags(flags);
  AddDomainFlags(flags);
  AddServerFlags(flags);
  AddNetworkFlags(flags);
  AddLoginFlags(flags);
  return flags;
}

}  // namespace machine::driver::openstack
