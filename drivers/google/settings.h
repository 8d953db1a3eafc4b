// The flags of the driver, and what they ask for.
#ifndef DRIVERS_GOOGLE_SETTINGS_H_
#define DRIVERS_GOOGLE_SETTINGS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/sdk/driver.h"

namespace machine::driver::gce {

inline constexpr absl::string_view kProjectFlag = "google-project";
inline constexpr absl::string_view kTokenFlag = "google-auth-token";
inline constexpr absl::string_view kCredentialsFlag = "google-application-credentials";
inline constexpr absl::string_view kCredentialsTextFlag = "google-application-credentials-text";
inline constexpr absl::string_view kZoneFlag = "google-zone";
inline constexpr absl::string_view kMachineTypeFlag = "google-machine-type";
inline constexpr absl::string_view kImageFlag = "google-machine-image";
inline constexpr absl::string_view kUsernameFlag = "google-username";
inline constexpr absl::string_view kScopesFlag = "google-scopes";
inline constexpr absl::string_view kDiskSizeFlag = "google-disk-size";
inline constexpr absl::string_view kDiskTypeFlag = "google-disk-type";
inline constexpr absl::string_view kNetworkFlag = "google-network";
inline constexpr absl::string_view kSubnetworkFlag = "google-subnetwork";
inline constexpr absl::string_view kAddressFlag = "google-address";
inline constexpr absl::string_view kOpenCidrFlag = "google-open-cidr";
inline constexpr absl::string_view kUseExistingFlag = "google-use-existing";

/// Port of every machine's engine.
inline constexpr int kEnginePort = 2376;

/// An image or a family of images; which of them, the provider knows.
struct ImageName {
  std::string project;
  std::string name;
};

/// What a machine is to be.
struct Settings {
  std::string project;
  std::string zone;
  /// Of the zone.
  std::string region;
  /// Empty for the smallest that is enough.
  std::string machine_type;
  /// Without a name for the newest Ubuntu LTS.
  ImageName image;
  std::string username;
  /// Full URLs.
  std::vector<std::string> scopes;
  /// Empty for none.
  std::string service_account;
  int64_t disk_gb = 0;
  std::string disk_type;
  /// "projects/P/global/networks/N".
  std::string network;
  /// "projects/P/regions/R/subnetworks/N"; empty for the network's own in the region.
  std::string subnetwork;
  /// A reserved address, by name or as IP; empty for one that changes with each start.
  std::string address;
  /// Reserve one for the machine.
  bool static_address = false;
  bool use_internal_ip = false;
  bool internal_ip_only = false;
  bool preemptible = false;
  bool spot = false;
  bool use_existing = false;
  std::vector<std::string> tags;
  std::map<std::string, std::string> labels;
  std::string user_data;
  /// Who may reach the machine; empty for no firewall rule.
  std::vector<std::string> open_cidrs;
  /// "8080" and the like, beside ssh, engine and swarm; "53/udp".
  std::vector<std::string> open_ports;
};

/// Where a project is, and the credentials for it.
struct Credentials {
  std::string endpoint;
  std::string project;
  /// Secret; empty when `file` or the surroundings count.
  std::string token;
  /// Secret: the text of a file with credentials; may be empty.
  std::string file;
};

Flags GoogleFlags();

/// Reads options. Errors: BadOption().
absl::StatusOr<Settings> ReadSettings(const Options& options);
absl::StatusOr<Credentials> ReadCredentials(const Options& options);

/// Tries the private key, which takes about a millisecond. Errors: BadOption().
absl::Status CheckCredentials(const Credentials& credentials);

/// Values that Google no longer has. Errors: PreCreateCheckFailed() with what to use instead.
absl::Status CheckRetiredValues(const Options& options);

}  // namespace machine::driver::gce

#endif  // DRIVERS_GOOGLE_SETTINGS_H_
