#include "cli/args/man.h"

#include "absl/strings/str_cat.h"
#include "cli/commands/commands.h"
#include "cli/commands/program_table.h"
#include "services/common/file/file.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

class ManCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "man",
            .summary = "Write the manual pages of the program and its commands",
            .description = "Argument is a folder.",
            .flags = {},
            .examples = {{"docker-machine man ~/.local/share/man/man1", "for man docker-machine"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    if (args.operands.size() != 1) {
      return ErrorWithHelp(context, *this, "Error: Expected a folder as an argument");
    }
    const std::string& folder = args.operands[0];
    const ProgramInfo program = ProgramTable(context.env);
    DM_RETURN_IF_ERROR(common::EnsureDir(folder, 0755));
    DM_RETURN_IF_ERROR(common::WriteFileAtomically(
        folder + "/docker-machine.1", ProgramManPage(program), 0644, {.fsync = false}));
    for (const CommandInfo& command : program.commands) {
      if (command.hidden || command.name == "help") continue;
      DM_RETURN_IF_ERROR(
          common::WriteFileAtomically(absl::StrCat(folder, "/docker-machine-", command.name, ".1"),
                                      CommandManPage(program, command), 0644, {.fsync = false}));
    }
    return kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeManCommand() { return std::make_unique<ManCommand>(); }

}  // namespace machine::cli
