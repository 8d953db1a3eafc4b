// The small CD from which cloud-init takes what a fresh guest needs to know (datasource NoCloud).
#ifndef DRIVERS_HYPERVISOR_SEED_ISO_H_
#define DRIVERS_HYPERVISOR_SEED_ISO_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace machine::driver::hypervisor {

struct IsoFile {
  /// At most 30 characters of [A-Za-z0-9._-].
  std::string name;
  std::string contents;
};

/// An image of a CD with `files` in its root folder: ISO 9660 (ECMA-119) with the Joliet extension,
/// under which names keep their letters. `label` has at most 16 characters. The same input gives
/// the same bytes.
std::string MakeIso(absl::string_view label, std::vector<IsoFile> files);

/// A folder that the hypervisor offers to the guest, as a line of fstab.
struct GuestMount {
  /// The hypervisor's name of it.
  std::string source;
  /// Absolute path in the guest. No blanks here nor in the others.
  std::string target;
  std::string type;
  std::string options;
};

/// What a guest is told at its first boot.
struct GuestSeed {
  /// Changes when the guest is to be set up anew: the machine's uid.
  std::string instance_id;
  std::string hostname;
  /// Account to make, with sudo and no password.
  std::string user;
  std::string ssh_public_key;
  /// User data of the user's own, beside ours: a script ("#!"), "#cloud-config" or any other form
  /// that cloud-init takes. Empty for none.
  std::string extra_user_data;
  std::vector<GuestMount> mounts;
  /// Hardware addresses of all network interfaces, each of which is to ask by DHCP for its own
  /// address. Empty leaves it to cloud-init, which sets up one of them.
  std::vector<std::string> dhcp_interfaces;
};

/// cloud-init's user-data for `seed`: one #cloud-config, or a multi-part archive with the user's
/// own part in it.
std::string UserData(const GuestSeed& seed);
std::string MetaData(const GuestSeed& seed);
/// Version 2 of cloud-init's network configuration; empty where there is none.
std::string NetworkConfig(const GuestSeed& seed);

/// The CD, labelled "cidata" as NoCloud looks for it.
std::string MakeSeedIso(const GuestSeed& seed);

}  // namespace machine::driver::hypervisor

#endif  // DRIVERS_HYPERVISOR_SEED_ISO_H_
