#include "cli/commands/commands.h"
#include "cli/commands/machine_operations.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using machine::v1::Machines;

class StartCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "start",
            .summary = "Start a machine",
            .description = "Argument(s) are one or more machine names.",
            .flags = {QuietFlag()},
            .operands = Operands::kMachines,
            .examples = {{"docker-machine start dev web", "several at once"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    DM_ASSIGN_OR_RETURN(const std::vector<std::string> machines,
                        SomeMachines(context, args.operands));
    DM_RETURN_IF_ERROR(RunOnMachines(context, machines,
                                     {.verb = "start",
                                      .doing = "Starting",
                                      .done = "started",
                                      .refused_in = machine::v1::MACHINE_STATE_RUNNING,
                                      .also_follows = {},
                                      .submit = SubmitBy(&Machines::Stub::StartMachine)}));
    context.Say(
        "Started machines may have new IP addresses. You may need to re-run the `docker-machine "
        "env` "
        "command.\n");
    return kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeStartCommand() { return std::make_unique<StartCommand>(); }

}  // namespace machine::cli
