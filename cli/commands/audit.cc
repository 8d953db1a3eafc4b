#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "cli/commands/commands.h"
#include "cli/commands/fleet.h"
#include "cli/output/data_format.h"
#include "cli/output/table.h"
#include "cli/output/time_text.h"
#include "machine/v1/access.grpc.pb.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using machine::v1::Access;
using machine::v1::AuditEntry;

constexpr int64_t kMaxPage = 1000;
// Reads the whole log.
constexpr absl::Duration kVerifyTimeout = absl::Minutes(10);

std::string OrDash(const std::string& text) { return text.empty() ? "-" : text; }

nlohmann::ordered_json Data(const AuditEntry& entry) {
  return {{"sequence", entry.sequence()},
          {"time", TimeText(entry.time())},
          {"user", std::string(UserId(entry.user()))},
          {"method", entry.method()},
          {"resource", entry.resource()},
          {"code", entry.code()},
          {"peer", entry.peer()},
          {"operation", entry.operation()},
          {"hash", absl::BytesToHexString(entry.hash())}};
}

class AuditCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "audit",
            .summary = "Show who changed what on a shared orchestrator",
            .description = "",
            .flags = {{.names = {"verify"},
                       .type = FlagType::kBool,
                       .usage = "Check that no entry was changed, and print the last hash"},
                      {.names = {"filter"},
                       .usage = "Terms over user, method, resource and code, joined by AND"},
                      {.names = {"tail", "n"},
                       .type = FlagType::kInt,
                       .usage = "So many of the newest entries",
                       .default_value = "100"},
                      OutputFlag()},
            .details =
                "Each call that changes something or gives out keys has an entry, also one that "
                "was refused. Its hash\ncovers the entries before it: keep the last one "
                "elsewhere to notice when the end is cut off.",
            .examples = {{"docker-machine audit -n 20", "the newest last"},
                         {"docker-machine audit --filter 'user=users/ann AND code!=OK'",
                          "what ann was refused"},
                         {"docker-machine audit --verify", "prove that it is whole"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    DM_ASSIGN_OR_RETURN(const std::optional<DataFormat> format, DataFormatOf(args));
    if (!args.operands.empty()) {
      return ErrorWithHelp(context, *this, "Error: Expected no arguments");
    }
    if (args.Bool("verify")) {
      DM_RETURN_IF_ERROR(Verify(context, format));
    } else {
      DM_RETURN_IF_ERROR(Show(context, args.String("filter"), args.Int("tail"), format));
    }
    return kExitOk;
  }

 private:
  static absl::Status Verify(CommandContext& context, std::optional<DataFormat> format) {
    DM_ASSIGN_OR_RETURN(
        const machine::v1::VerifyAuditResponse response,
        context.orchestrator.Call<Access>(&Access::Stub::VerifyAudit,
                                          machine::v1::VerifyAuditRequest(), kVerifyTimeout));
    const std::string hash = absl::BytesToHexString(response.last_hash());
    context.console.Out(
        format.has_value()
            ? Serialize(*format, {{"entries", response.entry_count()}, {"last_hash", hash}})
            : absl::StrCat("The audit log is whole: ", response.entry_count(),
                           " entries, last hash ", hash, "\n"));
    return absl::OkStatus();
  }

  static absl::Status Show(CommandContext& context, const std::string& filter, int64_t count,
                           std::optional<DataFormat> format) {
    std::vector<AuditEntry> entries;
    machine::v1::ListAuditEntriesRequest request;
    request.set_filter(filter);
    do {
      const int64_t left = count - static_cast<int64_t>(entries.size());
      if (left <= 0) break;
      request.set_page_size(static_cast<int32_t>(std::min(left, kMaxPage)));
      DM_ASSIGN_OR_RETURN(
          const machine::v1::ListAuditEntriesResponse page,
          context.orchestrator.Call<Access>(&Access::Stub::ListAuditEntries, request));
      entries.insert(entries.end(), page.entries().begin(), page.entries().end());
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
    std::reverse(entries.begin(), entries.end());
    auto data = nlohmann::ordered_json::array();
    std::string text = "SEQUENCE\tTIME\tUSER\tMETHOD\tRESOURCE\tCODE\tPEER\n";
    for (const AuditEntry& entry : entries) {
      data.push_back(Data(entry));
      absl::StrAppend(&text, entry.sequence(), "\t", TimeText(entry.time()), "\t",
                      OrDash(std::string(UserId(entry.user()))), "\t", entry.method(), "\t",
                      OrDash(entry.resource()), "\t", entry.code(), "\t", OrDash(entry.peer()),
                      "\n");
    }
    context.console.Out(format.has_value() ? Serialize(*format, data) : AlignColumns(text));
    return absl::OkStatus();
  }
};

}  // namespace

std::unique_ptr<Command> MakeAuditCommand() { return std::make_unique<AuditCommand>(); }

}  // namespace machine::cli
