#include "cli/commands/commands.h"
#include "cli/commands/machine_operations.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using machine::v1::Machines;

class KillCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "kill",
            .summary = "Kill a machine",
            .description = "Argument(s) are one or more machine names.",
            .flags = {QuietFlag()},
            .operands = Operands::kMachines,
            .examples = {{"docker-machine kill dev", "switch off at once"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    DM_ASSIGN_OR_RETURN(const std::vector<std::string> machines,
                        SomeMachines(context, args.operands));
    DM_RETURN_IF_ERROR(RunOnMachines(context, machines,
                                     {.verb = "kill",
                                      .doing = "Killing",
                                      .done = "killed",
                                      .refused_in = machine::v1::MACHINE_STATE_STOPPED,
                                      .also_follows = {},
                                      .submit = SubmitBy(&Machines::Stub::KillMachine)}));
    return kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeKillCommand() { return std::make_unique<KillCommand>(); }

}  // namespace machine::cli
