#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cli/commands/access.h"
#include "cli/commands/commands.h"
#include "cli/commands/machines.h"
#include "cli/output/data_format.h"
#include "cli/output/shell.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

// The variable that lists hosts to reach without a proxy: the one in use, else the upper-case one.
std::pair<std::string, std::string> NoProxy(const Environment& env) {
  if (const std::string value = env.Get("no_proxy"); !value.empty()) return {"no_proxy", value};
  return {"NO_PROXY", env.Get("NO_PROXY")};
}

std::string WithHost(const std::string& list, const std::string& host) {
  if (list.empty()) return host;
  for (absl::string_view entry : absl::StrSplit(list, ',')) {
    if (entry == host) return list;
  }
  return absl::StrCat(list, ",", host);
}

class EnvCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "env",
            .summary = "Display the commands to set up the environment for the Docker client",
            .description = "Argument is a machine name.",
            .flags = {{.names = {"swarm"},
                       .type = FlagType::kBool,
                       .usage = "Display the Swarm config instead of the Docker daemon"},
                      {.names = {"shell"},
                       .usage = "Force environment to be configured for a specified shell: [fish, "
                                "cmd, powershell, tcsh, emacs], default is auto-detect",
                       .values = {"bash", "zsh", "fish", "cmd", "powershell", "tcsh", "emacs"}},
                      {.names = {"unset", "u"},
                       .type = FlagType::kBool,
                       .usage = "Unset variables instead of setting them"},
                      {.names = {"no-proxy"},
                       .type = FlagType::kBool,
                       .usage = "Add machine IP to NO_PROXY environment variable"},
                      OutputFlag()},
            .operands = Operands::kMachine,
            .examples = {{"eval \"$(docker-machine env dev)\"", "docker talks to dev from now on"},
                         {"docker-machine env --shell fish dev | source", "the same in fish"},
                         {"eval \"$(docker-machine env -u)\"", "docker is as it was"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    return args.Bool("unset") ? Unset(context, args) : Set(context, args);
  }

 private:
  static absl::StatusOr<int> Unset(CommandContext& context, const ParsedArgs& args) {
    if (!args.operands.empty()) {
      return absl::InvalidArgumentError(
          "Error: Expected no machine name when the -u flag is present");
    }
    DM_ASSIGN_OR_RETURN(const Shell shell,
                        DetectShell(args.String("shell"), context.env.Get("SHELL")));
    std::vector<std::string> names = {"DOCKER_TLS_VERIFY", "DOCKER_HOST", "DOCKER_CERT_PATH",
                                      "DOCKER_MACHINE_NAME"};
    if (args.Bool("no-proxy")) names.push_back(NoProxy(context.env).first);
    context.console.Out(
        absl::StrCat(UnsetVariables(shell, names), UsageHint(shell, context.command_line)));
    return kExitOk;
  }

  static absl::StatusOr<int> Set(CommandContext& context, const ParsedArgs& args) {
    DM_ASSIGN_OR_RETURN(const std::optional<DataFormat> format, DataFormatOf(args));
    DM_ASSIGN_OR_RETURN(const std::string name, OneMachine(context, args.operands));
    absl::StatusOr<Access> access = GetAccess(context, name, args.Bool("swarm"));
    if (!access.ok()) {
      if (absl::IsNotFound(access.status())) return access.status();
      return common::Annotate(access.status(), "Error checking TLS connection");
    }
    if (format.has_value()) {
      context.console.Out(Serialize(*format, AccessData(name, *access)));
      return kExitOk;
    }
    DM_ASSIGN_OR_RETURN(const Shell shell,
                        DetectShell(args.String("shell"), context.env.Get("SHELL")));
    std::vector<std::string> stale;
    std::vector<std::pair<std::string, std::string>> variables;
    if (access->plaintext) {
      // What an earlier machine left would have the client speak TLS to this one.
      for (const char* variable : {"DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"}) {
        if (!context.env.Get(variable).empty()) stale.push_back(variable);
      }
      variables.emplace_back("DOCKER_HOST", access->url);
    } else {
      variables = {{"DOCKER_TLS_VERIFY", "1"},
                   {"DOCKER_HOST", access->url},
                   {"DOCKER_CERT_PATH", access->cert_path}};
    }
    variables.emplace_back("DOCKER_MACHINE_NAME", name);
    if (args.Bool("no-proxy")) {
      const auto [variable, list] = NoProxy(context.env);
      variables.emplace_back(variable, WithHost(list, access->ip));
    }
    context.console.Out(absl::StrCat(UnsetVariables(shell, stale), SetVariables(shell, variables),
                                     UsageHint(shell, context.command_line)));
    return kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeEnvCommand() { return std::make_unique<EnvCommand>(); }

}  // namespace machine::cli
