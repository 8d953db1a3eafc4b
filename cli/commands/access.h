// What a docker client needs to use a machine, as files of this user.
#ifndef CLI_COMMANDS_ACCESS_H_
#define CLI_COMMANDS_ACCESS_H_

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/commands/command.h"

namespace machine::cli {

struct Access {
  /// "tcp://192.0.2.7:2376" of the engine, or of the swarm's master.
  std::string url;
  /// Folder with ca.pem, cert.pem and key.pem.
  std::string cert_path;
  /// The engine speaks without TLS, so there are no certificates.
  bool plaintext = false;
  std::string ip;
};

/// Asks for the access to `machine`, has its files in place, and sees whether an engine answers to
/// them at the URL, as CheckEngine(); where nothing does and the orchestrator is a shared one, the
/// URL is that of a tunnel through it. Of an engine without TLS it is enough that it accepts
/// connections. With `swarm`, the access to the swarm whose master the machine is; where that does
/// not answer but the engine does, the error says so in the original's words.
absl::StatusOr<Access> GetAccess(CommandContext& context, absl::string_view machine, bool swarm);

/// The access to `machine` as --output prints it.
nlohmann::ordered_json AccessData(absl::string_view machine, const Access& access);

}  // namespace machine::cli

#endif  // CLI_COMMANDS_ACCESS_H_
