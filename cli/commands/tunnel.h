// Byte streams to ports of machines, through the orchestrator.
#ifndef CLI_COMMANDS_TUNNEL_H_
#define CLI_COMMANDS_TUNNEL_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cli/commands/command.h"

namespace machine::cli {

/// Connects `in_fd` and `out_fd` to TCP port `port` of `machine`, until one side ends. The error to
/// print. Blocks. Several may run at once.
absl::Status RunTunnel(CommandContext& context, const std::string& machine, int port, int in_fd,
                       int out_fd);

struct ListenTunnelOptions {
  std::string machine;
  int port = 0;
  /// "127.0.0.1:0", "[::1]:2376" or "unix:/path".
  std::string address;
  /// Ends after so long without a connection; infinite for never.
  absl::Duration idle_exit = absl::InfiniteDuration();
};

/// Accepts connections and gives each a tunnel. `ready` gets the address with its port once they
/// are accepted. Returns when it has been idle for too long, or with an error. Blocks.
absl::Status ListenForTunnels(CommandContext& context, const ListenTunnelOptions& options,
                              const std::function<void(const std::string&)>& ready);

/// A local address, "HOST:PORT", behind which is port `port` of `machine`: of a tunnel that runs in
/// the background, which is started where there is none and ends when it is not used for an hour.
absl::StatusOr<std::string> BackgroundTunnel(CommandContext& context, const std::string& machine,
                                             int port);

}  // namespace machine::cli

#endif  // CLI_COMMANDS_TUNNEL_H_
