#include "drivers/hypervisor/guest_options.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "drivers/sdk/errors.h"
#include "services/common/crypto/digest.h"
#include "services/common/status/status.h"

namespace machine::driver::hypervisor {
namespace {

using Json = nlohmann::ordered_json;

// As useradd(8) of Debian allows.
constexpr size_t kMaxUserName = 32;

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

}  // namespace

std::string FlagPrefix::Flag(absl::string_view leaf) const { return absl::StrCat(name, "-", leaf); }

Flags& FlagPrefix::AddString(Flags& flags, absl::string_view leaf) const {
  flags.String(Flag(leaf));
  return alias.empty() ? flags : flags.Alias(absl::StrCat(alias, "-", leaf));
}

Flags& AddGuestFlags(Flags& flags, const FlagPrefix& prefix, absl::string_view image_usage) {
  prefix.AddString(flags, "image")
      .Usage(image_usage)
      .Env(absl::StrCat(prefix.environment, "_IMAGE"));
  prefix.AddString(flags, "image-checksum")
      .Usage("sha256:HEX or sha512:HEX of the image, or the URL of a list such as SHA256SUMS")
      .Env(absl::StrCat(prefix.environment, "_IMAGE_CHECKSUM"));
  prefix.AddString(flags, "userdata")
      .Usage("File with user data for cloud-init")
      .Env(absl::StrCat(prefix.environment, "_USERDATA"))
      .ContentTo(prefix.Flag("userdata-text"));
  prefix.AddString(flags, "userdata-text").Usage("User data for cloud-init as text");
  return prefix.AddString(flags, "ssh-user")
      .Usage("User to make in the machine and to log in as, with sudo")
      .Env(absl::StrCat(prefix.environment, "_SSH_USER"))
      .Default("machine");
}

absl::StatusOr<GuestOptions> ReadGuestOptions(const Options& options, const FlagPrefix& prefix) {
  GuestOptions guest = {.image = {.url = options.GetString(prefix.Flag("image")),
                                  .checksum = options.GetString(prefix.Flag("image-checksum"))},
                        .user_data = options.GetString(prefix.Flag("userdata-text")),
                        .ssh_user = options.GetString(prefix.Flag("ssh-user"))};
  DM_RETURN_IF_ERROR(
      CheckImageSource(guest.image, prefix.Flag("image"), prefix.Flag("image-checksum")));
  DM_RETURN_IF_ERROR(CheckGuestUser(guest.ssh_user, prefix.Flag("ssh-user")));
  return guest;
}

absl::Status CheckImageSource(const ImageSource& image, absl::string_view image_flag,
                              absl::string_view checksum_flag) {
  const bool is_url = absl::StartsWith(image.url, "https://") ||
                      absl::StartsWith(image.url, "http://") ||
                      absl::StartsWith(image.url, "file:///");
  // Of Windows, "C:\…", too.
  const bool is_path =
      absl::StartsWith(image.url, "/") || (image.url.size() > 2 && image.url[1] == ':' &&
                                           (image.url[2] == '\\' || image.url[2] == '/'));
  if (!image.url.empty() && !is_url && !is_path) {
    return BadOption(
        image_flag,
        absl::StrCat("\"", image.url, "\" is no absolute path and no http, https or file URL"));
  }
  if (absl::StartsWith(image.url, "http://") && image.checksum.empty()) {
    return BadOption(image_flag, absl::StrCat("over http anybody on the way can change the image: "
                                              "use https, or give --",
                                              checksum_flag));
  }
  if (!image.checksum.empty() && !is_url) {
    return BadOption(checksum_flag, "only an image with a URL is checked");
  }
  return absl::OkStatus();
}

absl::Status CheckGuestUser(absl::string_view user, absl::string_view flag) {
  bool good = !user.empty() && user.size() <= kMaxUserName && user[0] != '-' &&
              !absl::ascii_isdigit(static_cast<unsigned char>(user[0])) && user != "root";
  for (const char c : user) {
    good = good && (absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-');
  }
  if (good) return absl::OkStatus();
  return BadOption(flag, absl::StrCat("\"", user,
                                      "\" is no name of a user to make; the user may become root "
                                      "by sudo"));
}

absl::StatusOr<Share> ReadShare(absl::string_view text, absl::string_view flag) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ':');
  const bool well_formed = (parts.size() == 2 || (parts.size() == 3 && parts[2] == "ro")) &&
                           absl::StartsWith(parts[0], "/") && absl::StartsWith(parts[1], "/") &&
                           parts[1].size() > 1;
  // White space would end a field of fstab in the guest.
  if (!well_formed || text.find_first_of(" \t\n") != absl::string_view::npos) {
    return BadOption(flag, absl::StrCat("\"", text,
                                        "\" is not /source:/target or /source:/target:ro, without "
                                        "blanks"));
  }
  return Share{std::string(parts[0]), std::string(parts[1]), parts.size() == 3};
}

std::string ShareText(const Share& share) {
  return absl::StrCat(share.source, ":", share.target, share.read_only ? ":ro" : "");
}

absl::Status CheckSameSettings(absl::string_view instance, absl::string_view made,
                               absl::string_view wanted) {
  const Json before = Json::parse(std::string(made), nullptr, /*allow_exceptions=*/false);
  const Json now = Json::parse(std::string(wanted), nullptr, /*allow_exceptions=*/false);
  std::vector<std::string> differences;
  for (const auto& [flag, value] : now.items()) {
    const auto it = before.is_object() ? before.find(flag) : before.end();
    if (it == before.end()) {
      differences.push_back(absl::StrCat("--", flag, " is not known"));
    } else if (*it != value) {
      differences.push_back(
          absl::StrCat("--", flag, " was ", Dump(*it), ", asked for is ", Dump(value)));
    }
  }
  if (differences.empty()) return absl::OkStatus();
  return InstanceDiffers(instance, absl::StrJoin(differences, "; "));
}

std::string ImportedField(const MachineSpec& machine, absl::string_view key) {
  const Json json = Json::parse(machine.state.value_or(""), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return "";
  const auto it = json.find(std::string(key));
  return it != json.end() && it->is_string() ? it->get<std::string>() : std::string();
}

std::string MacAddress(absl::string_view prefix, absl::string_view uid, int index) {
  const std::string digest = common::Sha256Hex(absl::StrCat(uid, "/", index));
  return absl::StrCat(prefix, ":", digest.substr(0, 2), ":", digest.substr(2, 2), ":",
                      digest.substr(4, 2));
}

}  // namespace machine::driver::hypervisor
