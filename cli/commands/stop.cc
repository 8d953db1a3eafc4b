#include "cli/commands/commands.h"
#include "cli/commands/machine_operations.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using machine::v1::Machines;

class StopCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "stop",
            .summary = "Stop a machine",
            .description = "Argument(s) are one or more machine names.",
            .flags = {QuietFlag()},
            .operands = Operands::kMachines,
            .examples = {{"docker-machine stop dev", "shut down gracefully"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    DM_ASSIGN_OR_RETURN(const std::vector<std::string> machines,
                        SomeMachines(context, args.operands));
    DM_RETURN_IF_ERROR(RunOnMachines(context, machines,
                                     {.verb = "stop",
                                      .doing = "Stopping",
                                      .done = "stopped",
                                      .refused_in = machine::v1::MACHINE_STATE_STOPPED,
                                      .also_follows = {},
                                      .submit = SubmitBy(&Machines::Stub::StopMachine)}));
    return kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeStopCommand() { return std::make_unique<StopCommand>(); }

}  // namespace machine::cli
