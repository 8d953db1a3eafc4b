#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/commands/commands.h"
#include "cli/commands/errors.h"
#include "cli/commands/foreground.h"
#include "cli/commands/machines.h"
#include "cli/commands/remote_path.h"
#include "cli/commands/ssh_access.h"
#include "cli/output/shell.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

class ScpCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {
        .name = "scp",
        .summary = "Copy files between machines",
        .description = "Arguments are [[user@]machine:][path] [[user@]machine:][path].",
        .flags = {{.names = {"recursive", "r"},
                   .type = FlagType::kBool,
                   .usage = "Copy files recursively (folders always are)"},
                  {.names = {"delta", "d"},
                   .type = FlagType::kBool,
                   .usage = "Reduce amount of data sent over network by sending only the "
                            "differences (uses rsync)"},
                  {.names = {"quiet", "q"},
                   .type = FlagType::kBool,
                   .usage = "Disables the progress meter as well as warning and diagnostic "
                            "messages from ssh"}},
        .operands = Operands::kMachinePaths,
        .examples = {{"docker-machine scp dev:/home/docker/foo.txt .", "fetch a file"},
                     {"docker-machine scp ./site dev:/srv", "send a folder"},
                     {"docker-machine scp a:/etc/hosts root@b:/tmp", "from machine to machine"},
                     {"docker-machine scp --delta ./site dev:/srv", "only what has changed"}},
    };
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    if (args.operands.size() != 2) {
      return ErrorWithHelp(context, *this, "Improper number of arguments.");
    }
    const bool delta = args.Bool("delta");
    const char* const name = delta ? "rsync" : "scp";
    const std::optional<std::string> program = FindInPath(context.env, name);
    if (!program.has_value()) {
      return absl::NotFoundError(absl::StrCat("You must have a copy of the ", name,
                                              " binary locally to use the ",
                                              delta ? "--delta option" : "scp feature"));
    }
    std::vector<RemotePath> paths;
    std::vector<SshAccess> machines;
    for (const std::string& operand : args.operands) {
      DM_ASSIGN_OR_RETURN(RemotePath path, ParseRemotePath(operand));
      if (path.remote() && (machines.empty() || machines[0].machine != path.machine)) {
        absl::StatusOr<SshAccess> access = GetPinnedSshAccess(context, path.machine);
        if (!access.ok()) return common::Annotate(access.status(), "Error loading host");
        machines.push_back(*std::move(access));
      }
      paths.push_back(std::move(path));
    }
    if (delta && paths[0].remote() && paths[1].remote()) {
      return absl::InvalidArgumentError(
          "rsync cannot copy from machine to machine: leave --delta out");
    }
    DM_ASSIGN_OR_RETURN(const SshConfigFile config, SshConfigFile::Make(context, machines));
    std::vector<std::string> argv = {*program};
    const std::vector<std::string> options =
        delta ? RsyncOptions(config, args.Bool("quiet")) : ScpOptions(config, args.Bool("quiet"));
    argv.insert(argv.end(), options.begin(), options.end());
    argv.push_back("--");
    for (const RemotePath& path : paths) argv.push_back(path.ToString());
    return RunInForeground(argv);
  }

 private:
  static std::vector<std::string> ScpOptions(const SshConfigFile& config, bool quiet) {
    // What goes from machine to machine goes through this host: they need no way to each other.
    std::vector<std::string> options = {"-3", "-r", "-F", config.path()};
    if (quiet) options.push_back("-q");
    return options;
  }

  static std::vector<std::string> RsyncOptions(const SshConfigFile& config, bool quiet) {
    std::vector<std::string> options = {"-rlptz", "-s", "-e",
                                        absl::StrCat("ssh -F ", QuoteForPosix(config.path()))};
    options.push_back(quiet ? "-q" : "--progress");
    return options;
  }
};

}  // namespace

std::unique_ptr<Command> MakeScpCommand() { return std::make_unique<ScpCommand>(); }

}  // namespace machine::cli
