#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/types/span.h"
#include "cli/commands/commands.h"
#include "cli/commands/fleet.h"
#include "cli/output/data_format.h"
#include "cli/output/table.h"
#include "machine/v1/access.grpc.pb.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using machine::v1::Access;

absl::string_view GrantId(absl::string_view name) { return absl::StripPrefix(name, "grants/"); }

absl::Status Add(CommandContext& context, absl::Span<const std::string> words) {
  machine::v1::CreateGrantRequest request;
  machine::v1::Grant& grant = *request.mutable_grant();
  grant.set_user(UserName(words[0]));
  DM_ASSIGN_OR_RETURN(const machine::v1::Role role, ParseRole(words[1]));
  grant.set_role(role);
  grant.set_selector(absl::StrJoin(words.subspan(2), " "));
  DM_ASSIGN_OR_RETURN(const machine::v1::Grant made,
                      context.orchestrator.Call<Access>(&Access::Stub::CreateGrant, request));
  context.console.Out(absl::StrCat(GrantId(made.name()), "\n"));
  return absl::OkStatus();
}

absl::Status List(CommandContext& context, const std::string& user,
                  std::optional<DataFormat> format) {
  auto data = nlohmann::ordered_json::array();
  std::string text = "ID\tUSER\tROLE\tMACHINES\n";
  machine::v1::ListGrantsRequest request;
  if (!user.empty()) request.set_user(UserName(user));
  do {
    DM_ASSIGN_OR_RETURN(const machine::v1::ListGrantsResponse page,
                        context.orchestrator.Call<Access>(&Access::Stub::ListGrants, request));
    for (const machine::v1::Grant& grant : page.grants()) {
      const std::string id(GrantId(grant.name()));
      const std::string role = RoleWord(grant.role());
      data.push_back({{"id", id},
                      {"user", std::string(UserId(grant.user()))},
                      {"role", role},
                      {"machines", grant.selector()}});
      absl::StrAppend(&text, id, "\t", UserId(grant.user()), "\t", role, "\t", grant.selector(),
                      "\n");
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  context.console.Out(format.has_value() ? Serialize(*format, data) : AlignColumns(text));
  return absl::OkStatus();
}

absl::Status Remove(CommandContext& context, const std::string& id) {
  machine::v1::DeleteGrantRequest request;
  request.set_name(absl::StrCat("grants/", GrantId(id)));
  DM_RETURN_IF_ERROR(
      context.orchestrator.Call<Access>(&Access::Stub::DeleteGrant, request).status());
  context.Say(absl::StrCat("Removed the grant ", GrantId(id), ".\n"));
  return absl::OkStatus();
}

class GrantCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "grant",
            .summary = "Give users of a shared orchestrator a role on some machines",
            .description = "Arguments are add USER ROLE SELECTOR, ls [USER], or rm ID.",
            .flags = {OutputFlag(), QuietFlag()},
            .details =
                "The role, viewer or operator, counts on the machines whose labels fit the "
                "selector, at any time.\nCreating machines needs the role operator itself.",
            .examples = {{"docker-machine grant add ann operator labels.team = ci",
                          "ann may stop, start and log in to machines with team=ci"},
                         {"docker-machine grant ls ann", "what she was given"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    DM_ASSIGN_OR_RETURN(const std::optional<DataFormat> format, DataFormatOf(args));
    const std::vector<std::string>& words = args.operands;
    if (words.size() >= 4 && words[0] == "add") {
      DM_RETURN_IF_ERROR(Add(context, absl::MakeConstSpan(words).subspan(1)));
    } else if (!words.empty() && words.size() <= 2 && words[0] == "ls") {
      DM_RETURN_IF_ERROR(List(context, words.size() == 2 ? words[1] : "", format));
    } else if (words.size() == 2 && words[0] == "rm") {
      DM_RETURN_IF_ERROR(Remove(context, words[1]));
    } else {
      return ErrorWithHelp(context, *this,
                           "Error: Expected add USER ROLE SELECTOR, ls [USER], or rm ID");
    }
    return kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeGrantCommand() { return std::make_unique<GrantCommand>(); }

}  // namespace machine::cli
