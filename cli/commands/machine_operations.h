// Commands that do one thing to some machines: start, stop, kill and their like.
#ifndef CLI_COMMANDS_MACHINE_OPERATIONS_H_
#define CLI_COMMANDS_MACHINE_OPERATIONS_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/commands/command.h"
#include "cli/commands/machines.h"
#include "cli/commands/operation_runner.h"
#include "services/common/crypto/random.h"

namespace machine::cli {

/// What a command does to each of its machines.
struct MachineOperation {
  /// As in OperationMetadata.verb, and the command's name.
  std::string verb;
  /// "Starting": printed as `Starting "dev"...` first; may be empty.
  std::string doing;
  /// "started": printed as `Machine "dev" was started.` last; may be empty.
  std::string done;
  /// A machine already in this state is an error.
  std::optional<machine::v1::MachineState> refused_in;
  /// Further verbs whose operation under way is followed instead; `verb` itself always is.
  std::vector<std::string> also_follows;
  /// Asks for the operation on a resource name, with a request_id.
  std::function<absl::StatusOr<google::longrunning::Operation>(
      CommandContext& context, const std::string& name, const std::string& request_id)>
      submit;
  /// A line that was printed for all machines; when a step says the same, it is left out.
  std::string said_before = "";
};

/// Runs `operation` on all `machines` at once. Nothing is done when one of them does not exist.
/// Output comes in the order of the machines.
/// @return OK, or all errors as one.
absl::Status RunOnMachines(CommandContext& context, const std::vector<std::string>& machines,
                           const MachineOperation& operation);

/// A MachineOperation::submit that makes a call of machine.v1.Machines.
template <typename Request>
auto SubmitBy(grpc::Status (machine::v1::Machines::Stub::*method)(grpc::ClientContext*,
                                                                  const Request&,
                                                                  google::longrunning::Operation*),
              Request prototype = {}) {
  return [method, prototype](CommandContext& context, const std::string& name,
                             const std::string& request_id) {
    Request request = prototype;
    request.set_name(name);
    request.set_request_id(request_id);
    return context.orchestrator.Call<machine::v1::Machines>(method, request);
  };
}

/// `names` without repetitions.
std::vector<std::string> Distinct(const std::vector<std::string>& names);

}  // namespace machine::cli

#endif  // CLI_COMMANDS_MACHINE_OPERATIONS_H_
