#include "absl/strings/str_cat.h"
#include "cli/commands/commands.h"
#include "cli/commands/errors.h"
#include "cli/commands/machines.h"
#include "cli/commands/program_version.h"
#include "cli/output/data_format.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

class VersionCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "version",
            .summary = "Show the Docker Machine version or a machine docker version",
            .description = "",
            .flags = {OutputFlag()},
            .operands = Operands::kMachine,
            .examples = {{"docker-machine version", "of this program"},
                         {"docker-machine version dev", "of the engine on dev"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    DM_ASSIGN_OR_RETURN(const std::optional<DataFormat> format, DataFormatOf(args));
    if (args.operands.empty()) {
      context.console.Out(format.has_value()
                              ? Serialize(*format, {{"version", ProgramVersion()}})
                              : absl::StrCat("docker-machine version ", ProgramVersion(), "\n"));
      return kExitOk;
    }
    DM_ASSIGN_OR_RETURN(const std::string name, OneMachine(context, args.operands));
    DM_ASSIGN_OR_RETURN(
        const machine::v1::Machine machine,
        GetMachine(context, name,
                   {.fields = {"state", "endpoint", "docker_version"}, .max_age = kMaxAge}));
    if (machine.endpoint().docker_url().empty()) {
      return absl::FailedPreconditionError(kHostNotRunning);
    }
    if (machine.docker_version().empty()) {
      return absl::NotFoundError(
          absl::StrCat("The version of the engine of \"", name, "\" is not known"));
    }
    context.console.Out(
        format.has_value()
            ? Serialize(*format, {{"name", name}, {"docker_version", machine.docker_version()}})
            : absl::StrCat(machine.docker_version(), "\n"));
    return kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeVersionCommand() { return std::make_unique<VersionCommand>(); }

}  // namespace machine::cli
