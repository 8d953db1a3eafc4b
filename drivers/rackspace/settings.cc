#include "drivers/rackspace/settings.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/choices.h"
#include "drivers/sdk/openstack/session.h"
#include "services/common/status/status.h"

namespace machine::driver::rackspace {
namespace {

constexpr absl::string_view kUsernameFlag = "rackspace-username";
constexpr absl::string_view kApiKeyFlag = "rackspace-api-key";
constexpr absl::string_view kRegionFlag = "rackspace-region";
constexpr absl::string_view kEndpointTypeFlag = "rackspace-endpoint-type";
constexpr absl::string_view kImageIdFlag = "rackspace-image-id";
constexpr absl::string_view kImageNameFlag = "rackspace-image-name";
constexpr absl::string_view kFlavorIdFlag = "rackspace-flavor-id";
constexpr absl::string_view kSshUserFlag = "rackspace-ssh-user";
constexpr absl::string_view kSshPortFlag = "rackspace-ssh-port";
constexpr absl::string_view kDockerInstallFlag = "rackspace-docker-install";
constexpr absl::string_view kUserDataFlag = "rackspace-user-data-file";
constexpr absl::string_view kUserDataTextFlag = "rackspace-user-data";
constexpr absl::string_view kKeyPairFlag = "rackspace-keypair-name";
constexpr absl::string_view kPrivateKeyFlag = "rackspace-private-key-file";
constexpr absl::string_view kMetadataFlag = "rackspace-metadata";
constexpr absl::string_view kPrivateOnlyFlag = "rackspace-private-address-only";
constexpr absl::string_view kActiveTimeoutFlag = "rackspace-active-timeout";
constexpr absl::string_view kEndpointFlag = "rackspace-endpoint";

constexpr absl::string_view kUseDefaultImage =
    "was an Ubuntu 14 and is gone; leave the flag out to get the newest Ubuntu LTS, or name an "
    "image with --rackspace-image-name";
constexpr Retired kRetired[] = {
    {kImageIdFlag, "598a4282-f14b-4e50-af4c-b3e52749d9f9", kUseDefaultImage},
    {kFlavorIdFlag, "performance*",
     "is a flavor of 2013 that takes no new servers; use general1-… or compute1-…"},
};

void AddServerFlags(Flags& flags) {
  flags.String(kImageIdFlag)
      .Usage("Image, by id (default: the newest Ubuntu LTS)")
      .String(kImageNameFlag)
      .Usage("Image, by name")
      .String(kFlavorIdFlag)
      .Usage("Flavor, by id")
      .Env("OS_FLAVOR_ID")
      .Default("general1-1")
      .StringList(kMetadataFlag)
      .Usage("Metadata KEY=VALUE of the server, or several with commas; may be repeated")
      .Env("RACKSPACE_METADATA")
      .Bool(kPrivateOnlyFlag)
      .Usage("Reach the machine by its address in ServiceNet")
      .Env("RACKSPACE_PRIVATE_ADDRESS_ONLY")
      .String(kUserDataFlag)
      .Usage("File with user data for cloud-init")
      .Env("RACKSPACE_USER_DATA_FILE")
      .ContentTo(kUserDataTextFlag)
      .String(kUserDataTextFlag)
      .Usage("User data for cloud-init as text")
      .String(kKeyPairFlag)
      .Usage("Key pair of the user to log in with; --rackspace-private-key-file has its other half")
      .Env("RACKSPACE_KEYPAIR_NAME")
      .String(kPrivateKeyFlag)
      .Usage("File with the private ssh key to use (default: a new one for the machine)")
      .Env("RACKSPACE_PRIVATE_KEY_FILE")
      .SshPrivateKey()
      .String(kSshUserFlag)
      .Usage("User to log in as: root, or one with sudo and no password")
      .Default("root")
      .Int(kSshPortFlag)
      .Usage("Port of the image's ssh server")
      .Default(int64_t{22})
      .Range(1, 65535)
      .Bool(kDockerInstallFlag)
      .Usage("Without effect: every machine gets an engine")
      .DefaultTrue()
      .Int(kActiveTimeoutFlag)
      .Usage("How long the server may take to run")
      .Env("RACKSPACE_ACTIVE_TIMEOUT")
      .Unit("s")
      .Default(int64_t{600})
      .Range(1, 86'400);
}

}  // namespace

Flags RackspaceFlags() {
  Flags flags;
  flags.String(kUsernameFlag)
      .Usage("Name of the account's user")
      .Env("OS_USERNAME")
      .Env("RAX_USERNAME")
      .Required()
      .String(kApiKeyFlag)
      .Usage("API key of the user")
      .Env("OS_API_KEY")
      .Env("RAX_API_KEY")
      .Secret()
      .Required()
      .String(kRegionFlag)
      .Usage("Region, such as DFW, IAD, ORD, LON, SYD, HKG")
      .Env("OS_REGION_NAME")
      .Env("RAX_REGION")
      .Required()
      .String(kEndpointTypeFlag)
      .Usage("Which addresses of the catalogue to use: publicURL, internalURL or adminURL")
      .Env("OS_ENDPOINT_TYPE")
      .Default("publicURL");
  AddServerFlags(flags);
  return flags.String(kEndpointFlag)
      .Usage("URL of Identity v2.0")
      .Env("RACKSPACE_ENDPOINT")
      .Default("https://identity.api.rackspacecloud.com/v2.0");
}

absl::StatusOr<Login> ReadLogin(const Options& options) {
  Login login = {.username = options.GetString(kUsernameFlag),
                 .api_key = options.GetSecret(kApiKeyFlag),
                 .region = options.GetString(kRegionFlag),
                 .interface = openstack::InterfaceOf(options.GetString(kEndpointTypeFlag))};
  DM_ASSIGN_OR_RETURN(login.endpoint,
                      ParseApiEndpoint(kEndpointFlag, options.GetString(kEndpointFlag)));
  if (login.interface.empty()) {
    return BadOption(kEndpointTypeFlag, "it is none of publicURL, internalURL, adminURL");
  }
  return login;
}

absl::StatusOr<openstack::Plan> ReadSettings(const Options& options) {
  openstack::Plan plan = {.flavor_id = options.GetString(kFlavorIdFlag),
                          .image_id = options.GetString(kImageIdFlag),
                          .image_name = options.GetString(kImageNameFlag),
                          .use_network = false,
                          .key_pair = options.GetString(kKeyPairFlag),
                          .user_data = options.GetString(kUserDataTextFlag),
                          .ssh_user = options.GetString(kSshUserFlag),
                          .ssh_port = static_cast<int>(options.GetInt(kSshPortFlag)),
                          .private_only = options.GetBool(kPrivateOnlyFlag),
                          .active_timeout = absl::Seconds(options.GetInt(kActiveTimeoutFlag))};
  if (!plan.image_id.empty() && !plan.image_name.empty()) {
    return BadOption(kImageNameFlag, absl::StrCat("give this or --", kImageIdFlag, ", not both"));
  }
  // Rackspace has no metadata service: cloud-init reads the drive.
  plan.config_drive = !plan.user_data.empty();
  DM_ASSIGN_OR_RETURN(plan.metadata,
                      openstack::ParseMetadata(kMetadataFlag, options.GetList(kMetadataFlag)));
  return plan;
}

absl::Status CheckOldValues(DriverCall& call, const Options& options) {
  DM_RETURN_IF_ERROR(CheckRetired(options, kRetired));
  call.Warning(
      "Rackspace's Cloud Servers with Identity v2.0 are its legacy cloud; for its newer cloud, "
      "OpenStack Flex, use the driver openstack");
  if (!options.GetBool(kDockerInstallFlag)) {
    call.Warning(absl::StrCat("--", kDockerInstallFlag,
                              "=false has no effect: every machine gets an engine"));
  }
  return absl::OkStatus();
}

}  // namespace machine::driver::rackspace
