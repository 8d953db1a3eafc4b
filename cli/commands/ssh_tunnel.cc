#include <unistd.h>

#include <string>

#include "absl/strings/numbers.h"
#include "cli/args/flags.h"
#include "cli/commands/commands.h"
#include "cli/commands/machines.h"
#include "cli/commands/tunnel.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

constexpr int kMaxPort = 65535;

// What ssh calls as ProxyCommand where it has no way of its own to a machine.
class SshTunnelCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "ssh-tunnel",
            .summary = "Connect standard input and output to a port of a machine",
            .description = "Arguments are MACHINE PORT.",
            .flags = {},
            .hidden = true};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    int port = 0;
    if (args.operands.size() != 2 || !absl::SimpleAtoi(args.operands[1], &port) || port < 1 ||
        port > kMaxPort) {
      return absl::InvalidArgumentError("Error: Expected a machine name and a port as arguments");
    }
    const std::string& machine = args.operands[0];
    if (!IsMachineName(machine)) return GetMachine(context, machine, {}).status();
    DM_RETURN_IF_ERROR(RunTunnel(context, machine, port, STDIN_FILENO, STDOUT_FILENO));
    return kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeSshTunnelCommand() { return std::make_unique<SshTunnelCommand>(); }

}  // namespace machine::cli
