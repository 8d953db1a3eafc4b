// Bringing a host to the wanted configuration.
#ifndef SERVICES_PROVISIONER_STEPS_APPLY_H_
#define SERVICES_PROVISIONER_STEPS_APPLY_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "services/common/rpc/call_scope.h"
#include "services/provisioner/detect/facts.h"
#include "services/provisioner/distro/distro.h"
#include "services/provisioner/host/remote_host.h"

namespace machine::provisioner {

/// A file as it is to be, owned by root.
struct WantedFile {
  std::string path;
  int mode = 0644;
  std::string contents;
};

/// The engine's configuration around a restart that its containers are to outlive. An engine does
/// so with "live-restore" on, from before it ends until after it has begun; not in a swarm.
struct KeptContainers {
  std::string path;  ///< Of daemon.json.
  int mode = 0644;
  std::string before;  ///< As it is, with live-restore.
  std::string during;  ///< As it will be, with live-restore.
  /// As it will be, with live-restore off: an engine leaves a setting that is not there as it is.
  /// Empty where live-restore is to stay.
  std::string released;
  /// As it will be; none: there will be no such file.
  std::optional<std::string> after;
  /// For the user where it cannot be done.
  std::string warning;
};

/// What differs between a host and what is wanted of it.
struct Changes {
  std::vector<WantedFile> certificates;
  std::vector<WantedFile> configuration;
  std::string host_name;  ///< Empty: stays.
  bool enable = false;    ///< Start the engine at boot.
  bool restart = false;   ///< Restart, or start, the engine.
  /// How its containers outlive the restart; none: they do anyway, or there are none.
  std::optional<KeptContainers> keep;
  /// Options of the engine's command line, to check them before a restart.
  std::vector<std::string> flags;
  /// What the engine's effective command line must hold; empty for nothing.
  std::string expected_argument;

  bool empty() const {
    return certificates.empty() && configuration.empty() && host_name.empty() && !enable &&
           !restart;
  }
};

/// True when the host's file is what is wanted, contents, mode and owner.
bool SameFile(const Facts& facts, const WantedFile& wanted);

/// Makes the changes with one command. FAILED_PRECONDITION HOST_COMMAND_FAILED with what failed,
/// for an engine that does not start with the last lines of its log; that one gets its previous
/// files back, and runs with them if it ran before.
absl::Status ApplyChanges(common::CallScope& call, RemoteHost& host, const Facts& facts, Init init,
                          const Changes& changes);

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_STEPS_APPLY_H_
