#include <algorithm>
#include <functional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/args/flags.h"
#include "cli/commands/access.h"
#include "cli/commands/commands.h"
#include "cli/commands/create_flags.h"
#include "cli/commands/credentials.h"
#include "cli/commands/docker_context.h"
#include "cli/commands/errors.h"
#include "cli/commands/machines.h"
#include "cli/commands/operation_runner.h"
#include "machine/v1/drivers.grpc.pb.h"
#include "services/common/crypto/random.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using machine::v1::DriverInfo;
using machine::v1::Drivers;
using machine::v1::Machines;

constexpr char kSummary[] = "Create a machine";
constexpr absl::Duration kDriverTimeout = absl::Seconds(30);

std::vector<std::string> DriverNames(CommandContext& context) {
  std::vector<std::string> names;
  const auto drivers = context.orchestrator.Call<Drivers>(&Drivers::Stub::ListDrivers,
                                                          machine::v1::ListDriversRequest());
  if (!drivers.ok()) return names;  // Only help and hints name them.
  for (const DriverInfo& driver : drivers->drivers()) names.push_back(driver.name());
  return names;
}

CommandInfo InfoFor(std::vector<Flag> flags) {
  return {.name = "create",
          .summary = kSummary,
          .description = absl::StrCat("Run 'docker-machine create --driver name --help' to include "
                                      "the create flags for that driver in the help text."),
          .flags = std::move(flags),
          .examples = {
              {"docker-machine create -d docker dev", "a container that is a host"},
              {"docker-machine create -d generic --generic-ip-address=192.0.2.7 web",
               "a host that is there, over SSH"},
              {"docker-machine create --url=tcp://192.0.2.8:2375 box", "an engine that is there"},
              {"docker-machine create -d docker --engine-label tier=web --tls-san dev.lan dev",
               "with options of the engine and another name in its certificate"}}};
}

bool AsksForHelp(const std::vector<std::string>& args) {
  return std::any_of(args.begin(), args.end(), [](const std::string& arg) {
    return arg == "-h" || arg == "--help" || arg == "-help";
  });
}

// As the original words a create that failed at each stage. `next_steps` is asked of a failure that
// may have left a machine.
absl::Status CreateError(const absl::Status& status, bool kept,
                         const std::function<std::string()>& next_steps) {
  if (status.message().empty()) return status;
  const auto with = [&](absl::string_view message) {
    absl::Status renamed(status.code(), message);
    status.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) {
      renamed.SetPayload(url, payload);
    });
    return renamed;
  };
  switch (common::ReasonOf(status)) {
    case machine::v1::ERROR_REASON_PRECREATE_CHECK_FAILED:
      return with(absl::StrCat("Error with pre-create check: ", GoQuote(status.message())));
    case machine::v1::ERROR_REASON_MACHINE_EXISTS:
    case machine::v1::ERROR_REASON_INVALID_MACHINE_NAME:
    case machine::v1::ERROR_REASON_OPERATION_IN_PROGRESS:
      return status;
    case machine::v1::ERROR_REASON_BY_USER:
      return with(
          kept ? "Creation was cancelled; what had been made is kept, until docker-machine rm"
               : "Creation was cancelled; what had been made is removed");
    case machine::v1::ERROR_REASON_UNKNOWN_DRIVER_OPTION:
    case machine::v1::ERROR_REASON_OPTION_OUT_OF_RANGE:
      return with(absl::StrCat("Error setting machine configuration from flags provided: ",
                               status.message()));
    default:
      return with(absl::StrCat("Error creating machine: ", status.message(), next_steps()));
  }
}

// What to do about a machine whose creation failed, on a line of its own after the error; empty
// when no such machine is there.
std::string NextSteps(CommandContext& context, const std::string& name) {
  const auto machine = GetMachine(context, name, {.fields = {"state", "endpoint"}});
  if (!machine.ok() || machine->state() != machine::v1::MACHINE_STATE_ERROR) return "";
  // A host that is there can be gone on with.
  const bool has_host = !machine->endpoint().ssh_host().empty();
  return absl::StrCat(
      "\nWhat was made is kept. To see what happened: docker-machine logs ", name,
      has_host ? absl::StrCat("; to go on once the cause is gone: docker-machine provision ", name)
               : "",
      "; to begin anew: docker-machine rm ", name, ", then create it again");
}

class CreateCommand final : public Command {
 public:
  CommandInfo info() const override { return InfoFor(CommonCreateFlags({})); }

  // Which flags there are depends on the driver, which is itself a flag.
  absl::StatusOr<int> RunRaw(CommandContext& context,
                             const std::vector<std::string>& args) override {
    const absl::string_view driver_names[] = {"driver", "d"};
    const absl::string_view url_names[] = {"url"};
    std::string name = PeekFlag(args, driver_names).value_or(context.env.Get("MACHINE_DRIVER"));
    const bool chosen = !name.empty() || PeekFlag(args, url_names).has_value();
    if (name.empty()) name = "none";
    const absl::StatusOr<DriverInfo> driver = GetDriver(context, name);
    if (!driver.ok()) {
      // Without an orchestrator there is still help, only less of it.
      if (!absl::IsNotFound(driver.status()) && AsksForHelp(args)) {
        context.console.Out(CommandHelp(info()));
      }
      return driver.status();
    }

    std::set<std::string> credential_options;
    const absl::string_view credential_names[] = {"credential"};
    const std::string credential = PeekFlag(args, credential_names).value_or("");
    if (!credential.empty() && !AsksForHelp(args)) {
      DM_ASSIGN_OR_RETURN(const machine::v1::Credential found, FindCredential(context, credential));
      credential_options.insert(found.option_names().begin(), found.option_names().end());
    }
    std::vector<Flag> flags = DriverFlags(*driver);
    for (Flag& flag : flags) {
      if (credential_options.contains(flag.names[0])) flag.env_vars.clear();
    }
    const std::vector<Flag> common = CommonCreateFlags({});
    flags.insert(flags.end(), common.begin(), common.end());
    const absl::StatusOr<ParsedArgs> parsed = ParseArgs(flags, args, context.env);
    if (!parsed.ok()) {
      context.console.Out(absl::StrCat("Incorrect Usage.\n\n", Help(context, *driver)));
      return parsed.status();
    }
    if (parsed->help) {
      context.console.Out(Help(context, *driver));
      return kExitOk;
    }
    if (absl::Status status = CheckOperands(context, *driver, *parsed); !status.ok()) {
      return status;
    }
    if (!chosen) return NoDriverError(context, parsed->operands[0]);
    if (parsed->Bool("context")) {
      DM_RETURN_IF_ERROR(DockerContexts::CheckName(parsed->operands[0]));
    }
    context.quiet = parsed->Bool("quiet");
    return Create(context, *driver, *parsed, credential_options);
  }

