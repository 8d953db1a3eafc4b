#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "cli/commands/commands.h"
#include "cli/commands/create_flags.h"
#include "cli/commands/credentials.h"
#include "cli/commands/fleet.h"
#include "cli/output/data_format.h"
#include "cli/output/table.h"
#include "cli/output/time_text.h"
#include "machine/v1/credentials.grpc.pb.h"
#include "machine/v1/drivers.grpc.pb.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using machine::v1::Credential;
using machine::v1::Credentials;
using machine::v1::DriverInfo;
using machine::v1::Drivers;

constexpr char kPrefix[] = "credentials/";
constexpr char kUsage[] = "Error: Expected ls, add NAME, rotate NAME, or rm NAME";

absl::Status List(CommandContext& context, std::optional<DataFormat> format) {
  DM_ASSIGN_OR_RETURN(const std::vector<Credential> credentials, AllCredentials(context));
  auto data = nlohmann::ordered_json::array();
  std::string text = "NAME\tDRIVER\tOPTIONS\tMACHINES\tVERSION\tROTATED\n";
  for (const Credential& credential : credentials) {
    const std::string id(CredentialId(credential.name()));
    const std::string rotated = TimeText(credential.rotate_time());
    data.push_back({{"name", id},
                    {"driver", credential.driver()},
                    {"options", credential.option_names()},
                    {"machines", credential.machine_count()},
                    {"version", credential.version()},
                    {"created", TimeText(credential.create_time())},
                    {"rotated", rotated}});
    absl::StrAppend(&text, id, "\t", credential.driver(), "\t",
                    absl::StrJoin(credential.option_names(), ","), "\t", credential.machine_count(),
                    "\t", credential.version(), "\t", rotated, "\n");
  }
  context.console.Out(format.has_value() ? Serialize(*format, data) : AlignColumns(text));
  return absl::OkStatus();
}

absl::Status Remove(CommandContext& context, const std::string& name) {
  machine::v1::DeleteCredentialRequest request;
  request.set_name(CredentialName(name));
  DM_RETURN_IF_ERROR(
      context.orchestrator.Call<Credentials>(&Credentials::Stub::DeleteCredential, request)
          .status());
  context.Say(absl::StrCat("Forgot the credential \"", CredentialId(name), "\".\n"));
  return absl::OkStatus();
}

absl::StatusOr<DriverInfo> GetDriver(CommandContext& context, const std::string& name) {
  machine::v1::GetDriverRequest request;
  request.set_name(name);
  return context.orchestrator.Call<Drivers>(&Drivers::Stub::GetDriver, request);
}

// The driver's options as flags. Of the environment only secrets are taken: a region or a size that
// happens to be set is of a machine, not of the account.
std::vector<Flag> FlagsOf(const DriverInfo& driver) {
  std::vector<Flag> flags = DriverFlags(driver);
  for (Flag& flag : flags) {
    for (const machine::v1::FlagSpec& spec : driver.flags()) {
      if (spec.name() != flag.names[0]) continue;
      if (!spec.secret() && spec.content_option().empty()) flag.env_vars.clear();
    }
    flag.default_value.clear();
  }
  return flags;
}

std::string SecretFlags(const DriverInfo& driver) {
  std::vector<std::string> names;
  for (const machine::v1::FlagSpec& spec : driver.flags()) {
    if (spec.secret() || !spec.content_option().empty()) {
      names.push_back(absl::StrCat("--", spec.name()));
    }
  }
  if (names.empty()) return "";
  return absl::StrCat(", for example ", absl::StrJoin(names, ", "), " or its environment variable");
}

class CredentialCommand final : public Command {
 public:
  CommandInfo info() const override { return InfoWith({}); }

  // Which flags there are depends on the driver.
  absl::StatusOr<int> RunRaw(CommandContext& context,
                             const std::vector<std::string>& args) override {
    const std::string verb = args.empty() ? "" : args[0];
    if (verb != "add" && verb != "rotate") return Command::RunRaw(context, args);
    const absl::string_view driver_names[] = {"driver", "d"};
    std::string driver_name = PeekFlag(args, driver_names).value_or("");
    const bool named = args.size() > 1 && !absl::StartsWith(args[1], "-");
    if (verb == "rotate" && named) {
      DM_ASSIGN_OR_RETURN(const Credential credential, FindCredential(context, args[1]));
      driver_name = credential.driver();
    }
    if (driver_name.empty() || !named) {
      const bool help = std::any_of(args.begin(), args.end(), [](const std::string& arg) {
        return arg == "-h" || arg == "--help" || arg == "-help";
      });
      if (help) {
        context.console.Out(CommandHelp(info()));
        return kExitOk;
      }
      return ErrorWithHelp(context, *this,
                           named ? "Error: Of which driver? Say --driver NAME" : kUsage);
    }
    DM_ASSIGN_OR_RETURN(const DriverInfo driver, GetDriver(context, driver_name));
    const CommandInfo with_driver = InfoWith(FlagsOf(driver));
    const absl::StatusOr<ParsedArgs> parsed = ParseArgs(with_driver.flags, args, context.env);
    if (!parsed.ok()) {
      context.console.Out(absl::StrCat("Incorrect Usage.\n\n", CommandHelp(with_driver)));
      return parsed.status();
    }
    if (parsed->help) {
      context.console.Out(CommandHelp(with_driver));
      return kExitOk;
    }
    if (parsed->operands.size() != 2) return ErrorWithHelp(context, *this, kUsage);
    context.quiet = parsed->Bool("quiet");
    DM_RETURN_IF_ERROR(Keep(context, driver, *parsed));
    return kExitOk;
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    DM_ASSIGN_OR_RETURN(const std::optional<DataFormat> format, DataFormatOf(args));
    const std::vector<std::string>& words = args.operands;
    if (words.size() == 1 && words[0] == "ls") {
      DM_RETURN_IF_ERROR(List(context, format));
    } else if (words.size() == 2 && words[0] == "rm") {
      DM_RETURN_IF_ERROR(Remove(context, words[1]));
    } else {
      return ErrorWithHelp(context, *this, kUsage);
    }
    return kExitOk;
  }

