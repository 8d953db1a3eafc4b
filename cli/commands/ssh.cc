#include <unistd.h>

#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/commands/commands.h"
#include "cli/commands/foreground.h"
#include "cli/commands/machines.h"
#include "cli/commands/session.h"
#include "cli/commands/ssh_access.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

// What follows the machine's name: options of ssh itself, then the command.
struct SshArgs {
  bool want_pty = false;
  bool refuse_pty = false;
  std::string command;
};

absl::StatusOr<SshArgs> ParseSshArgs(const std::vector<std::string>& args) {
  SshArgs parsed;
  size_t i = 1;
  for (; i < args.size(); ++i) {
    if (args[i] == "--") {
      ++i;
      break;
    }
    if (args[i].size() < 2 || args[i][0] != '-') break;
    if (args[i] == "-t" || args[i] == "-tt") {
      parsed.want_pty = true;
    } else if (args[i] == "-T") {
      parsed.refuse_pty = true;
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("Error: the built-in SSH client does not know the option ", args[i],
                       "; it knows -t and -T, and takes what follows -- as the command"));
    }
  }
  parsed.command = absl::StrJoin(args.begin() + static_cast<std::ptrdiff_t>(i), args.end(), " ");
  return parsed;
}

class SshCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "ssh",
            .summary = "Log into or run a command on a machine with SSH.",
            .description = "Arguments are [machine-name] [command]",
            .flags = {},
            .operands = Operands::kMachineAndWords,
            .examples = {{"docker-machine ssh dev", "log in"},
                         {"docker-machine ssh dev df -h", "run a command; its status is returned"},
                         {"docker-machine ssh dev -L 8080:localhost:80 -N", "options of ssh"}}};
  }

  // Flags after the name belong to ssh and to the command.
  absl::StatusOr<int> RunRaw(CommandContext& context,
                             const std::vector<std::string>& args) override {
    if (!args.empty() && (args[0] == "-h" || args[0] == "--help" || args[0] == "-help")) {
      context.console.Out(CommandHelp(info()));
      return kExitOk;
    }
    std::vector<std::string> words = args;
    if (!words.empty() && words[0] == "--") words.erase(words.begin());
    if (words.empty()) {
      DM_ASSIGN_OR_RETURN(std::string machine, DefaultMachine(context));
      words.push_back(std::move(machine));
    }
    DM_ASSIGN_OR_RETURN(const int exit, Session(context, words));
    if (exit != kExitOk) context.console.Err(absl::StrCat("exit status ", exit, "\n"));
    return exit;
  }

  absl::StatusOr<int> Run(CommandContext&, const ParsedArgs&) override { return kExitError; }

 private:
  // The ssh in PATH, which knows all of its own options; the built-in client where there is none,
  // where it is asked for, and for a host whose key only the orchestrator can pin.
  static absl::StatusOr<int> Session(CommandContext& context,
                                     const std::vector<std::string>& words) {
    const std::optional<std::string> ssh =
        context.native_ssh ? std::nullopt : FindInPath(context.env, "ssh");
    if (ssh.has_value()) {
      absl::StatusOr<SshAccess> access = GetSshAccess(context, words[0]);
      if (access.ok() && !access->host_key_sha256.empty()) {
        access->dial_for_ssh =
            words.size() == 1 || words[1] == "--" || !absl::StartsWith(words[1], "-");
        DM_ASSIGN_OR_RETURN(const SshConfigFile config, SshConfigFile::Make(context, {*access}));
        std::vector<std::string> argv = {*ssh, "-F", config.path()};
        argv.insert(argv.end(), words.begin(), words.end());
        return RunInForeground(argv);
      }
      // A machine without an address has one error, whoever looks for it.
      if (!access.ok() &&
          common::ReasonOf(access.status()) != machine::v1::ERROR_REASON_MACHINE_NOT_RUNNING) {
        return access.status();
      }
    }
    DM_ASSIGN_OR_RETURN(const SshArgs parsed, ParseSshArgs(words));
    const bool terminal = isatty(STDIN_FILENO) == 1;
    const bool pty =
        !parsed.refuse_pty && (parsed.want_pty || (parsed.command.empty() && terminal));
    return RunSession(context, words[0], {.command = parsed.command, .pty = pty});
  }
};

}  // namespace

std::unique_ptr<Command> MakeSshCommand() { return std::make_unique<SshCommand>(); }

}  // namespace machine::cli
