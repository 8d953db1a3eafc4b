#include "absl/strings/str_cat.h"
#include "cli/commands/commands.h"
#include "cli/commands/machines.h"
#include "cli/output/data_format.h"
#include "cli/output/go_template.h"
#include "services/common/legacy/machine_config.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

class InspectCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {
        .name = "inspect",
        .summary = "Inspect information about a machine",
        .description = "Argument is a machine name.",
        .flags = {{.names = {"format", "f"},
                   .usage = "Format the output using the given go template."},
                  OutputFlag()},
        .operands = Operands::kMachine,
        .examples = {{"docker-machine inspect dev", "all there is to know"},
                     {"docker-machine inspect -f '{{.Driver.IPAddress}}' dev", "one field"},
                     {"docker-machine inspect -f '{{json .HostOptions}}' dev", "a part as JSON"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    DM_ASSIGN_OR_RETURN(const std::optional<DataFormat> output, DataFormatOf(args));
    DM_ASSIGN_OR_RETURN(const std::string name, OneMachine(context, args.operands));
    DM_ASSIGN_OR_RETURN(const machine::v1::Machine machine,
                        GetMachine(context, name, {.fields = {}, .max_age = kMaxAge}));
    const nlohmann::ordered_json config = common::LegacyConfig(machine, context.storage_path);
    if (output.has_value()) {
      context.console.Out(Serialize(*output, config));
      return kExitOk;
    }
    if (args.String("format").empty()) {
      context.console.Out(common::LegacyConfigText(config));
      return kExitOk;
    }
    DM_ASSIGN_OR_RETURN(
        const GoTemplate format,
        common::Annotate(GoTemplate::Parse(args.String("format")), "template parsing error"));
    DM_ASSIGN_OR_RETURN(const std::string text, format.Execute(nlohmann::json(config)));
    context.console.Out(absl::StrCat(text, "\n"));
    return kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeInspectCommand() { return std::make_unique<InspectCommand>(); }

}  // namespace machine::cli
