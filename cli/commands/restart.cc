#include "cli/commands/commands.h"
#include "cli/commands/machine_operations.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using machine::v1::Machines;

class RestartCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "restart",
            .summary = "Restart a machine",
            .description = "Argument(s) are one or more machine names.",
            .flags = {QuietFlag()},
            .operands = Operands::kMachines,
            .examples = {{"docker-machine restart dev", "stop it and start it again"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    DM_ASSIGN_OR_RETURN(const std::vector<std::string> machines,
                        SomeMachines(context, args.operands));
    DM_RETURN_IF_ERROR(RunOnMachines(context, machines,
                                     {.verb = "restart",
                                      .doing = "Restarting",
                                      .done = "",
                                      .refused_in = std::nullopt,
                                      .also_follows = {},
                                      .submit = SubmitBy(&Machines::Stub::RestartMachine)}));
    context.Say(
        "Restarted machines may have new IP addresses. You may need to re-run the `docker-machine "
        "env` command.\n");
    return kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeRestartCommand() { return std::make_unique<RestartCommand>(); }

}  // namespace machine::cli
