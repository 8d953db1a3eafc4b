#include "cli/commands/machine_operations.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "cli/args/flags.h"
#include "cli/commands/errors.h"
#include "services/common/status/status.h"

namespace machine::cli {

std::vector<std::string> Distinct(const std::vector<std::string>& names) {
  std::vector<std::string> distinct;
  for (const std::string& name : names) {
    if (std::find(distinct.begin(), distinct.end(), name) == distinct.end()) {
      distinct.push_back(name);
    }
  }
  return distinct;
}

absl::Status RunOnMachines(CommandContext& context, const std::vector<std::string>& names,
                           const MachineOperation& operation) {
  const std::vector<std::string> machines = Distinct(names);
  std::vector<absl::Status> errors(machines.size());
  std::vector<machine::v1::MachineState> states(machines.size());
  ForEachAtOnce(machines.size(), [&](size_t i) {
    const auto machine =
        GetMachine(context, machines[i],
                   {.fields = {"name", "state"}, .live = operation.refused_in.has_value()});
    errors[i] = machine.status();
    if (machine.ok()) states[i] = machine->state();
  });
  DM_RETURN_IF_ERROR(JoinErrors(errors));

  OperationRunner runner(context, machines.size());
  ForEachAtOnce(machines.size(), [&](size_t i) {
    const std::string& machine = machines[i];
    OperationRequest request;
    request.machine = machine;
    request.verb = operation.verb;
    request.said_before = operation.said_before;
    if (!operation.doing.empty()) {
      request.opening = absl::StrCat(operation.doing, " ", GoQuote(machine), "...");
    }
    if (operation.refused_in.has_value() && states[i] == *operation.refused_in) {
      if (!request.opening.empty()) runner.progress().Out(i, request.opening);
      runner.progress().Finish(i);
      errors[i] = absl::FailedPreconditionError(
          absl::StrCat("Machine ", GoQuote(machine), " is already ",
                       absl::AsciiStrToLower(StateWord(states[i])), "."));
      return;
    }
    request.attaches_to = operation.also_follows;
    request.attaches_to.push_back(operation.verb);
    request.follow_command = absl::StrCat("docker-machine ", operation.verb, " ", machine);
    request.submit = [&, request_id = common::NewUuid()] {
      return operation.submit(context, ResourceName(machine), request_id);
    };
    if (!operation.done.empty()) {
      request.closing = absl::StrCat("Machine ", GoQuote(machine), " was ", operation.done, ".");
    }
    errors[i] = runner.Run(i, request);
  });
  return JoinErrors(errors);
}

}  // namespace machine::cli
