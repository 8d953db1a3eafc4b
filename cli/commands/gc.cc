#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "cli/commands/commands.h"
#include "cli/commands/machines.h"
#include "cli/output/data_format.h"
#include "cli/output/table.h"
#include "machine/v1/orphans.grpc.pb.h"
#include "services/common/status/grpc_status.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using machine::v1::Orphan;
using machine::v1::Orphans;

constexpr char kHeader[] = "DRIVER\tINSTANCE\tMACHINE\tSTATE\tRESULT\n";

std::string Result(const Orphan& orphan) {
  if (orphan.removed()) return "removed";
  if (orphan.has_error()) {
    return absl::StrReplaceAll(absl::StrCat("failed: ", orphan.error().message()),
                               {{"\n", " "}, {"\t", " "}});
  }
  return orphan.tombstone() ? "removal goes on" : "orphan";
}

class GcCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "gc",
            .summary = "Remove instances at providers that belong to no machine",
            .description = "",
            .flags = {{.names = {"dry-run", "n"},
                       .type = FlagType::kBool,
                       .usage = "Only show what would be removed"},
                      {.names = {"driver", "d"},
                       .type = FlagType::kString,
                       .usage = "Look only where this driver does"},
                      {.names = {"credential"},
                       .type = FlagType::kString,
                       .usage = "Look only in the account of this credential; with --driver"},
                      OutputFlag()},
            .details =
                "Instances carry a tag of the orchestrator that made them. This finds those of "
                "yours that no\nmachine knows, in every account that a machine, a credential or "
                "an unfinished removal names,\nand removes them with everything made for them: "
                "what is left after rm -f when the provider did\nnot answer, or of a machine that "
                "a restored backup does not know. An instance whose machine has\nan operation "
                "under way is never touched.",
            .examples = {{"docker-machine gc --dry-run", "show what would be removed"},
                         {"docker-machine gc", "remove it"},
                         {"docker-machine gc -d digitalocean", "of one driver"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    if (!args.operands.empty()) {
      return ErrorWithHelp(context, *this, "Error: gc takes no arguments");
    }
    DM_ASSIGN_OR_RETURN(const std::optional<DataFormat> output, DataFormatOf(args));
    machine::v1::CollectOrphansRequest request;
    request.set_dry_run(args.Bool("dry-run"));
    request.set_driver(args.String("driver"));
    if (!args.String("credential").empty()) {
      request.set_credential(absl::StrCat("credentials/", args.String("credential")));
    }
    std::vector<Orphan> orphans;
    absl::Status status;
    for (const absl::Time give_up = absl::Now() + Orchestrator::kRepeatFor;;) {
      DM_ASSIGN_OR_RETURN(const common::Channel channel, context.orchestrator.channel());
      status = Collect(channel, request, orphans);
      if (!context.orchestrator.LostBy(status) || absl::Now() > give_up) break;
      DM_RETURN_IF_ERROR(context.orchestrator.Recover(channel, status));
      // Only what was removed is not found again.
      std::erase_if(orphans, [](const Orphan& orphan) { return !orphan.removed(); });
    }
    if (output.has_value()) {
      context.console.Out(Serialize(*output, Data(orphans)));
    } else if (!orphans.empty()) {
      context.console.Out(Table(orphans));
    } else if (status.ok()) {
      context.console.Out("There are no orphans.\n");
    }
    DM_RETURN_IF_ERROR(status);
    const bool failed = std::any_of(orphans.begin(), orphans.end(),
                                    [](const Orphan& orphan) { return orphan.has_error(); });
    return failed ? kExitError : kExitOk;
  }

 private:
  static std::string Table(const std::vector<Orphan>& orphans) {
    std::string text = kHeader;
    for (const Orphan& orphan : orphans) {
      absl::StrAppend(&text, orphan.driver(), "\t", orphan.instance_id(), "\t",
                      orphan.machine_id().empty() ? orphan.machine_uid() : orphan.machine_id(),
                      "\t", StateWord(orphan.state()), "\t", Result(orphan), "\n");
    }
    return AlignColumns(text);
  }

  static nlohmann::ordered_json Data(const std::vector<Orphan>& orphans) {
    nlohmann::ordered_json data = nlohmann::ordered_json::array();
    for (const Orphan& orphan : orphans) {
      data.push_back({{"driver", orphan.driver()},
                      {"instance", orphan.instance_id()},
                      {"machine", orphan.machine_id()},
                      {"machine_uid", orphan.machine_uid()},
                      {"state", std::string(StateWord(orphan.state()))},
                      {"removed", orphan.removed()},
                      {"removal_goes_on", orphan.tombstone()},
                      {"error", orphan.error().message()}});
    }
    return data;
  }

  // One call to its end; what it finds comes behind `orphans`.
  static absl::Status Collect(const common::Channel& channel,
                              const machine::v1::CollectOrphansRequest& request,
                              std::vector<Orphan>& orphans) {
    Orphans::Stub stub(channel.grpc());
    grpc::ClientContext call;
    channel.Prepare(call, absl::InfiniteDuration());
    const auto reader = stub.CollectOrphans(&call, request);
    Orphan orphan;
    while (reader->Read(&orphan)) orphans.push_back(orphan);
    return common::FromGrpcStatus(reader->Finish());
  }
};

}  // namespace

std::unique_ptr<Command> MakeGcCommand() { return std::make_unique<GcCommand>(); }

}  // namespace machine::cli
