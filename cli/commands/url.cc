#include "absl/strings/str_cat.h"
#include "cli/commands/commands.h"
#include "cli/commands/errors.h"
#include "cli/commands/machines.h"
#include "cli/output/data_format.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

class UrlCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "url",
            .summary = "Get the URL of a machine",
            .description = "Argument is a machine name.",
            .flags = {OutputFlag()},
            .operands = Operands::kMachine,
            .examples = {{"docker-machine url dev", "where its engine listens"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    DM_ASSIGN_OR_RETURN(const std::optional<DataFormat> format, DataFormatOf(args));
    DM_ASSIGN_OR_RETURN(const std::string name, OneMachine(context, args.operands));
    DM_ASSIGN_OR_RETURN(const machine::v1::Machine machine,
                        GetMachine(context, name, {.fields = {"endpoint"}, .max_age = kMaxAge}));
    const std::string& url = machine.endpoint().docker_url();
    if (url.empty()) return absl::FailedPreconditionError(kHostNotRunning);
    context.console.Out(format.has_value() ? Serialize(*format, {{"name", name}, {"url", url}})
                                           : absl::StrCat(url, "\n"));
    return kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeUrlCommand() { return std::make_unique<UrlCommand>(); }

}  // namespace machine::cli
