#include "services/orchestrator/user_command.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "machine/v1/access.grpc.pb.h"
#include "services/common/rpc/channel.h"
#include "services/common/status/grpc_status.h"
#include "services/common/status/status.h"
#include "services/orchestrator/config.h"
#include "services/orchestrator/local_channel.h"

namespace machine::orchestrator {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(30);

constexpr char kHelp[] =
    R"(Usage: machine-orchestrator user token USER [--role ROLE] [--lifetime DURATION] [OPTIONS]

Prints a token with which USER joins the orchestrator that runs on this host, once:
docker-machine login TOKEN. This is how the first admin comes by a certificate; others get their
tokens from an admin, by docker-machine user token.

   --role ROLE           Of a user that is made by this: admin (default), operator, viewer or none
   --lifetime DURATION   How long the token is good, at most 168h (default 1h)
   --storage-path PATH   As the orchestrator was given it [$MACHINE_STORAGE_PATH]
)";

absl::Status Usage(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(what, "; see machine-orchestrator user --help"));
}

struct Words {
  std::vector<std::string> plain;
  std::string role;
  std::string lifetime;
  // Those of the service itself.
  std::vector<const char*> options = {"machine-orchestrator"};
};

absl::StatusOr<Words> ReadWords(const std::vector<std::string>& words) {
  Words read;
  for (size_t i = 0; i < words.size(); ++i) {
    absl::string_view value = words[i];
    std::string* target = nullptr;
    for (const auto& [name, place] :
         {std::pair<absl::string_view, std::string*>{"--role", &read.role},
          {"--lifetime", &read.lifetime}}) {
      if (value == name) {
        if (++i == words.size()) return Usage(absl::StrCat(name, " needs a value"));
        value = words[i];
        target = place;
        break;
      }
      if (absl::ConsumePrefix(&value, absl::StrCat(name, "="))) {
        target = place;
        break;
      }
    }
    if (target != nullptr) {
      *target = std::string(value);
    } else if (read.options.size() == 1 && !absl::StartsWith(words[i], "-")) {
      read.plain.push_back(words[i]);
    } else {
      read.options.push_back(words[i].c_str());
    }
  }
  return read;
}

absl::StatusOr<machine::v1::CreateJoinTokenRequest> RequestOf(const Words& words) {
  machine::v1::CreateJoinTokenRequest request;
  request.set_user_id(words.plain[1]);
  machine::v1::Role role = machine::v1::ROLE_ADMIN;
  if (words.role == "none") {
    role = machine::v1::ROLE_UNSPECIFIED;
  } else if (!words.role.empty() &&
             !Role_Parse(absl::StrCat("ROLE_", absl::AsciiStrToUpper(words.role)), &role)) {
    return Usage(absl::StrCat("--role: \"", words.role, "\" is no role"));
  }
  request.set_role(role);
  if (!words.lifetime.empty()) {
    absl::Duration lifetime;
    if (!absl::ParseDuration(words.lifetime, &lifetime) || lifetime < absl::Seconds(1)) {
      return Usage(
          absl::StrCat("--lifetime: \"", words.lifetime, "\" is not a duration such as 1h"));
    }
    request.mutable_lifetime()->set_seconds(absl::ToInt64Seconds(lifetime));
  }
  return request;
}

}  // namespace

absl::StatusOr<std::string> RunUserCommand(const std::vector<std::string>& words) {
  DM_ASSIGN_OR_RETURN(const Words read, ReadWords(words));
  ConfigReader reader(static_cast<int>(read.options.size()), read.options.data());
  if (!reader.Text().empty()) return std::string(kHelp);
  DM_ASSIGN_OR_RETURN(const Config config, reader.Read());
  if (read.plain.size() != 2 || read.plain[0] != "token") return Usage("user needs: token USER");
  DM_ASSIGN_OR_RETURN(const machine::v1::CreateJoinTokenRequest request, RequestOf(read));
  DM_ASSIGN_OR_RETURN(const common::Channel channel, ConnectLocal(config));
  machine::v1::Access::Stub stub(channel.grpc());
  grpc::ClientContext call;
  channel.Prepare(call, kTimeout);
  machine::v1::JoinToken token;
  DM_RETURN_IF_ERROR(common::FromGrpcStatus(stub.CreateJoinToken(&call, request, &token)));
  return absl::StrCat(token.token(), "\n");
}

}  // namespace machine::orchestrator
