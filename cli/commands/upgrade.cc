#include "cli/commands/commands.h"
#include "cli/commands/machine_operations.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using machine::v1::Machines;

class UpgradeCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "upgrade",
            .summary = "Upgrade a machine to the latest version of Docker",
            .description = "Argument(s) are one or more machine names.",
            .flags = {QuietFlag()},
            .operands = Operands::kMachines,
            .examples = {
                {"docker-machine upgrade dev", "newest engine; a machine that is off is started"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    DM_ASSIGN_OR_RETURN(const std::vector<std::string> machines,
                        SomeMachines(context, args.operands));
    std::vector<std::string> stopped;
    for (const std::string& name : machines) {
      DM_ASSIGN_OR_RETURN(const machine::v1::Machine machine,
                          GetMachine(context, name, {.fields = {"state"}, .live = true}));
      if (machine.state() == machine::v1::MACHINE_STATE_STOPPED) stopped.push_back(name);
    }
    if (!stopped.empty()) {
      context.Say("Starting machine so machine can be upgraded...\n");
      DM_RETURN_IF_ERROR(RunOnMachines(context, stopped,
                                       {.verb = "start",
                                        .doing = "Starting",
                                        .done = "started",
                                        .refused_in = std::nullopt,
                                        .also_follows = {},
                                        .submit = SubmitBy(&Machines::Stub::StartMachine)}));
    }
    DM_RETURN_IF_ERROR(RunOnMachines(context, machines,
                                     {.verb = "upgrade",
                                      .doing = "",
                                      .done = "",
                                      .refused_in = std::nullopt,
                                      .also_follows = {},
                                      .submit = SubmitBy(&Machines::Stub::UpgradeMachine)}));
    return kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeUpgradeCommand() { return std::make_unique<UpgradeCommand>(); }

}  // namespace machine::cli
