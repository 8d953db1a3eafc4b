#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cli/commands/commands.h"
#include "cli/commands/fleet.h"
#include "cli/connect/contexts.h"
#include "cli/connect/enrolment.h"
#include "machine/v1/access.grpc.pb.h"
#include "services/common/status/grpc_status.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

// The one that is named, else the current one, else the only one.
absl::StatusOr<Context> ServerToJoin(CommandContext& context, const std::string& name) {
  if (!name.empty()) return NamedContext(context.storage_path, name);
  DM_ASSIGN_OR_RETURN(const Contexts contexts, ReadContexts(context.storage_path));
  if (!contexts.current.empty()) return NamedContext(context.storage_path, contexts.current);
  if (contexts.all.size() == 1) return contexts.all[0];
  return absl::InvalidArgumentError(
      contexts.all.empty()
          ? "no server is known: add one first with docker-machine server add NAME --address "
            "HOST:PORT"
          : "there are several servers: say which with --server NAME");
}

absl::StatusOr<machine::v1::User> WhoAmI(const Context& server) {
  DM_ASSIGN_OR_RETURN(const common::Channel channel, Dial(server));
  machine::v1::Access::Stub stub(channel.grpc());
  grpc::ClientContext call;
  channel.Prepare(call, Orchestrator::kCallTimeout);
  machine::v1::User user;
  DM_RETURN_IF_ERROR(common::FromGrpcStatus(stub.GetIdentity(&call, {}, &user)));
  return user;
}

class LoginCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "login",
            .summary = "Join a shared orchestrator, or adopt a certificate for it",
            .description = "Argument is a join token; without one it is read from standard input.",
            .flags = {{.names = {"server"},
                       .usage = "Name of the server (default: the current or only one)"},
                      {.names = {"ca"}, .usage = "CA of the server, with --cert and --key"},
                      {.names = {"cert"}, .usage = "Client certificate that was issued elsewhere"},
                      {.names = {"key"}, .usage = "Its private key"},
                      QuietFlag()},
            .details =
                "A token is made by an admin (docker-machine user token USER), works once, and "
                "ends within an hour\nunless it was made for longer. It also says which "
                "orchestrator it is for: no other one gets it. The\ncertificate that it gives "
                "is renewed by the commands that use it.",
            .examples = {{"docker-machine login --server team dmj1_...", "join"},
                         {"docker-machine login --server team < token.txt",
                          "the same, and no other user of this computer sees the token"},
                         {"docker-machine login --server team --ca ca.pem --cert me.pem --key "
                          "me.key",
                          "a certificate of one's own authority"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    const bool files = args.IsSet("ca") || args.IsSet("cert") || args.IsSet("key");
    if (args.operands.size() > 1 || (files && !args.operands.empty())) {
      return ErrorWithHelp(context, *this, "Error: Expected one token, or --ca, --cert and --key");
    }
    DM_ASSIGN_OR_RETURN(const Context server, ServerToJoin(context, args.String("server")));
    if (files) {
      if (!args.IsSet("ca") || !args.IsSet("cert") || !args.IsSet("key")) {
        return absl::InvalidArgumentError("Error: --ca, --cert and --key belong together");
      }
      DM_RETURN_IF_ERROR(
          AdoptCredentials(server, args.String("ca"), args.String("cert"), args.String("key")));
    } else {
      std::string token;
      if (!args.operands.empty() && args.operands[0] != "-") {
        token = args.operands[0];
      } else if (!context.console.ReadLine(token)) {
        return absl::InvalidArgumentError("Error: no token on standard input");
      }
      DM_RETURN_IF_ERROR(JoinOrchestrator(server, absl::StripAsciiWhitespace(token)));
    }
    DM_ASSIGN_OR_RETURN(const machine::v1::User user, WhoAmI(server));
    context.Say(absl::StrCat("Logged in to \"", server.name, "\" as ", UserId(user.name()), " (",
                             RoleWord(user.role()), ").\n"));
    return kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeLoginCommand() { return std::make_unique<LoginCommand>(); }

}  // namespace machine::cli
