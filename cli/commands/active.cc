#include "absl/strings/str_cat.h"
#include "cli/commands/commands.h"
#include "cli/commands/errors.h"
#include "cli/commands/machines.h"
#include "cli/output/data_format.h"
#include "services/common/legacy/machine_config.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

class ActiveCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "active",
            .summary = "Print which machine is active",
            .description = "",
            .flags = {{.names = {"timeout", "t"},
                       .type = FlagType::kInt,
                       .usage = "Timeout in seconds, default to 10s",
                       .default_value = "10"},
                      OutputFlag()},
            .examples = {{"docker-machine active", "which machine DOCKER_HOST points to"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    if (!args.operands.empty()) return absl::InvalidArgumentError(kTooManyArguments);
    DM_ASSIGN_OR_RETURN(const std::optional<DataFormat> format, DataFormatOf(args));
    const std::string docker_host = context.env.Get("DOCKER_HOST");
    const auto machines = ListMachines(context, {"name", "state", "endpoint", "swarm"}, kMaxAge,
                                       absl::Seconds(args.Int("timeout")));
    if (absl::IsDeadlineExceeded(machines.status())) {
      return absl::DeadlineExceededError("Error getting active host: timeout");
    }
    DM_RETURN_IF_ERROR(machines.status());
    for (const machine::v1::Machine& machine : *machines) {
      if (!IsActive(machine, docker_host)) continue;
      const std::string name(common::MachineId(machine.name()));
      context.console.Out(format.has_value() ? Serialize(*format, {{"name", name}})
                                             : absl::StrCat(name, "\n"));
      return kExitOk;
    }
    return absl::NotFoundError("No active host found");
  }
};

}  // namespace

std::unique_ptr<Command> MakeActiveCommand() { return std::make_unique<ActiveCommand>(); }

}  // namespace machine::cli
