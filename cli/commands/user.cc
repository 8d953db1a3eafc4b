#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
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

absl::StatusOr<std::vector<machine::v1::User>> AllUsers(CommandContext& context) {
  std::vector<machine::v1::User> users;
  machine::v1::ListUsersRequest request;
  do {
    DM_ASSIGN_OR_RETURN(const machine::v1::ListUsersResponse page,
                        context.orchestrator.Call<Access>(&Access::Stub::ListUsers, request));
    users.insert(users.end(), page.users().begin(), page.users().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return users;
}

absl::Status List(CommandContext& context, std::optional<DataFormat> format) {
  DM_ASSIGN_OR_RETURN(const std::vector<machine::v1::User> users, AllUsers(context));
  auto data = nlohmann::ordered_json::array();
  std::string text = "NAME\tROLE\tLAST SEEN\tCERTIFICATE ENDS\n";
  for (const machine::v1::User& user : users) {
    const std::string id(UserId(user.name()));
    const std::string role = RoleWord(user.role());
    const std::string seen = TimeText(user.last_seen_time());
    const std::string ends =
        user.has_certificate_expire_time() ? TimeText(user.certificate_expire_time()) : "none";
    data.push_back({{"name", id}, {"role", role}, {"last_seen", seen}, {"certificate_ends", ends}});
    absl::StrAppend(&text, id, "\t", role, "\t", seen, "\t", ends, "\n");
  }
  context.console.Out(format.has_value() ? Serialize(*format, data) : AlignColumns(text));
  return absl::OkStatus();
}

absl::Status Token(CommandContext& context, const std::string& user, const ParsedArgs& args) {
  machine::v1::CreateJoinTokenRequest request;
  request.set_user_id(std::string(UserId(user)));
  if (args.IsSet("role")) {
    DM_ASSIGN_OR_RETURN(const machine::v1::Role role, ParseRole(args.String("role")));
    request.set_role(role);
  }
  if (args.IsSet("lifetime")) {
    absl::Duration lifetime;
    if (!absl::ParseDuration(args.String("lifetime"), &lifetime) || lifetime < absl::Seconds(1)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "Error: --lifetime: \"", args.String("lifetime"), "\" is not a duration such as 30m"));
    }
    request.mutable_lifetime()->set_seconds(absl::ToInt64Seconds(lifetime));
  }
  DM_ASSIGN_OR_RETURN(const machine::v1::JoinToken token,
                      context.orchestrator.Call<Access>(&Access::Stub::CreateJoinToken, request));
  context.console.Out(absl::StrCat(token.token(), "\n"));
  if (!context.quiet) {
    context.console.Err(absl::StrCat("Good once, until ", TimeText(token.expire_time()),
                                     " UTC: docker-machine login TOKEN\n"));
  }
  return absl::OkStatus();
}

absl::Status SetRole(CommandContext& context, const std::string& user, const std::string& word) {
  machine::v1::UpdateUserRequest request;
  request.mutable_user()->set_name(UserName(user));
  DM_ASSIGN_OR_RETURN(const machine::v1::Role role, ParseRole(word));
  request.mutable_user()->set_role(role);
  DM_RETURN_IF_ERROR(
      context.orchestrator.Call<Access>(&Access::Stub::UpdateUser, request).status());
  context.Say(absl::StrCat(UserId(user), " has the role ", word, " now.\n"));
  return absl::OkStatus();
}

absl::Status Remove(CommandContext& context, const std::string& user) {
  machine::v1::DeleteUserRequest request;
  request.set_name(UserName(user));
  DM_RETURN_IF_ERROR(
      context.orchestrator.Call<Access>(&Access::Stub::DeleteUser, request).status());
  context.Say(absl::StrCat("Removed ", UserId(user), "; its certificates are revoked.\n"));
  return absl::OkStatus();
}

class UserCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {
        .name = "user",
        .summary = "Manage the users of a shared orchestrator",
        .description = "Arguments are ls, token USER, role USER ROLE, or rm USER.",
        .flags = {{.names = {"role"},
                   .usage = "With token: role of a user that is made by it",
                   .values = {"viewer", "operator", "admin", "none"}},
                  {.names = {"lifetime"},
                   .usage = "With token: how long it is good, at most 168h (default 1h)"},
                  OutputFlag(),
                  QuietFlag()},
        .details =
            "viewer: reads, but no keys. operator: also makes, changes, removes and logs in "
            "to machines. admin:\nalso manages users, drivers and the orchestrator itself. "
            "none: nothing but what grants give\n(docker-machine grant).",
        .examples = {{"docker-machine user token --role operator ann", "a token for a new user"},
                     {"docker-machine user role ann viewer", "from now on"},
                     {"docker-machine user rm ann", "revokes her certificates, too"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    DM_ASSIGN_OR_RETURN(const std::optional<DataFormat> format, DataFormatOf(args));
    const std::vector<std::string>& words = args.operands;
    if (words.size() == 1 && words[0] == "ls") {
      DM_RETURN_IF_ERROR(List(context, format));
    } else if (words.size() == 2 && words[0] == "token") {
      DM_RETURN_IF_ERROR(Token(context, words[1], args));
    } else if (words.size() == 3 && words[0] == "role") {
      DM_RETURN_IF_ERROR(SetRole(context, words[1], words[2]));
    } else if (words.size() == 2 && words[0] == "rm") {
      DM_RETURN_IF_ERROR(Remove(context, words[1]));
    } else {
      return ErrorWithHelp(context, *this,
                           "Error: Expected ls, token USER, role USER ROLE, or rm USER");
    }
    return kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeUserCommand() { return std::make_unique<UserCommand>(); }

}  // namespace machine::cli
