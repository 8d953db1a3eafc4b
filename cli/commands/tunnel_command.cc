#include <unistd.h>

#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cli/commands/commands.h"
#include "cli/commands/machines.h"
#include "cli/commands/tunnel.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

constexpr int kMaxPort = 65535;
constexpr int kSshPort = 22;

class TunnelCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "tunnel",
            .summary = "Reach a port of a machine through the orchestrator",
            .description = "Arguments are a machine name and a port (default 22).",
            .flags = {{.names = {"listen"},
                       .usage = "Accept connections on HOST:PORT or unix:PATH; port 0 means any"},
                      {.names = {"idle-exit"},
                       .usage = "With --listen: end after so long without a connection, e.g. 1h"}},
            .details =
                "Without --listen, standard input and output are the connection, as ProxyCommand "
                "of ssh wants it.\nssh, scp, env and config take such a way by themselves where "
                "the machine cannot be reached\ndirectly.",
            .operands = Operands::kMachineAndWords,
            .examples = {
                {"docker-machine tunnel --listen 127.0.0.1:8080 dev 80", "a web server on dev"},
                {"docker-machine tunnel --listen unix:/tmp/dev.sock dev 2376", "its engine"},
                {"ssh -o ProxyCommand='docker-machine tunnel dev' docker@dev", "one's own ssh"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    int port = kSshPort;
    const std::vector<std::string>& words = args.operands;
    if (words.empty() || words.size() > 2) {
      return ErrorWithHelp(context, *this, "Error: Expected a machine name and a port");
    }
    if (words.size() == 2 && (!absl::SimpleAtoi(words[1], &port) || port < 1 || port > kMaxPort)) {
      return absl::InvalidArgumentError(absl::StrCat("Error: \"", words[1], "\" is no port"));
    }
    if (!IsMachineName(words[0])) return GetMachine(context, words[0], {}).status();
    if (!args.IsSet("listen")) {
      DM_RETURN_IF_ERROR(RunTunnel(context, words[0], port, STDIN_FILENO, STDOUT_FILENO));
      return kExitOk;
    }
    ListenTunnelOptions options{
        .machine = words[0], .port = port, .address = args.String("listen")};
    if (args.IsSet("idle-exit") &&
        (!absl::ParseDuration(args.String("idle-exit"), &options.idle_exit) ||
         options.idle_exit <= absl::ZeroDuration())) {
      return absl::InvalidArgumentError(absl::StrCat(
          "Error: --idle-exit: \"", args.String("idle-exit"), "\" is not a duration such as 1h"));
    }
    // A machine that is not there is told before anybody connects.
    DM_RETURN_IF_ERROR(GetMachine(context, words[0], {.fields = {"name"}}).status());
    DM_RETURN_IF_ERROR(ListenForTunnels(context, options, [&](const std::string& address) {
      context.console.Out(absl::StrCat("Listening on ", address, "\n"));
    }));
    return kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeTunnelCommand() { return std::make_unique<TunnelCommand>(); }

}  // namespace machine::cli