  absl::StatusOr<int> Run(CommandContext&, const ParsedArgs&) override { return kExitError; }

 private:
  static absl::StatusOr<DriverInfo> GetDriver(CommandContext& context, const std::string& name) {
    machine::v1::GetDriverRequest request;
    request.set_name(name);
    auto driver =
        context.orchestrator.Call<Drivers>(&Drivers::Stub::GetDriver, request, kDriverTimeout);
    if (common::ReasonOf(driver.status()) == machine::v1::ERROR_REASON_DRIVER_NOT_FOUND) {
      return absl::NotFoundError(
          absl::StrCat("Driver ", GoQuote(name),
                       " not found. Do you have the plugin binary \"docker-machine-driver-", name,
                       "\" accessible in your PATH?"));
    }
    return driver;
  }

  // With the drivers' names, which only help shows and which cost a call.
  static std::string Help(CommandContext& context, const DriverInfo& driver) {
    std::vector<Flag> flags = DriverFlags(driver);
    const std::vector<Flag> common = CommonCreateFlags(DriverNames(context));
    flags.insert(flags.end(), common.begin(), common.end());
    return CommandHelp(InfoFor(std::move(flags)));
  }

  static absl::Status CheckOperands(CommandContext& context, const DriverInfo& driver,
                                    const ParsedArgs& args) {
    if (args.operands.size() > 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("Invalid command line. Found extra arguments [",
                       absl::StrJoin(args.operands.begin() + 1, args.operands.end(), " "), "]"));
    }
    if (args.operands.empty()) {
      context.console.Out(Help(context, driver));
      return absl::InvalidArgumentError("Error: No machine name specified");
    }
    if (args.operands[0].size() > kMaxMachineName) {
      return absl::InvalidArgumentError(
          absl::StrCat("Error creating machine: Invalid hostname specified. It has ",
                       args.operands[0].size(), " characters, ", kMaxMachineName, " are possible"));
    }
    if (!IsMachineName(args.operands[0])) {
      return absl::InvalidArgumentError(absl::StrCat("Error creating machine: ", kInvalidHostname));
    }
    return absl::OkStatus();
  }

  static absl::Status NoDriverError(CommandContext& context, const std::string& machine) {
    return absl::InvalidArgumentError(
        absl::StrCat("Error creating machine: no driver was chosen. Available drivers: ",
                     absl::StrJoin(DriverNames(context), ", "),
                     ". For example: docker-machine create -d docker ", machine));
  }

  static absl::Status WriteContext(CommandContext& context, const std::string& name) {
    DM_ASSIGN_OR_RETURN(const Access access, GetAccess(context, name, /*swarm=*/false));
    return DockerContexts(context.env).Write(name, name, access);
  }

  static absl::StatusOr<int> Create(CommandContext& context, const DriverInfo& driver,
                                    const ParsedArgs& args,
                                    const std::set<std::string>& credential_options) {
    const std::string& name = args.operands[0];
    machine::v1::CreateMachineRequest create;
    create.set_machine_id(name);
    create.set_request_id(common::NewUuid());
    create.set_resume(true);
    if (!args.String("credential").empty()) {
      create.mutable_machine()->set_credential(CredentialName(args.String("credential")));
    }
    DM_RETURN_IF_ERROR(FillCommonOptions(args, create));
    SshLogin login;
    DM_RETURN_IF_ERROR(common::Annotate(
        FillDriverOptions(driver, args, context.env, context.orchestrator.is_private(),
                          credential_options, create, login),
        "Error setting machine configuration from flags provided"));
    if (context.debug && !login.used.empty()) {
      context.console.Err(absl::StrCat("(", name, ") logging in with ", login.used, "\n"));
    }

    OperationRequest request;
    request.machine = name;
    request.verb = "create";
    request.closing = absl::StrCat(
        "To see how to connect Docker to this machine, run: docker-machine env ", name);
    request.follow_command = absl::StrCat("docker-machine provision ", name);
    request.submit = [&context, &create] {
      return context.orchestrator.Call<Machines>(&Machines::Stub::CreateMachine, create);
    };
    OperationRunner runner(context, 1);
    const absl::Status status = runner.Run(0, request);
    if (!status.ok()) {
      return CreateError(status, create.on_failure() == machine::v1::FAILURE_POLICY_KEEP,
                         [&] { return NextSteps(context, name); });
    }
    if (args.Bool("context")) {
      DM_RETURN_IF_ERROR(
          common::Annotate(WriteContext(context, name), "Error writing the context"));
    }
    return kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeCreateCommand() { return std::make_unique<CreateCommand>(); }

}  // namespace machine::cli
