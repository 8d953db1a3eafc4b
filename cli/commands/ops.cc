#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cli/commands/commands.h"
#include "cli/commands/errors.h"
#include "cli/commands/machines.h"
#include "cli/commands/message_data.h"
#include "cli/commands/operation_runner.h"
#include "cli/output/data_format.h"
#include "cli/output/table.h"
#include "cli/output/time_text.h"
#include "google/longrunning/operations.grpc.pb.h"
#include "machine/v1/operations.pb.h"
#include "services/common/legacy/machine_config.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using google::longrunning::Operation;
using google::longrunning::Operations;
using machine::v1::OperationMetadata;

constexpr char kHeader[] = "OPERATION\tMACHINE\tVERB\tSTATE\tSTEP\tBEGUN\n";
constexpr char kPrefix[] = "operations/";
constexpr int kDefaultLimit = 50;

OperationMetadata MetadataOf(const Operation& operation) {
  OperationMetadata metadata;
  operation.metadata().UnpackTo(&metadata);
  return metadata;
}

std::string StateOf(const Operation& operation, const OperationMetadata& metadata) {
  if (operation.done()) return operation.has_error() ? "failed" : "succeeded";
  return metadata.cancel_requested() ? "cancelling" : "running";
}

std::string StepOf(const OperationMetadata& metadata) {
  const machine::v1::Progress& step = metadata.progress();
  if (step.step().empty()) return "";
  return absl::StrCat("[", step.step_index(), "/", step.step_count(), "] ", step.step());
}

std::string Id(const Operation& operation) {
  return std::string(absl::StripPrefix(operation.name(), kPrefix));
}

std::string Name(absl::string_view operand) {
  return absl::StrCat(kPrefix, absl::StripPrefix(operand, kPrefix));
}

absl::StatusOr<Operation> Get(CommandContext& context, absl::string_view operand) {
  google::longrunning::GetOperationRequest request;
  request.set_name(Name(operand));
  auto operation = context.orchestrator.Call<Operations>(&Operations::Stub::GetOperation, request);
  if (common::ReasonOf(operation.status()) == machine::v1::ERROR_REASON_OPERATION_NOT_FOUND) {
    return absl::NotFoundError(absl::StrCat("Operation ", GoQuote(operand),
                                            " does not exist. Use \"docker-machine ops ls -a\" to "
                                            "list operations."));
  }
  return operation;
}

absl::StatusOr<int> List(CommandContext& context, const ParsedArgs& args) {
  google::longrunning::ListOperationsRequest request;
  std::string filter = args.Bool("all") ? "" : "done=false";
  if (!args.String("machine").empty()) {
    absl::StrAppend(&filter, filter.empty() ? "" : " AND ", "machine=", args.String("machine"));
  }
  request.set_filter(filter);
  request.set_page_size(static_cast<int>(args.Int("limit")));
  DM_ASSIGN_OR_RETURN(const std::optional<DataFormat> output, DataFormatOf(args));
  DM_ASSIGN_OR_RETURN(
      const google::longrunning::ListOperationsResponse response,
      context.orchestrator.Call<Operations>(&Operations::Stub::ListOperations, request));
  nlohmann::ordered_json data = nlohmann::ordered_json::array();
  std::string rows;
  for (const Operation& operation : response.operations()) {
    const OperationMetadata metadata = MetadataOf(operation);
    if (output.has_value()) {
      DM_ASSIGN_OR_RETURN(data.emplace_back(), MessageData(operation));
      continue;
    }
    absl::StrAppend(&rows, Id(operation), "\t", common::MachineId(metadata.machine()), "\t",
                    metadata.verb(), "\t", StateOf(operation, metadata), "\t", StepOf(metadata),
                    "\t", IsoTime(metadata.create_time()), "\n");
  }
  context.console.Out(output.has_value() ? Serialize(*output, data)
                                         : AlignColumns(absl::StrCat(kHeader, rows)));
  return kExitOk;
}

absl::StatusOr<int> Show(CommandContext& context, const ParsedArgs& args) {
  DM_ASSIGN_OR_RETURN(const std::optional<DataFormat> output, DataFormatOf(args));
  DM_ASSIGN_OR_RETURN(const Operation operation, Get(context, args.operands[1]));
  if (output.has_value()) {
    DM_ASSIGN_OR_RETURN(const nlohmann::ordered_json data, MessageData(operation));
    context.console.Out(Serialize(*output, data));
    return kExitOk;
  }
  const OperationMetadata metadata = MetadataOf(operation);
  const std::pair<const char*, std::string> lines[] = {
      {"Operation", Id(operation)},
      {"Machine", std::string(common::MachineId(metadata.machine()))},
      {"Verb", metadata.verb()},
      {"State", StateOf(operation, metadata)},
      {"Error", operation.has_error() ? operation.error().message() : ""},
      {"Step", StepOf(metadata)},
      {"Attempt", metadata.attempt() > 1 ? absl::StrCat(metadata.attempt()) : ""},
      {"Asked by", metadata.requested_by()},
      {"Trace", metadata.trace_id()},
      {"Accepted", IsoTime(metadata.create_time())},
      {"Begun", IsoTime(metadata.start_time())},
      {"Ended", IsoTime(metadata.end_time())},
  };
  std::string text;
  for (const auto& [label, value] : lines) {
    if (!value.empty()) absl::StrAppend(&text, label, ":\t", value, "\n");
  }
  context.console.Out(AlignColumns(text));
  return kExitOk;
}

