// Installing a driver on the host of its hypervisor, over ssh, and taking it away again.
#ifndef CLI_COMMANDS_DRIVER_ENROLMENT_H_
#define CLI_COMMANDS_DRIVER_ENROLMENT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/commands/command.h"

namespace machine::cli {

/// A host with systemd, as the user's own ssh reaches it: as root, or as a user whom sudo asks for
/// no password. Its key is kept at the first contact in `known_hosts` of the storage path.
struct DriverHost {
  /// "USER@HOST" or "HOST".
  std::string destination;
  /// HOST alone, without brackets.
  std::string host;
  /// 0 for what the user's ssh configuration says.
  int port = 0;
  /// File with a private key; empty for what ssh finds by itself.
  std::string identity;

  /// From "ssh://[USER@]HOST[:PORT]". INVALID_ARGUMENT for anything else.
  static absl::StatusOr<DriverHost> Parse(absl::string_view url);
};

struct DriverEnrolment {
  /// As machines will name it: letters, digits, '-' and '_'.
  std::string name;
  /// Which driver: "docker" for machine-driver-docker.
  std::string driver;
  DriverHost host;
  /// Where the orchestrator reaches it: host and port.
  std::string address;
  int port = 0;
  /// The program to copy there; empty for the one that is installed here, else the one there.
  std::string program;
};

/// Installs the driver with a unit and a certificate of the orchestrator's, starts it and registers
/// it, in the sandbox of the packages' unit as far as its hypervisor allows. Again, it renews the
/// certificate, which the orchestrator otherwise does by itself, and restarts the driver only where
/// its program or unit has changed.
absl::Status EnrolDriver(CommandContext& context, const DriverEnrolment& enrolment);

/// Stops a driver that EnrolDriver() has installed, and removes what belongs to it.
absl::Status RemoveDriverFrom(CommandContext& context, const DriverHost& host,
                              absl::string_view name);

}  // namespace machine::cli

#endif  // CLI_COMMANDS_DRIVER_ENROLMENT_H_
