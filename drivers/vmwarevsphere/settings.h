// The flags of the driver, and what they ask for.
#ifndef DRIVERS_VMWAREVSPHERE_SETTINGS_H_
#define DRIVERS_VMWAREVSPHERE_SETTINGS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/sdk/driver.h"

namespace machine::driver::vmwarevsphere {

inline constexpr absl::string_view kVcenterFlag = "vmwarevsphere-vcenter";
inline constexpr absl::string_view kUsernameFlag = "vmwarevsphere-username";
inline constexpr absl::string_view kPasswordFlag = "vmwarevsphere-password";
inline constexpr absl::string_view kCaFlag = "vmwarevsphere-ca-text";
inline constexpr absl::string_view kThumbprintFlag = "vmwarevsphere-thumbprint";
inline constexpr absl::string_view kCloneFromFlag = "vmwarevsphere-clone-from";
inline constexpr absl::string_view kLibraryFlag = "vmwarevsphere-content-library";
inline constexpr absl::string_view kIsoFlag = "vmwarevsphere-boot2docker-url";
inline constexpr absl::string_view kNetworkFlag = "vmwarevsphere-network";
inline constexpr absl::string_view kDatastoreFlag = "vmwarevsphere-datastore";
inline constexpr absl::string_view kPodFlag = "vmwarevsphere-datastore-cluster";
inline constexpr absl::string_view kDatacenterFlag = "vmwarevsphere-datacenter";
inline constexpr absl::string_view kPoolFlag = "vmwarevsphere-pool";
inline constexpr absl::string_view kHostFlag = "vmwarevsphere-hostsystem";
inline constexpr absl::string_view kFolderFlag = "vmwarevsphere-folder";
inline constexpr absl::string_view kCpuFlag = "vmwarevsphere-cpu-count";
inline constexpr absl::string_view kMemoryFlag = "vmwarevsphere-memory-size";
inline constexpr absl::string_view kDiskFlag = "vmwarevsphere-disk-size";

/// Port of every machine's engine.
inline constexpr int kEnginePort = 2376;

/// What a machine is to be. Names are inventory paths, or parts of them; empty for the driver's
/// choice.
struct Settings {
  std::string clone_from;
  /// "LIBRARY/ITEM".
  std::string library_item;
  std::string iso_url;
  std::vector<std::string> networks;
  std::string datastore;
  std::string datastore_cluster;
  std::string datacenter;
  std::string pool;
  std::string host;
  std::string folder;
  int64_t cpus = 0;
  int64_t memory_mib = 0;
  int64_t disk_mib = 0;
  std::string user_data;
  /// Entries of extraConfig.
  std::vector<std::pair<std::string, std::string>> extra_config;
  std::string ssh_user;
  int ssh_port = 22;
};

/// Where a vCenter or host is, and whom to be there.
struct Credentials {
  std::string host;
  int port = 443;
  /// For a server on this computer.
  bool plain_http = false;
  std::string username;
  /// Secret.
  std::string password;
  /// The only authority to trust; empty for those of the system.
  std::string ca_pem;
  /// SHA-1 or SHA-256 of the server's certificate in hex, lower case; empty for none.
  std::string thumbprint;
};

Flags VsphereFlags();

/// Reads options. Errors: BadOption().
absl::StatusOr<Settings> ReadSettings(const Options& options);
absl::StatusOr<Credentials> ReadCredentials(const Options& options);

}  // namespace machine::driver::vmwarevsphere

#endif  // DRIVERS_VMWAREVSPHERE_SETTINGS_H_
