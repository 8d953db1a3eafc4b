#include <initializer_list>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/commands/commands.h"
#include "cli/commands/errors.h"
#include "cli/commands/foreground.h"
#include "cli/commands/remote_path.h"
#include "cli/commands/ssh_access.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

// The first of `names` that is there.
absl::StatusOr<std::string> Program(const CommandContext& context,
                                    std::initializer_list<absl::string_view> names,
                                    absl::string_view purpose) {
  for (absl::string_view name : names) {
    std::optional<std::string> path = FindInPath(context.env, name);
    if (path.has_value()) return *std::move(path);
  }
  return absl::NotFoundError(absl::StrCat("You must have a copy of the ", *names.begin(),
                                          " binary locally to use the ", purpose));
}

class MountCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "mount",
            .summary = "Mount or unmount a directory from a machine with SSHFS.",
            .description = "Arguments are [machine:][path] [mountpoint]",
            .flags = {{.names = {"unmount", "u"},
                       .type = FlagType::kBool,
                       .usage = "Unmount instead of mount"}},
            .operands = Operands::kMachinePaths,
            .examples = {{"docker-machine mount dev:/home/docker foo", "a folder of dev as foo"},
                         {"docker-machine mount -u dev:/home/docker foo", "take it away again"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    if (args.operands.empty() || args.operands.size() > 2) {
      return ErrorWithHelp(context, *this, "Improper number of arguments.");
    }
    DM_ASSIGN_OR_RETURN(const RemotePath source, ParseRemotePath(args.operands[0]));
    const std::string target = args.operands.size() == 2 ? args.operands[1] : source.path;
    if (args.Bool("unmount")) {
      // Some systems have FUSE 3 by its own name only.
      DM_ASSIGN_OR_RETURN(const std::string fusermount,
                          Program(context, {"fusermount", "fusermount3"}, "unmount option"));
      return RunInForeground({fusermount, "-u", "--", target});
    }
    if (!source.remote()) return absl::InvalidArgumentError("The input was malformed");
    DM_ASSIGN_OR_RETURN(const std::string sshfs, Program(context, {"sshfs"}, "mount feature"));
    absl::StatusOr<SshAccess> access = GetPinnedSshAccess(context, source.machine);
    if (!access.ok()) return common::Annotate(access.status(), "Error loading host");
    // sshfs is connected when it returns, so the file may go then.
    DM_ASSIGN_OR_RETURN(const SshConfigFile config,
                        SshConfigFile::Make(context, {*std::move(access)}));
    return RunInForeground({sshfs, "-F", config.path(), source.ToString(), target});
  }
};

}  // namespace

std::unique_ptr<Command> MakeMountCommand() { return std::make_unique<MountCommand>(); }

}  // namespace machine::cli
