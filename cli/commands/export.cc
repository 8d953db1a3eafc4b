#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/commands/commands.h"
#include "cli/commands/errors.h"
#include "cli/commands/machines.h"
#include "machine/v1/server.grpc.pb.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using machine::v1::Server;

constexpr absl::Duration kTimeout = absl::Minutes(10);

class ExportCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {
        .name = "export",
        .summary = "Write machines as a store that docker-machine 0.16 reads",
        .description =
            "Arguments are a new folder and the machines to write, by default all. It will hold "
            "their private keys and the secrets of their drivers: keep it as safe as those.",
        .flags = {},
        .operands = Operands::kNone,
        .examples = {{"docker-machine export ~/machines-backup", "all machines"},
                     {"docker-machine export /tmp/two dev web", "two of them"},
                     {"MACHINE_STORAGE_PATH=/tmp/two docker-machine-0.16 ls",
                      "how the other docker-machine uses it"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    if (args.operands.empty()) {
      return ErrorWithHelp(context, *this, "Error: Expected a folder as the first argument");
    }
    machine::v1::ExportStoreRequest request;
    request.set_path(std::filesystem::absolute(args.operands[0]).lexically_normal().string());
    for (size_t i = 1; i < args.operands.size(); ++i) {
      if (!IsMachineName(args.operands[i])) {
        return GetMachine(context, args.operands[i], {}).status();  // Says that there is none.
      }
      request.add_names(ResourceName(args.operands[i]));
    }
    const auto response =
        context.orchestrator.Call<Server>(&Server::Stub::ExportStore, request, kTimeout);
    if (!response.ok()) {
      const std::string machine = common::ErrorMetadataOf(response.status(), "machine");
      return machine.empty() ? response.status() : UserError(response.status(), machine);
    }
    for (const std::string& skipped : response->skipped()) {
      context.console.Err(absl::StrCat(skipped, "\n"));
    }
    context.console.Out(absl::StrCat("Exported to ", request.path(), ": ",
                                     absl::StrJoin(response->exported(), ", "), "\n"));
    return response->skipped().empty() ? kExitOk : kExitError;
  }
};

}  // namespace

std::unique_ptr<Command> MakeExportCommand() { return std::make_unique<ExportCommand>(); }

}  // namespace machine::cli
