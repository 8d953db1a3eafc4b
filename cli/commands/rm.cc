#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/args/flags.h"
#include "cli/commands/commands.h"
#include "cli/commands/docker_context.h"
#include "cli/commands/errors.h"
#include "cli/commands/machine_operations.h"
#include "cli/commands/prompt.h"

namespace machine::cli {
namespace {

using machine::v1::Machines;

class RmCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {
        .name = "rm",
        .summary = "Remove a machine",
        .description = "Argument(s) are one or more machine names.",
        .flags = {{.names = {"force", "f"},
                   .type = FlagType::kBool,
                   .usage = "Remove local configuration even if machine cannot be removed, also "
                            "implies an automatic yes (`-y`)"},
                  {.names = {"y"},
                   .type = FlagType::kBool,
                   .usage = "Assumes automatic yes to proceed with remove, without prompting "
                            "further user confirmation"},
                  QuietFlag()},
        .operands = Operands::kMachines,
        .examples = {{"docker-machine rm dev", "asks first"},
                     {"docker-machine rm -y dev web", "without a question"},
                     {"docker-machine rm -f dev", "also when the provider does not answer"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    if (args.operands.empty()) return ErrorWithHelp(context, *this, kExpectedMachines);
    const bool force = args.Bool("force");
    const bool ask = !force && !args.Bool("y");
    const std::string warning = absl::StrCat(
        "About to remove ", absl::StrJoin(args.operands, ", "),
        "\nWARNING: This action will delete both local reference and remote instance.\n");
    if (ask) {
      context.console.Out(warning);
      if (!Confirm(context.console, "Are you sure?")) return kExitOk;
    } else {
      context.Say(warning);
    }

    const std::vector<std::string> machines = Distinct(args.operands);
    std::vector<absl::Status> errors(machines.size());
    OperationRunner runner(context, machines.size());
    ForEachAtOnce(machines.size(), [&](size_t i) {
      const absl::Status status = runner.Run(i, RequestFor(context, machines[i], force));
      // A context of the machine's name is ours or none; one of another name is the user's affair.
      if (status.ok()) DockerContexts(context.env).Remove(machines[i], machines[i]).IgnoreError();
      if (status.ok() || status.message().empty()) {
        errors[i] = status;
        return;
      }
      errors[i] = absl::Status(
          status.code(),
          absl::StrCat("Error removing host ", GoQuote(machines[i]), ": ", status.message()));
    });
    return Outcome(context, errors, force);
  }

 private:
  static OperationRequest RequestFor(CommandContext& context, const std::string& machine,
                                     bool force) {
    machine::v1::DeleteMachineRequest prototype;
    prototype.set_force(force);
    OperationRequest request;
    request.machine = machine;
    request.verb = "delete";
    request.closing = absl::StrCat("Successfully removed ", machine);
    request.attaches_to = {"delete"};
    request.follow_command = absl::StrCat("docker-machine rm -y ", machine);
    request.submit = [&context, machine, request_id = common::NewUuid(),
                      submit =
                          SubmitBy(&Machines::Stub::DeleteMachine,
                                   prototype)]() -> absl::StatusOr<google::longrunning::Operation> {
      if (!IsMachineName(machine)) {
        return GetMachine(context, machine, {}).status();  // Says that there is none.
      }
      return submit(context, ResourceName(machine), request_id);
    };
    return request;
  }

  // With -f it is no failure that there was nothing to remove.
  static absl::StatusOr<int> Outcome(CommandContext& context, std::vector<absl::Status>& errors,
                                     bool force) {
    for (absl::Status& error : errors) {
      if (!force || !absl::IsNotFound(error)) continue;
      context.console.Err(absl::StrCat(error.message(), "\n"));
      error = absl::OkStatus();
    }
    const absl::Status joined = JoinErrors(errors);
    if (!joined.ok()) return joined;
    return kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeRmCommand() { return std::make_unique<RmCommand>(); }

}  // namespace machine::cli
