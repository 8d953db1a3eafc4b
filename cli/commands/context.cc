#include "absl/strings/str_cat.h"
#include "cli/commands/access.h"
#include "cli/commands/commands.h"
#include "cli/commands/docker_context.h"
#include "cli/commands/machines.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

class ContextCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {
        .name = "context",
        .summary = "Write a context of the docker command for a machine",
        .description = "Argument is a machine name.",
        .flags = {{.names = {"name"}, .usage = "Name of the context (default: the machine's name)"},
                  {.names = {"remove", "r"},
                   .type = FlagType::kBool,
                   .usage = "Remove the context instead of writing it"},
                  QuietFlag()},
        .details =
            "The context holds the machine's address and certificates, so that the "
            "docker command reaches\nit without variables. It is written again by the "
            "same command after the address has changed,\nand removed by docker-machine "
            "rm.",
        .operands = Operands::kMachine,
        .examples = {
            {"docker-machine context dev && docker context use dev", "docker talks to dev"},
            {"docker --context dev ps", "one command"},
            {"docker-machine context --remove dev", "take it away again"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    DM_ASSIGN_OR_RETURN(const std::string machine, OneMachine(context, args.operands));
    const std::string name = args.IsSet("name") ? args.String("name") : machine;
    const DockerContexts contexts(context.env);
    if (args.Bool("remove")) {
      DM_RETURN_IF_ERROR(contexts.Remove(name, machine));
      context.Say(absl::StrCat("Removed the docker context \"", name, "\"\n"));
      return kExitOk;
    }
    DM_RETURN_IF_ERROR(DockerContexts::CheckName(name));
    DM_ASSIGN_OR_RETURN(const Access access, GetAccess(context, machine, /*swarm=*/false));
    DM_RETURN_IF_ERROR(contexts.Write(name, machine, access));
    context.Say(absl::StrCat("Wrote the docker context \"", name,
                             "\". To use it, run: docker context use ", name, "\n"));
    return kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeContextCommand() { return std::make_unique<ContextCommand>(); }

}  // namespace machine::cli
