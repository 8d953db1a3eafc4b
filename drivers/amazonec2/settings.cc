#include "drivers/amazonec2/settings.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "drivers/sdk/cloud/choices.h"
#include "services/common/status/status.h"

namespace machine::driver::amazonec2 {
namespace {

constexpr absl::string_view kReadOnlyFlag = "amazonec2-security-group-readonly";
constexpr absl::string_view kRootSizeFlag = "amazonec2-root-size";
constexpr absl::string_view kVolumeTypeFlag = "amazonec2-volume-type";
constexpr absl::string_view kDeviceFlag = "amazonec2-device-name";
constexpr absl::string_view kIamProfileFlag = "amazonec2-iam-instance-profile";
constexpr absl::string_view kSpotFlag = "amazonec2-request-spot-instance";
constexpr absl::string_view kSpotPriceFlag = "amazonec2-spot-price";
constexpr absl::string_view kPrivateOnlyFlag = "amazonec2-private-address-only";
constexpr absl::string_view kUsePrivateFlag = "amazonec2-use-private-address";
constexpr absl::string_view kMonitoringFlag = "amazonec2-monitoring";
constexpr absl::string_view kEbsOptimizedFlag = "amazonec2-use-ebs-optimized-instance";
constexpr absl::string_view kMetadataFlag = "amazonec2-metadata-token";
constexpr absl::string_view kTagsFlag = "amazonec2-tags";
constexpr absl::string_view kUserDataFlag = "amazonec2-userdata";
constexpr absl::string_view kUserDataTextFlag = "amazonec2-userdata-text";
constexpr absl::string_view kKeyPathFlag = "amazonec2-ssh-keypath";
constexpr absl::string_view kSshUserFlag = "amazonec2-ssh-user";
constexpr absl::string_view kEndpointFlag = "amazonec2-endpoint";

// Of RunInstances, before base64.
constexpr size_t kMaxUserDataBytes = 16 << 10;
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions
constexpr size_t kMaxTagKeyBytes = 128;
constexpr size_t kMaxTagValueBytes = 256;

Flags& AddAccountFlags(Flags& flags) {
  return flags.String(kAccessKeyFlag)
      .Usage(
          "Access key id (default: of the profile, or of the host of the driver: its environment, "
          "its ~/.aws, its role as an instance of EC2)")
      .Env("AWS_ACCESS_KEY_ID")
      .Secret()
      .String(kSecretKeyFlag)
      .Usage("Secret access key")
      .Env("AWS_SECRET_ACCESS_KEY")
      .Secret()
      .String(kSessionTokenFlag)
      .Usage("Session token of temporary credentials")
      .Env("AWS_SESSION_TOKEN")
      .Secret()
      .String(kProfileFlag)
      .Usage(
          "Profile in ~/.aws/credentials and ~/.aws/config, which are read where the driver runs, "
          "not where the command is given")
      .Env("AWS_PROFILE")
      .String(kRoleFlag)
      .Usage("Role to take on with these credentials (STS AssumeRole)")
      .String(kRegionFlag)
      .Usage("Region")
      .Env("AWS_DEFAULT_REGION")
      .Env("AWS_REGION")
      .Default("us-east-1");
}

Flags& AddPlaceFlags(Flags& flags) {
  return flags.String(kVpcFlag)
      .Usage("Id of the VPC (default: the region's default VPC)")
      .Env("AWS_VPC_ID")
      .String(kZoneFlag)
      .Usage("Zone of the region, one of a, b, c, ... (default: a, or another with a subnet)")
      .Env("AWS_ZONE")
      .String(kSubnetFlag)
      .Usage("Id of the subnet (default: one of the VPC in the zone)")
      .Env("AWS_SUBNET_ID")
      .StringList(kGroupFlag)
      .Usage("Security group, by name or id (default: a new one for the machine)")
      .Env("AWS_SECURITY_GROUP")
      .Bool(kReadOnlyFlag)
      .Usage("Add no rules to the security groups that are named")
      .Env("AWS_SECURITY_GROUP_READONLY")
      .StringList(kOpenCidrFlag)
      .Usage(
          "Range that may reach ssh (22), the engine (2376) and swarm (3376) (default: 0.0.0.0/0)")
      .Env("AWS_OPEN_CIDR")
      .Bool(kPrivateOnlyFlag)
      .Usage("Give the instance no public address")
      .Bool(kUsePrivateFlag)
      .Usage("Reach the instance by its private address, though it has a public one")
      .Env("AWS_USE_PRIVATE_ADDRESS");
}

Flags& AddInstanceFlags(Flags& flags) {
  return flags.String(kAmiFlag)
      .Usage("Id of the image (default: the newest of Ubuntu 24.04 LTS by Canonical)")
      .Env("AWS_AMI")
      .String(kTypeFlag)
      .Usage("Instance type (default: t2.micro, or t3.micro where the region lacks that)")
      .Env("AWS_INSTANCE_TYPE")
      .Int(kRootSizeFlag)
      .Usage("Size of the root disk")
      .Env("AWS_ROOT_SIZE")
      .Unit("GiB")
      .Default(int64_t{16})
      .Range(1, 65536)
      .String(kVolumeTypeFlag)
      .Usage("Type of the root disk (EBS)")
      .Env("AWS_VOLUME_TYPE")
      .OneOf({"gp3", "gp2", "standard", "st1", "sc1"})
      .Default("gp3")
      .String(kDeviceFlag)
      .Usage("Device name of the root disk (default: the image's)")
      .Env("AWS_DEVICE_NAME")
      .String(kIamProfileFlag)
      .Usage("Instance profile of IAM, by name or ARN")
      .Env("AWS_INSTANCE_PROFILE")
      .Bool(kSpotFlag)
      .Usage("Ask for a spot instance; it cannot be stopped, only removed")
      .String(kSpotPriceFlag)
      .Usage(
          "The most to pay for a spot instance, in dollars an hour; empty for the price on demand")
      .Default("0.50")
      .Bool(kMonitoringFlag)
      .Usage("Have CloudWatch monitor in detail; costs extra")
      .Bool(kEbsOptimizedFlag)
      .Usage("Ask for an EBS-optimized instance")
      .String(kMetadataFlag)
      .Usage("Whether the metadata service wants a token (IMDSv2)")
      .Env("AWS_METADATA_TOKEN")
      .OneOf({"required", "optional"})
      .Default("required")
      .String(kTagsFlag)
      .Usage("Tags for all that is made, as key1,value1,key2,value2")
      .Env("AWS_TAGS");
}

Flags& AddLoginFlags(Flags& flags) {
  return flags.String(kUserDataFlag)
      .Usage("File with user data for cloud-init")
      .Env("AWS_USERDATA")
      .ContentTo(kUserDataTextFlag)
      .String(kUserDataTextFlag)
      .Usage("User data for cloud-init as text")
      .String(kKeyPairFlag)
      .Usage("Key pair of the account to use; its private key goes with --amazonec2-ssh-keypath")
      .Env("AWS_KEYPAIR_NAME")
      .String(kKeyPathFlag)
      .Usage("File with the private ssh key to use (default: a new one for the machine)")
      .Env("AWS_SSH_KEYPATH")
      .SshPrivateKey()
      .String(kSshUserFlag)
      .Usage("User to log in as")
      .Env("AWS_SSH_USER")
      .Default("ubuntu")
      .String(kEndpointFlag)
      .Usage("URL of the API, for EC2, SSM and STS (default: AWS's own of the region)")
      .Env("AWS_ENDPOINT");
}

// Nothing that would lead elsewhere in a host name or a header.
absl::Status CheckWord(absl::string_view flag, absl::string_view text) {
  const bool good = std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-';
  });
  if (good) return absl::OkStatus();
  return BadOption(flag, absl::StrCat("\"", text, "\" has more than letters, digits and dashes"));
}

absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ParseTags(
    const std::string& text) {
  std::vector<std::pair<std::string, std::string>> tags;
  if (text.empty()) return tags;
  const std::vector<std::string> parts = absl::StrSplit(text, ',');
  if (parts.size() % 2 != 0) {
    return BadOption(kTagsFlag, "keys and values come in pairs: key1,value1,key2,value2");
  }
  for (size_t i = 0; i < parts.size(); i += 2) {
    const std::string& key = parts[i];
    if (key.empty() || key.size() > kMaxTagKeyBytes || parts[i + 1].size() > kMaxTagValueBytes) {
      return BadOption(kTagsFlag, "a key has 1 to 128 characters, and a value at most 256");
    }
    if (absl::StartsWithIgnoreCase(key, "aws:") || absl::StartsWith(key, "docker-machine")) {
      return BadOption(kTagsFlag, absl::StrCat("key \"", key, "\" is reserved"));
    }
    tags.emplace_back(key, parts[i + 1]);
  }
  return tags;
}

absl::Status CheckSettings(const Settings& settings) {
  DM_RETURN_IF_ERROR(CheckWord(kRegionFlag, settings.region));
  if (settings.zone.size() > 1 ||
      (!settings.zone.empty() && !absl::ascii_islower(settings.zone[0]))) {
    return BadOption(kZoneFlag, "a zone is one letter: a, b, c, ...");
  }
  if (settings.user_data.size() > kMaxUserDataBytes) {
    return BadOption(kUserDataFlag, "EC2 takes at most 16 KiB of user data");
  }
  double price = 0;
  const bool is_price = absl::SimpleAtod(settings.spot_price, &price) && price > 0;
  if (!settings.spot_price.empty() && !is_price) {
    return BadOption(kSpotPriceFlag, "a price is a number of dollars, as 0.05");
  }
  for (const std::string& cidr : settings.open_cidrs) {
    DM_RETURN_IF_ERROR(CheckCidr(kOpenCidrFlag, cidr));
  }
  return absl::OkStatus();
}

}  // namespace