absl::StatusOr<int> Watch(CommandContext& context, const ParsedArgs& args) {
  DM_ASSIGN_OR_RETURN(const Operation operation, Get(context, args.operands[1]));
  const OperationMetadata metadata = MetadataOf(operation);
  OperationRequest request;
  request.machine = std::string(common::MachineId(metadata.machine()));
  request.verb = metadata.verb();
  request.follow_command = absl::StrCat("docker-machine ops watch ", Id(operation));
  request.submit = [&] { return absl::StatusOr<Operation>(operation); };
  request.interrupt = OperationRequest::Interrupt::kLeave;
  OperationRunner runner(context, 1);
  DM_RETURN_IF_ERROR(runner.Run(0, request));
  return kExitOk;
}

absl::StatusOr<int> Cancel(CommandContext& context, const ParsedArgs& args) {
  std::vector<absl::Status> errors;
  for (size_t i = 1; i < args.operands.size(); ++i) {
    const absl::StatusOr<Operation> operation = Get(context, args.operands[i]);
    errors.push_back(operation.status());
    if (!operation.ok()) continue;
    if (operation->done()) {
      errors.back() = absl::FailedPreconditionError(
          absl::StrCat("Operation ", GoQuote(args.operands[i]), " is done already."));
      continue;
    }
    google::longrunning::CancelOperationRequest request;
    request.set_name(operation->name());
    errors.back() =
        context.orchestrator.Call<Operations>(&Operations::Stub::CancelOperation, request).status();
    if (errors.back().ok()) {
      context.console.Out(absl::StrCat("Operation ", GoQuote(args.operands[i]),
                                       " was asked to stop at its next safe point.\n"));
    }
  }
  DM_RETURN_IF_ERROR(JoinErrors(errors));
  return kExitOk;
}

class OpsCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "ops",
            .summary = "List, show, follow or cancel operations",
            .description = "Arguments are ls, or show, watch or cancel and an operation.",
            .flags = {{.names = {"all", "a"},
                       .type = FlagType::kBool,
                       .usage = "ls: also those that are done"},
                      {.names = {"machine", "m"},
                       .type = FlagType::kString,
                       .usage = "ls: only those of this machine"},
                      {.names = {"limit"},
                       .type = FlagType::kInt,
                       .usage = "ls: at most so many, the newest first",
                       .default_value = absl::StrCat(kDefaultLimit)},
                      OutputFlag()},
            .details =
                "An operation goes on whether a command follows it or not. watch shows what "
                "it did and does until\nit is done, and fails when it failed; Ctrl-C leaves "
                "it running.",
            .examples = {{"docker-machine ops ls", "what goes on"},
                         {"docker-machine ops ls -a -m dev", "what was done to a machine"},
                         {"docker-machine ops watch ID", "follow one to its end"},
                         {"docker-machine ops cancel ID", "stop one at its next safe point"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    struct Verb {
      absl::StatusOr<int> (*run)(CommandContext&, const ParsedArgs&);
      size_t least;
      size_t most;
    };
    static constexpr size_t kMany = 1000;
    static const auto& verbs =
        *new std::map<std::string, Verb, std::less<>>{{"ls", {List, 1, 1}},
                                                      {"show", {Show, 2, 2}},
                                                      {"watch", {Watch, 2, 2}},
                                                      {"cancel", {Cancel, 2, kMany}}};
    const auto verb = args.operands.empty() ? verbs.end() : verbs.find(args.operands[0]);
    if (verb == verbs.end()) {
      return ErrorWithHelp(context, *this, "Error: Expected ls, show, watch or cancel");
    }
    if (args.operands.size() < verb->second.least || args.operands.size() > verb->second.most) {
      return ErrorWithHelp(context, *this,
                           verb->second.most == 1
                               ? "Error: ops ls takes no further arguments"
                               : absl::StrCat("Error: Expected an operation after ", verb->first));
    }
    return verb->second.run(context, args);
  }
};

}  // namespace

std::unique_ptr<Command> MakeOpsCommand() { return std::make_unique<OpsCommand>(); }

}  // namespace machine::cli
