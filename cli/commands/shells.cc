#include "absl/strings/str_cat.h"
#include "cli/commands/commands.h"
#include "cli/output/shell_scripts.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using Script = absl::StatusOr<std::string> (*)(absl::string_view shell);

// Prints a script for the shell that its one argument names.
absl::StatusOr<int> PrintScript(CommandContext& context, const ParsedArgs& args,
                                const Command& command, Script script) {
  if (args.operands.size() != 1) {
    return ErrorWithHelp(context, command, "Error: Expected the name of a shell as an argument");
  }
  DM_ASSIGN_OR_RETURN(const std::string text, script(args.operands[0]));
  context.console.Out(text);
  return kExitOk;
}

class CompletionCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "completion",
            .summary = "Print a completion script for a shell",
            .description = "Argument is bash, zsh, fish or powershell.",
            .flags = {},
            .operands = Operands::kShell,
            .examples = {{"source <(docker-machine completion bash)", "in ~/.bashrc"},
                         {"source <(docker-machine completion zsh)", "in ~/.zshrc, after compinit"},
                         {"docker-machine completion fish | source", "in config.fish"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    return PrintScript(context, args, *this, CompletionScript);
  }
};

class ShellInitCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "shell-init",
            .summary = "Print functions for a shell: docker-machine use, and one for the prompt",
            .description = "Argument is bash, zsh or fish.",
            .flags = {},
            .operands = Operands::kShell,
            .examples = {{"eval \"$(docker-machine shell-init bash)\"", "in ~/.bashrc"},
                         {"docker-machine shell-init fish | source", "in config.fish"},
                         {"PS1='\\w$(__docker_machine_ps1 \" [%s]\")$ '",
                          "a prompt with the machine in use"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    return PrintScript(context, args, *this, ShellFunctions);
  }
};

// A program cannot change the shell it was called from; the function of that name can.
class UseCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "use",
            .summary = "Have docker talk to a machine in this shell (with shell-init)",
            .description = "Argument is a machine name, or -u for none.",
            .flags = {{.names = {"unset", "u"},
                       .type = FlagType::kBool,
                       .usage = "Unset variables instead of setting them"},
                      {.names = {"swarm"},
                       .type = FlagType::kBool,
                       .usage = "Use the Swarm instead of the Docker daemon"},
                      {.names = {"no-proxy"},
                       .type = FlagType::kBool,
                       .usage = "Add machine IP to NO_PROXY environment variable"}},
            .operands = Operands::kMachine,
            .examples = {{"docker-machine use dev", "docker talks to dev"},
                         {"docker-machine use -u", "docker is as it was"}}};
  }

  absl::StatusOr<int> Run(CommandContext&, const ParsedArgs&) override {
    return absl::FailedPreconditionError(
        "Error: docker-machine use is a function of the shell: put eval \"$(docker-machine "
        "shell-init bash)\" into ~/.bashrc, or see docker-machine shell-init --help");
  }
};

}  // namespace

std::unique_ptr<Command> MakeCompletionCommand() { return std::make_unique<CompletionCommand>(); }
std::unique_ptr<Command> MakeShellInitCommand() { return std::make_unique<ShellInitCommand>(); }
std::unique_ptr<Command> MakeUseCommand() { return std::make_unique<UseCommand>(); }

}  // namespace machine::cli