Flags AmazonEc2Flags() {
  Flags flags;
  AddAccountFlags(flags);
  AddInstanceFlags(flags);
  AddPlaceFlags(flags);
  AddLoginFlags(flags);
  return flags;
}

absl::StatusOr<Settings> ReadSettings(const Options& options) {
  Settings settings;
  settings.region = options.GetString(kRegionFlag);
  settings.zone = options.GetString(kZoneFlag);
  settings.ami = options.GetString(kAmiFlag);
  settings.instance_type = options.GetString(kTypeFlag);
  settings.vpc_id = options.GetString(kVpcFlag);
  settings.subnet_id = options.GetString(kSubnetFlag);
  settings.groups = options.GetList(kGroupFlag);
  settings.groups_read_only = options.GetBool(kReadOnlyFlag);
  settings.open_cidrs = options.GetList(kOpenCidrFlag);
  if (settings.open_cidrs.empty()) settings.open_cidrs = {"0.0.0.0/0"};
  settings.root_size_gib = options.GetInt(kRootSizeFlag);
  settings.volume_type = options.GetString(kVolumeTypeFlag);
  settings.device_name = options.GetString(kDeviceFlag);
  settings.iam_profile = options.GetString(kIamProfileFlag);
  settings.spot = options.GetBool(kSpotFlag);
  settings.spot_price = options.GetString(kSpotPriceFlag);
  settings.private_address_only = options.GetBool(kPrivateOnlyFlag);
  settings.use_private_address = options.GetBool(kUsePrivateFlag);
  settings.monitoring = options.GetBool(kMonitoringFlag);
  settings.ebs_optimized = options.GetBool(kEbsOptimizedFlag);
  settings.metadata_tokens = options.GetString(kMetadataFlag);
  DM_ASSIGN_OR_RETURN(settings.tags, ParseTags(options.GetString(kTagsFlag)));
  settings.user_data = options.GetString(kUserDataTextFlag);
  settings.key_pair = options.GetString(kKeyPairFlag);
  settings.ssh_user = options.GetString(kSshUserFlag);
  DM_RETURN_IF_ERROR(CheckSettings(settings));
  return settings;
}

absl::StatusOr<AccountSettings> ReadAccount(const Options& options) {
  AccountSettings account;
  account.region = options.GetString(kRegionFlag);
  if (!options.GetString(kEndpointFlag).empty()) {
    DM_ASSIGN_OR_RETURN(account.endpoint,
                        ParseApiEndpoint(kEndpointFlag, options.GetString(kEndpointFlag)));
  }
  account.access_key = options.GetSecret(kAccessKeyFlag);
  account.secret_key = options.GetSecret(kSecretKeyFlag);
  account.session_token = options.GetSecret(kSessionTokenFlag);
  account.profile = options.GetString(kProfileFlag);
  account.role_arn = options.GetString(kRoleFlag);
  if (account.access_key.empty() != account.secret_key.empty()) {
    return BadOption(account.access_key.empty() ? kAccessKeyFlag : kSecretKeyFlag,
                     "a key has an id and a secret; one of them is missing");
  }
  // They go into a header.
  for (const auto& [flag, value] : {std::pair(kAccessKeyFlag, &account.access_key),
                                    std::pair(kSessionTokenFlag, &account.session_token)}) {
    if (value->find_first_of(" \t\r\n,") != std::string::npos) {
      return BadOption(flag, "it has spaces or line ends in it");
    }
  }
  return account;
}

}  // namespace machine::driver::amazonec2
