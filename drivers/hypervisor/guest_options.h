// Options that drivers of hypervisors read alike.
#ifndef DRIVERS_HYPERVISOR_GUEST_OPTIONS_H_
#define DRIVERS_HYPERVISOR_GUEST_OPTIONS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/hypervisor/image_store.h"
#include "drivers/sdk/driver.h"

namespace machine::driver::hypervisor {

/// A folder of the host that the guest sees at `target`.
struct Share {
  std::string source;
  std::string target;
  bool read_only = false;
};

/// What the flags of a driver that are named alike are for: "virtualbox" and "VIRTUALBOX" give
/// --virtualbox-image and VIRTUALBOX_IMAGE.
struct FlagPrefix {
  absl::string_view name;
  absl::string_view environment;
  /// Another spelling of `name`; empty for none.
  absl::string_view alias = "";

  /// "virtualbox-image" of "image".
  std::string Flag(absl::string_view leaf) const;
  /// Adds a flag of that name, by the other spelling, too.
  Flags& AddString(Flags& flags, absl::string_view leaf) const;
};

/// --X-image, --X-image-checksum, --X-userdata, --X-userdata-text, --X-ssh-user. `image_usage`
/// describes the first.
Flags& AddGuestFlags(Flags& flags, const FlagPrefix& prefix, absl::string_view image_usage);

/// The values of AddGuestFlags().
struct GuestOptions {
  /// Empty for the driver's default.
  ImageSource image;
  std::string user_data;
  std::string ssh_user;
};

/// Errors: BadOption().
absl::StatusOr<GuestOptions> ReadGuestOptions(const Options& options, const FlagPrefix& prefix);

/// Errors: BadOption() of `image_flag` or `checksum_flag`.
absl::Status CheckImageSource(const ImageSource& image, absl::string_view image_flag,
                              absl::string_view checksum_flag);

/// Whether `user` is a name of an account to make in the guest. Errors: BadOption().
absl::Status CheckGuestUser(absl::string_view user, absl::string_view flag);

/// Reads "/source:/target[:ro]". Errors: BadOption().
absl::StatusOr<Share> ReadShare(absl::string_view text, absl::string_view flag);

/// The reverse of ReadShare().
std::string ShareText(const Share& share);

/// InstanceDiffers() when `made`, the JSON object of a machine's flags, says other than `wanted`.
absl::Status CheckSameSettings(absl::string_view instance, absl::string_view made,
                               absl::string_view wanted);

/// The text `key` of the object `Driver` of the original's config.json, which is the state of a
/// machine that was imported; empty where there is none.
std::string ImportedField(const MachineSpec& machine, absl::string_view key);

/// The hardware address of a machine's network interface number `index`, computed from its uid:
/// "08:00:27:…" of `prefix` "08:00:27", lower case.
std::string MacAddress(absl::string_view prefix, absl::string_view uid, int index);

}  // namespace machine::driver::hypervisor

#endif  // DRIVERS_HYPERVISOR_GUEST_OPTIONS_H_
