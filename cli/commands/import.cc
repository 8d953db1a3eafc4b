#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/commands/commands.h"
#include "cli/commands/prompt.h"
#include "cli/output/table.h"
#include "machine/v1/server.grpc.pb.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using machine::v1::ImportedEntry;
using machine::v1::ImportStoreResponse;
using machine::v1::Server;

// A store with many machines on a slow disk, and drivers that are started first.
constexpr absl::Duration kTimeout = absl::Minutes(10);

absl::string_view ResultWord(ImportedEntry::Result result, bool done) {
  switch (result) {
    case ImportedEntry::IMPORTED:
      return done ? "imported" : "to be imported";
    case ImportedEntry::ALREADY_IMPORTED:
      return "imported before";
    case ImportedEntry::QUARANTINED:
      return "left out";
    default:
      return "unknown";
  }
}

int Count(const ImportStoreResponse& response, ImportedEntry::Result result) {
  int count = 0;
  for (const ImportedEntry& entry : response.entries()) count += entry.result() == result ? 1 : 0;
  return count;
}

std::string Machines(int count) {
  return count == 1 ? "1 machine" : absl::StrCat(count, " machines");
}

std::string Table(const ImportStoreResponse& response, bool done) {
  std::string text = "NAME\tDRIVER\tVERSION\tRESULT\t\n";
  for (const ImportedEntry& entry : response.entries()) {
    const bool read = !entry.driver().empty();
    absl::StrAppend(&text, entry.machine_id(), "\t", read ? entry.driver() : "-", "\t",
                    read ? absl::StrCat(entry.config_version()) : "-", "\t",
                    ResultWord(entry.result(), done), "\t\n");
  }
  return AlignColumns(text);
}

// What the user should know of single machines, on standard error.
std::string Notes(const ImportStoreResponse& response) {
  std::string text;
  for (const ImportedEntry& entry : response.entries()) {
    if (entry.result() == ImportedEntry::QUARANTINED) {
      absl::StrAppend(&text, entry.machine_id(), ": left out: ", entry.reason(), "\n");
    }
    for (const std::string& warning : entry.warnings()) {
      absl::StrAppend(&text, entry.machine_id(), ": ", warning, "\n");
    }
  }
  return text;
}

class ImportCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "import",
            .summary = "Take over the machines of a docker-machine store",
            .description =
                "Argument is the store's folder, by default the storage path. Shows what would be "
                "imported and asks. The store is never changed.",
            .flags = {{.names = {"yes", "y"}, .type = FlagType::kBool, .usage = "Do not ask"},
                      {.names = {"dry-run"},
                       .type = FlagType::kBool,
                       .usage = "Only show what would be imported"}},
            .operands = Operands::kNone,
            .examples = {
                {"docker-machine import", "the machines that another docker-machine made here"},
                {"docker-machine import --dry-run /backup/machine", "looks and changes nothing"},
                {"docker-machine import --yes ~/.docker/machine", "without a question"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    if (args.operands.size() > 1) {
      return ErrorWithHelp(context, *this, "Error: Expected one folder as an argument");
    }
    machine::v1::ImportStoreRequest request;
    // Relative to where the command runs, not the orchestrator.
    request.set_path(args.operands.empty()
                         ? context.storage_path
                         : std::filesystem::absolute(args.operands[0]).lexically_normal().string());
    request.set_dry_run(true);
    DM_ASSIGN_OR_RETURN(
        const ImportStoreResponse plan,
        context.orchestrator.Call<Server>(&Server::Stub::ImportStore, request, kTimeout));
    context.console.Out(Table(plan, /*done=*/false));
    context.console.Err(Notes(plan));
    const int left_out = Count(plan, ImportedEntry::QUARANTINED);
    const int todo = Count(plan, ImportedEntry::IMPORTED);
    const int exit = left_out > 0 ? kExitError : kExitOk;
    if (todo == 0) {
      context.console.Out("There is nothing to import.\n");
      return exit;
    }
    if (args.Bool("dry-run")) return exit;
    if (!args.Bool("yes") &&
        !Confirm(context.console, absl::StrCat("Import ", Machines(todo), "?"))) {
      return kExitOk;
    }
    request.set_dry_run(false);
    DM_ASSIGN_OR_RETURN(
        const ImportStoreResponse done,
        context.orchestrator.Call<Server>(&Server::Stub::ImportStore, request, kTimeout));
    // What went wrong since it was planned.
    if (done.quarantined_size() > left_out) context.console.Err(Notes(done));
    context.console.Out(absl::StrCat("Imported ", Machines(done.imported_size()), ": ",
                                     absl::StrJoin(done.imported(), ", "), "\nThe store at ",
                                     request.path(), " is as it was.\n"));
    return done.quarantined_size() > 0 ? kExitError : kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeImportCommand() { return std::make_unique<ImportCommand>(); }

}  // namespace machine::cli
