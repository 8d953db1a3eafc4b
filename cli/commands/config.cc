#include "absl/strings/str_cat.h"
#include "cli/commands/access.h"
#include "cli/commands/commands.h"
#include "cli/commands/machines.h"
#include "cli/output/data_format.h"
#include "cli/output/shell.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

class ConfigCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "config",
            .summary = "Print the connection config for machine",
            .description = "Argument is a machine name.",
            .flags = {{.names = {"swarm"},
                       .type = FlagType::kBool,
                       .usage = "Display the Swarm config instead of the Docker daemon"},
                      OutputFlag()},
            .operands = Operands::kMachine,
            .examples = {{"docker $(docker-machine config dev) ps", "one command on dev"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    DM_ASSIGN_OR_RETURN(const std::optional<DataFormat> format, DataFormatOf(args));
    DM_ASSIGN_OR_RETURN(const std::string name, OneMachine(context, args.operands));
    absl::StatusOr<Access> access = GetAccess(context, name, args.Bool("swarm"));
    if (!access.ok()) {
      if (absl::IsNotFound(access.status())) return access.status();
      return common::Annotate(access.status(), "Error running connection boilerplate");
    }
    if (format.has_value()) {
      context.console.Out(Serialize(*format, AccessData(name, *access)));
      return kExitOk;
    }
    std::string lines;
    if (!access->plaintext) {
      // Without quotes where none are needed: docker takes the words of $(…) as they are.
      const auto file = [&](absl::string_view leaf) {
        return QuoteForPosix(absl::StrCat(access->cert_path, "/", leaf));
      };
      lines = absl::StrCat("--tlsverify\n--tlscacert=", file("ca.pem"),
                           "\n--tlscert=", file("cert.pem"), "\n--tlskey=", file("key.pem"), "\n");
    }
    context.console.Out(absl::StrCat(lines, "-H=", access->url, "\n"));
    return kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeConfigCommand() { return std::make_unique<ConfigCommand>(); }

}  // namespace machine::cli
