#include "services/common/status/status.h"

#include "absl/strings/str_cat.h"
#include "cli/commands/commands.h"
#include "cli/commands/machines.h"
#include "cli/output/data_format.h"

namespace machine::cli {
namespace {

class StatusCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "status",
            .summary = "Get the status of a machine",
            .description = "Argument is a machine name.",
            .flags = {OutputFlag()},
            .operands = Operands::kMachine,
            .examples = {{"docker-machine status dev", "one word: Running, Stopped, Error, ..."}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    DM_ASSIGN_OR_RETURN(const std::optional<DataFormat> format, DataFormatOf(args));
    DM_ASSIGN_OR_RETURN(const std::string name, OneMachine(context, args.operands));
    const absl::StatusOr<machine::v1::Machine> machine =
        GetMachine(context, name, {.fields = {"state", "last_error"}, .max_age = kMaxStateAge});
    const bool gone = machine.ok() ? machine->state() == machine::v1::MACHINE_STATE_NOT_FOUND
                                   : common::ReasonOf(machine.status()) ==
                                         machine::v1::ERROR_REASON_INSTANCE_GONE;
    if (!machine.ok() && !gone) return machine.status();
    const absl::string_view word =
        gone ? StateWord(machine::v1::MACHINE_STATE_NOT_FOUND) : StateWord(machine->state());
    context.console.Out(format.has_value()
                            ? Serialize(*format, {{"name", name}, {"state", std::string(word)}})
                            : absl::StrCat(word, "\n"));
    return gone ? kExitInstanceGone : kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeStatusCommand() { return std::make_unique<StatusCommand>(); }

}  // namespace machine::cli
