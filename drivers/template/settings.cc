#include "drivers/template/settings.h"

#include "drivers/sdk/cloud/choices.h"
#include "services/common/status/status.h"

namespace machine::driver::template_cloud {
namespace {

constexpr absl::string_view kSshUserFlag = "template-ssh-user";
constexpr absl::string_view kUserDataFlag = "template-userdata";
constexpr absl::string_view kUserDataTextFlag = "template-userdata-text";
constexpr absl::string_view kKeyPathFlag = "template-ssh-key-path";

constexpr size_t kMaxUserDataBytes = 64 << 10;

// What worked once, and what to use instead.
constexpr Retired kRetired[] = {
    {kImageFlag, "ubuntu-14*", "is gone; leave --template-image out to get the newest Ubuntu LTS"},
};

}  // namespace

Flags TemplateFlags() {
  return Flags()
      .String(kTokenFlag)
      .Usage("Token of the API")
      .Env("TEMPLATE_TOKEN")
      .Secret()
      .Required()
      .String(kRegionFlag)
      .Usage("Region")
      .Env("TEMPLATE_REGION")
      .Default("north")
      .String(kSizeFlag)
      .Usage("Size (default: the smallest in the region with 1 GiB of memory)")
      .Env("TEMPLATE_SIZE")
      .String(kImageFlag)
      .Usage("Image (default: the newest Ubuntu LTS)")
      .Env("TEMPLATE_IMAGE")
      .String(kUserDataFlag)
      .Usage("File with user data for cloud-init")
      .Env("TEMPLATE_USERDATA")
      .ContentTo(kUserDataTextFlag)
      .String(kUserDataTextFlag)
      .Usage("User data for cloud-init as text")
      .String(kKeyPathFlag)
      .Usage("File with the private ssh key to use (default: a new one for the machine)")
      .Env("TEMPLATE_SSH_KEY_PATH")
      .SshPrivateKey()
      .String(kSshUserFlag)
      .Usage("User to log in as: root, or one with sudo and no password")
      .Env("TEMPLATE_SSH_USER")
      .Default("root")
      .String(kEndpointFlag)
      .Usage("URL of the API")
      .Env("TEMPLATE_ENDPOINT")
      .Default("https://api.template.example");
}

absl::StatusOr<Settings> ReadSettings(const Options& options) {
  Settings settings = {.region = options.GetString(kRegionFlag),
                       .size = options.GetString(kSizeFlag),
                       .image = options.GetString(kImageFlag),
                       .ssh_user = options.GetString(kSshUserFlag),
                       .user_data = options.GetString(kUserDataTextFlag)};
  if (settings.user_data.size() > kMaxUserDataBytes) {
    return BadOption(kUserDataFlag, "at most 64 KiB of user data are taken");
  }
  return settings;
}

absl::StatusOr<Credentials> ReadCredentials(const Options& options) {
  Credentials credentials;
  DM_ASSIGN_OR_RETURN(credentials.endpoint,
                      ParseApiEndpoint(kEndpointFlag, options.GetString(kEndpointFlag)));
  credentials.token = options.GetSecret(kTokenFlag);
  // It goes into a header.
  if (credentials.token.find_first_of(" \t\r\n") != std::string::npos) {
    return BadOption(kTokenFlag, "a token has no spaces or line ends in it");
  }
  return credentials;
}

absl::Status CheckRetiredValues(const Options& options) { return CheckRetired(options, kRetired); }

}  // namespace machine::driver::template_cloud
