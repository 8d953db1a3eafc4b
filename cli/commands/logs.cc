#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "cli/commands/commands.h"
#include "cli/commands/errors.h"
#include "cli/commands/machines.h"
#include "cli/commands/session.h"
#include "cli/output/data_format.h"
#include "cli/output/time_text.h"
#include "google/longrunning/operations.grpc.pb.h"
#include "machine/v1/operations.grpc.pb.h"
#include "services/common/status/grpc_status.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using google::longrunning::Operation;
using google::longrunning::Operations;
using machine::v1::LogLine;
using machine::v1::OperationEvent;
using machine::v1::OperationMetadata;
using nlohmann::ordered_json;
using EventPrinter = std::function<void(const OperationEvent&)>;

constexpr int kMaxOperations = 1000;
// An operation that goes on has told all it had to tell by then.
constexpr absl::Duration kReplayTime = absl::Seconds(2);

std::string EventText(const OperationEvent& event, bool debug) {
  if (event.has_progress()) {
    const machine::v1::Progress& step = event.progress();
    return absl::StrCat("[", step.step_index(), "/", step.step_count(), "] ",
                        step.message().empty() ? step.step() : step.message());
  }
  if (!event.has_log()) return "";
  const LogLine& log = event.log();
  if (log.severity() == LogLine::DEBUG && !debug) return "";
  return absl::StrCat(log.component(), log.component().empty() ? "" : ": ", log.text());
}

std::string EndText(const Operation& operation) {
  return operation.has_error() ? absl::StrCat("failed: ", operation.error().message())
                               : "succeeded";
}

// What --output shows of an event; nothing of what only --debug shows.
std::optional<ordered_json> EventData(const OperationEvent& event, bool debug) {
  ordered_json data;
  if (event.has_operation()) {
    data["state"] = event.operation().has_error() ? "failed" : "succeeded";
    if (event.operation().has_error()) data["error"] = event.operation().error().message();
    return data;
  }
  if (event.has_progress()) {
    const machine::v1::Progress& step = event.progress();
    data["step"] = step.step();
    data["step_index"] = step.step_index();
    data["step_count"] = step.step_count();
    data["text"] = step.message();
    return data;
  }
  if (!event.has_log() || (event.log().severity() == LogLine::DEBUG && !debug)) return std::nullopt;
  data["component"] = event.log().component();
  data["severity"] = absl::AsciiStrToLower(LogLine::Severity_Name(event.log().severity()));
  data["text"] = event.log().text();
  return data;
}

// Runs `command` as root, whoever logs in.
std::string AsRoot(absl::string_view command) {
  return absl::StrCat("if [ \"$(id -u)\" = 0 ]; then exec ", command, "; else exec sudo -n ",
                      command, "; fi");
}

class LogsCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "logs",
            .summary = "Show what was done to a machine, or a log of its own",
            .description = "Argument is a machine name.",
            .flags = {{.names = {"all", "a"},
                       .type = FlagType::kBool,
                       .usage = "All operations that are remembered, not only the last"},
                      {.names = {"follow", "f"},
                       .type = FlagType::kBool,
                       .usage = "Go on until the operation is done; with --engine, for ever"},
                      {.names = {"engine"},
                       .type = FlagType::kBool,
                       .usage = "The journal of the machine's engine, over SSH"},
                      {.names = {"cloud-init"},
                       .type = FlagType::kBool,
                       .usage = "The machine's log of cloud-init, over SSH"},
                      {.names = {"tail", "n"},
                       .type = FlagType::kInt,
                       .usage = "So many of the last lines of --engine",
                       .default_value = "1000"},
                      OutputFlag()},
            .details =
                "Without --engine and --cloud-init this is the log of the machine's "
                "operations: create, start,\nprovision and so on, each with its steps and "
                "what the driver and the provisioner said. With\n--debug before the "
                "command it also holds what the installers said. With -o json it is a line "
                "for\neach of these, with -o yaml a document.",
            .operands = Operands::kMachine,
            .examples = {{"docker-machine logs dev", "the last operation"},
                         {"docker-machine --debug logs -a dev", "everything"},
                         {"docker-machine logs -a -o json dev", "for programs"},
                         {"docker-machine logs -f dev", "follow one that goes on"},
                         {"docker-machine logs --engine -n 50 dev", "the engine's journal"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    DM_ASSIGN_OR_RETURN(const std::optional<DataFormat> output, DataFormatOf(args));
    DM_ASSIGN_OR_RETURN(const std::string machine, OneMachine(context, args.operands));
    if (args.Bool("engine") && args.Bool("cloud-init")) {
      return absl::InvalidArgumentError(
          "Error: --engine and --cloud-init are two logs: ask for one");
    }
    if (output.has_value() && (args.Bool("engine") || args.Bool("cloud-init"))) {
      return absl::InvalidArgumentError(
          "Error: the machine's own logs are text: leave --output out");
    }
    if (args.Bool("engine")) {
      const std::string journal =
          absl::StrCat("journalctl --no-pager -u docker -n ",
                       std::max<int64_t>(0, args.Int("tail")), args.Bool("follow") ? " -f" : "");
      return RunSession(context, machine, {.command = AsRoot(journal)});
    }
    if (args.Bool("cloud-init")) {
      return RunSession(context, machine,
                        {.command = AsRoot("cat /var/log/cloud-init-output.log")});
    }
    DM_RETURN_IF_ERROR(GetMachine(context, machine, {.fields = {"name"}}).status());
    DM_ASSIGN_OR_RETURN(const std::vector<Operation> operations,
                        OperationsOf(context, machine, args.Bool("all")));
    for (const Operation& operation : operations) {
      DM_RETURN_IF_ERROR(Print(context, operation, args.Bool("follow"), output));
    }
    return kExitOk;
  }

 private:
  // The oldest first.
  static absl::StatusOr<std::vector<Operation>> OperationsOf(CommandContext& context,
                                                             const std::string& machine, bool all) {
    google::longrunning::ListOperationsRequest request;
    request.set_filter(absl::StrCat("machine=", machine));
    request.set_page_size(all ? kMaxOperations : 1);
    DM_ASSIGN_OR_RETURN(
        const google::longrunning::ListOperationsResponse response,
        context.orchestrator.Call<Operations>(&Operations::Stub::ListOperations, request));
    return std::vector<Operation>(response.operations().rbegin(), response.operations().rend());
  }

  static absl::Status Print(CommandContext& context, const Operation& operation, bool follow,
                            std::optional<DataFormat> output) {
    OperationMetadata metadata;
    operation.metadata().UnpackTo(&metadata);
    if (!output.has_value()) {
      context.console.Out(absl::StrCat(IsoTime(metadata.create_time()), " ", metadata.verb(),
                                       operation.done() ? "" : " (goes on)", "\n"));
    }
    const EventPrinter print = [&](const OperationEvent& event) {
      if (output.has_value()) {
        std::optional<ordered_json> data = EventData(event, context.debug);
        if (!data.has_value()) return;
        ordered_json record = {{"time", IsoTime(event.time())},
                               {"operation", operation.name()},
                               {"verb", metadata.verb()}};
        record.update(*data);
        context.console.Out(SerializeNext(*output, record));
        return;
      }
      const std::string text =
          event.has_operation() ? EndText(event.operation()) : EventText(event, context.debug);
      if (text.empty()) return;
      context.console.Out(absl::StrCat(IsoTime(event.time()), "   ", text, "\n"));
    };
    const bool cut = !operation.done() && !follow;
    machine::v1::WatchOperationRequest request;
    request.set_name(operation.name());
    absl::Status status;
    for (absl::Time give_up = absl::Now() + Orchestrator::kRepeatFor;;) {
      DM_ASSIGN_OR_RETURN(const common::Channel channel, context.orchestrator.channel());
      const int64_t before = request.after_sequence();
      status = ReadEvents(channel, request, cut, print);
      if (request.after_sequence() > before) give_up = absl::Now() + Orchestrator::kRepeatFor;
      if (!context.orchestrator.LostBy(status) || absl::Now() > give_up) break;
      DM_RETURN_IF_ERROR(context.orchestrator.Recover(channel, status));
    }
    return cut && absl::IsDeadlineExceeded(status) ? absl::OkStatus() : status;
  }

  // One stream to its end; `request` then asks for what comes after it.
  static absl::Status ReadEvents(const common::Channel& channel,
                                 machine::v1::WatchOperationRequest& request, bool cut,
                                 const EventPrinter& print) {
    machine::v1::OperationEvents::Stub stub(channel.grpc());
    grpc::ClientContext call;
    channel.Prepare(call, cut ? kReplayTime : absl::InfiniteDuration());
    const auto reader = stub.WatchOperation(&call, request);
    OperationEvent event;
    while (reader->Read(&event)) {
      request.set_after_sequence(event.sequence());
      print(event);
    }
    return common::FromGrpcStatus(reader->Finish());
  }
};

}  // namespace

std::unique_ptr<Command> MakeLogsCommand() { return std::make_unique<LogsCommand>(); }

}  // namespace machine::cli
