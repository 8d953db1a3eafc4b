// The driver's create flags, and their values in a form to work with.
#ifndef DRIVERS_VIRTUALBOX_SETTINGS_H_
#define DRIVERS_VIRTUALBOX_SETTINGS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/hypervisor/guest_options.h"
#include "drivers/hypervisor/tool_hosts.h"
#include "drivers/sdk/flags.h"
#include "drivers/sdk/options.h"
#include "drivers/virtualbox/address_range.h"

namespace machine::driver::virtualbox {

inline constexpr hypervisor::FlagPrefix kPrefix = {"virtualbox", "VIRTUALBOX"};
inline constexpr absl::string_view kMemoryFlag = "virtualbox-memory";
inline constexpr absl::string_view kCpuFlag = "virtualbox-cpu-count";
inline constexpr absl::string_view kDiskFlag = "virtualbox-disk-size";
inline constexpr absl::string_view kIsoFlag = "virtualbox-boot2docker-url";
inline constexpr absl::string_view kImportFlag = "virtualbox-import-boot2docker-vm";
inline constexpr absl::string_view kImageFlag = "virtualbox-image";
inline constexpr absl::string_view kCidrFlag = "virtualbox-hostonly-cidr";
inline constexpr absl::string_view kShareFlag = "virtualbox-share-folder";
inline constexpr absl::string_view kNoVtxCheckFlag = "virtualbox-no-vtx-check";
inline constexpr absl::string_view kNatAddressFlag = "virtualbox-nat-address";

/// What a machine is to be.
struct Settings {
  hypervisor::HostAccess host;
  /// Image with cloud-init; not used where `iso` is given.
  hypervisor::GuestOptions guest;
  /// URL of a boot2docker ISO; empty for a cloud image.
  std::string iso;
  int64_t memory_mib = 0;
  /// -1 for as many as the host has.
  int64_t cpus = 0;
  int64_t disk_mib = 0;
  /// Whether the machine has an address of its own on a host-only network; else its ports are
  /// ports of VirtualBox's host.
  bool host_only = false;
  AddressRange range;
  bool no_dhcp = false;
  std::string host_only_nic;
  std::string promiscuous;
  std::string nat_nic;
  /// Where forwarded ports are; empty for all addresses of VirtualBox's host.
  std::string nat_address;
  bool host_dns_resolver = false;
  bool dns_proxy = true;
  std::string ui;
  /// How long a guest may take to shut down before it is powered off, unless a call says otherwise.
  absl::Duration stop_grace;
  bool check_vtx = true;
  std::vector<hypervisor::Share> shares;

  /// The account to log in as: boot2docker has its own.
  std::string ssh_user() const;
};

Flags VirtualboxFlags();

/// Reads options. Errors: BadOption().
absl::StatusOr<Settings> ReadSettings(const Options& options);

/// Those that cannot change while the machine lives, as one line of JSON.
std::string FixedSettings(const Settings& settings);

}  // namespace machine::driver::virtualbox

#endif  // DRIVERS_VIRTUALBOX_SETTINGS_H_
