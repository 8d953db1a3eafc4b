#include "cli/commands/command.h"

#include "absl/strings/str_cat.h"

namespace machine::cli {

absl::StatusOr<int> Command::RunRaw(CommandContext& context, const std::vector<std::string>& args) {
  const CommandInfo info = this->info();
  const absl::StatusOr<ParsedArgs> parsed = ParseArgs(info.flags, args, context.env);
  if (!parsed.ok()) {
    context.console.Out(absl::StrCat("Incorrect Usage.\n\n", CommandHelp(info)));
    return parsed.status();
  }
  if (parsed->help) {
    context.console.Out(CommandHelp(info));
    return kExitOk;
  }
  context.quiet = parsed->Bool("quiet");
  return Run(context, *parsed);
}

Flag QuietFlag() {
  return {.names = {"quiet", "q"},
          .type = FlagType::kBool,
          .usage = "Print errors only",
          .default_value = "",
          .env_vars = {}};
}

absl::Status ErrorWithHelp(CommandContext& context, const Command& command,
                           absl::string_view message) {
  context.console.Out(CommandHelp(command.info()));
  return absl::InvalidArgumentError(message);
}

}  // namespace machine::cli
