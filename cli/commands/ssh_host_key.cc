#include "absl/strings/str_cat.h"
#include "cli/commands/commands.h"

namespace machine::cli {
namespace {

// What ssh calls as KnownHostsCommand: the line of known_hosts for the key that a host has shown,
// when that is the pinned one.
class SshHostKeyCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "ssh-host-key",
            .summary = "Tell ssh whether a host key is the pinned one",
            .description = "Arguments are MACHINE PINNED-SHA256 HOST KEY-TYPE KEY FINGERPRINT.",
            .flags = {},
            .hidden = true};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    // ssh first asks which types of keys are known, and shows no key then.
    if (args.operands.size() < 6) return kExitOk;
    const std::string& machine = args.operands[0];
    const std::string pinned = absl::StrCat("SHA256:", args.operands[1]);
    const std::string& seen = args.operands[5];
    if (seen.empty()) return kExitOk;
    if (seen != pinned) {
      context.console.Err(absl::StrCat("The host key of \"", machine, "\" is ", seen, ", not ",
                                       pinned,
                                       ", which was pinned at the first contact: another host "
                                       "answers at its address, or it was installed anew\n"));
      return kExitOk;
    }
    context.console.Out(
        absl::StrCat(args.operands[2], " ", args.operands[3], " ", args.operands[4], "\n"));
    return kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeSshHostKeyCommand() { return std::make_unique<SshHostKeyCommand>(); }

}  // namespace machine::cli