 private:
  static CommandInfo InfoWith(std::vector<Flag> driver_flags) {
    driver_flags.push_back(
        {.names = {"driver", "d"}, .usage = "With add: whose options these are"});
    driver_flags.push_back(OutputFlag());
    driver_flags.push_back(QuietFlag());
    return {
        .name = "credential",
        .summary = "Keep values of drivers' options once for many machines",
        .description = "Arguments are ls, add NAME, rotate NAME, or rm NAME.",
        .flags = std::move(driver_flags),
        .details =
            "add and rotate take the driver's own flags, such as --digitalocean-access-token, and "
            "what is\nsecret also from their environment variables, which keeps it out of the "
            "list of processes and\nthe shell's history. Values are kept sealed and never shown "
            "again. Machines made with\ncreate --credential NAME have them from here at each call, "
            "so a rotation counts for all of them\nat once.",
        .examples = {{"docker-machine credential add -h", "how to add one"},
                     {"docker-machine credential add team -d digitalocean",
                      "the token from DIGITALOCEAN_ACCESS_TOKEN"},
                     {"docker-machine create -d digitalocean --credential team web",
                      "a machine that uses it"},
                     {"docker-machine credential rotate team", "another token, for all of them"},
                     {"docker-machine credential rm team", "once no machine uses it"}}};
  }

  static absl::Status Keep(CommandContext& context, const DriverInfo& driver,
                           const ParsedArgs& args) {
    const bool add = args.operands[0] == "add";
    const std::string& name = args.operands[1];
    machine::v1::Machine filled;
    DM_RETURN_IF_ERROR(FillGivenOptions(driver, args, context.env, filled));
    if (filled.driver_options().empty()) {
      return absl::InvalidArgumentError(absl::StrCat("no option of the driver ", driver.name(),
                                                     " is given", SecretFlags(driver)));
    }
    if (add) {
      machine::v1::CreateCredentialRequest request;
      request.set_credential_id(std::string(CredentialId(name)));
      request.set_driver(driver.name());
      *request.mutable_options() = filled.driver_options();
      DM_RETURN_IF_ERROR(
          context.orchestrator.Call<Credentials>(&Credentials::Stub::CreateCredential, request)
              .status());
      context.Say(absl::StrCat("Added the credential \"", CredentialId(name),
                               "\". To use it, run: docker-machine create -d ", driver.name(),
                               " --credential ", CredentialId(name), " NAME\n"));
      return absl::OkStatus();
    }
    machine::v1::RotateCredentialRequest request;
    request.set_name(CredentialName(name));
    *request.mutable_options() = filled.driver_options();
    DM_ASSIGN_OR_RETURN(
        const Credential rotated,
        context.orchestrator.Call<Credentials>(&Credentials::Stub::RotateCredential, request));
    context.Say(absl::StrCat("Rotated the credential \"", CredentialId(name), "\" to version ",
                             rotated.version(), ".\n"));
    return absl::OkStatus();
  }
};

}  // namespace

absl::string_view CredentialId(absl::string_view name) { return absl::StripPrefix(name, kPrefix); }

std::string CredentialName(absl::string_view id) { return absl::StrCat(kPrefix, CredentialId(id)); }

absl::StatusOr<std::vector<Credential>> AllCredentials(CommandContext& context) {
  std::vector<Credential> credentials;
  machine::v1::ListCredentialsRequest request;
  do {
    DM_ASSIGN_OR_RETURN(
        const machine::v1::ListCredentialsResponse page,
        context.orchestrator.Call<Credentials>(&Credentials::Stub::ListCredentials, request));
    credentials.insert(credentials.end(), page.credentials().begin(), page.credentials().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return credentials;
}

absl::StatusOr<Credential> FindCredential(CommandContext& context, absl::string_view name) {
  DM_ASSIGN_OR_RETURN(const std::vector<Credential> credentials, AllCredentials(context));
  for (const Credential& credential : credentials) {
    if (credential.name() == CredentialName(name)) return credential;
  }
  return absl::NotFoundError(
      absl::StrCat("Credential \"", CredentialId(name), "\" does not exist"));
}

std::unique_ptr<Command> MakeCredentialCommand() { return std::make_unique<CredentialCommand>(); }

}  // namespace machine::cli
