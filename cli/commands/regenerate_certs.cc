#include "cli/commands/commands.h"
#include "cli/commands/machine_operations.h"
#include "cli/commands/prompt.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using machine::v1::Machines;

class RegenerateCertsCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "regenerate-certs",
            .summary = "Regenerate TLS Certificates for a machine",
            .description = "Argument(s) are one or more machine names.",
            .flags = {{.names = {"force", "f"},
                       .type = FlagType::kBool,
                       .usage = "Force rebuild and do not prompt"},
                      {.names = {"client-certs"},
                       .type = FlagType::kBool,
                       .usage = "Also regenerate client certificates"},
                      QuietFlag()},
            .operands = Operands::kMachines,
            .examples = {{"docker-machine regenerate-certs dev", "asks first"},
                         {"docker-machine regenerate-certs -f --client-certs dev",
                          "all of them, without a question"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    if (!args.Bool("force") &&
        !Confirm(context.console,
                 "Regenerate TLS machine certs?  Warning: this is irreversible.")) {
      return kExitOk;
    }
    DM_ASSIGN_OR_RETURN(const std::vector<std::string> machines,
                        SomeMachines(context, args.operands));
    context.Say("Regenerating TLS certificates\n");
    machine::v1::RegenerateMachineCertsRequest request;
    request.set_client_certs(args.Bool("client-certs"));
    DM_RETURN_IF_ERROR(
        RunOnMachines(context, machines,
                      {.verb = "regenerate-certs",
                       .doing = "",
                       .done = "",
                       .refused_in = std::nullopt,
                       .also_follows = {},
                       .submit = SubmitBy(&Machines::Stub::RegenerateMachineCerts, request),
                       .said_before = "Regenerating TLS certificates"}));
    return kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeRegenerateCertsCommand() {
  return std::make_unique<RegenerateCertsCommand>();
}

}  // namespace machine::cli
