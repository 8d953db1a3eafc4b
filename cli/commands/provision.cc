#include "cli/commands/commands.h"
#include "cli/commands/machine_operations.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using machine::v1::Machines;

class ProvisionCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {
        .name = "provision",
        .summary = "Re-provision existing machines",
        .description = "Argument(s) are one or more machine names.",
        .flags = {QuietFlag()},
        .operands = Operands::kMachines,
        .examples = {{"docker-machine provision dev", "install and configure the engine again"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    DM_ASSIGN_OR_RETURN(const std::vector<std::string> machines,
                        SomeMachines(context, args.operands));
    // A create under way ends with what this asks for, so it is followed.
    DM_RETURN_IF_ERROR(RunOnMachines(context, machines,
                                     {.verb = "provision",
                                      .doing = "",
                                      .done = "",
                                      .refused_in = std::nullopt,
                                      .also_follows = {"create"},
                                      .submit = SubmitBy(&Machines::Stub::ProvisionMachine)}));
    return kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeProvisionCommand() { return std::make_unique<ProvisionCommand>(); }

}  // namespace machine::cli
