#include <algorithm>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "cli/commands/commands.h"
#include "cli/commands/machines.h"
#include "cli/commands/message_data.h"
#include "cli/output/data_format.h"
#include "cli/output/time_text.h"
#include "machine/v1/machines.grpc.pb.h"
#include "services/common/legacy/machine_config.h"
#include "services/common/status/grpc_status.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using machine::v1::MachineEvent;
using machine::v1::Machines;

constexpr absl::Duration kPatience = absl::Minutes(1);
constexpr absl::Duration kPause = absl::Milliseconds(200);

/// The stream being read, which Ctrl-C ends. Thread-safe.
class CurrentStream {
 public:
  /// False once Ctrl-C was pressed.
  bool Set(grpc::ClientContext* stream) {
    absl::MutexLock lock(&mu_);
    stream_ = stream;
    return !interrupted_;
  }
  void Interrupt() {
    absl::MutexLock lock(&mu_);
    interrupted_ = true;
    if (stream_ != nullptr) stream_->TryCancel();
  }
  bool interrupted() const {
    absl::MutexLock lock(&mu_);
    return interrupted_;
  }

 private:
  mutable absl::Mutex mu_;
  grpc::ClientContext* stream_ ABSL_GUARDED_BY(mu_) = nullptr;
  bool interrupted_ ABSL_GUARDED_BY(mu_) = false;
};

absl::string_view TypeWord(MachineEvent::Type type) {
  switch (type) {
    case MachineEvent::ADDED:
      return "added";
    case MachineEvent::MODIFIED:
      return "modified";
    case MachineEvent::DELETED:
      return "deleted";
    default:
      return "bookmark";
  }
}

class EventsCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "events",
            .summary = "Show each change of each machine as it happens",
            .description = "",
            .flags = {{.names = {"filter"},
                       .type = FlagType::kString,
                       .usage = "Only machines that fit, as driver=docker AND labels.team=a"},
                      {.names = {"initial"},
                       .type = FlagType::kBool,
                       .usage = "First show every machine as added"},
                      {.names = {"since"},
                       .type = FlagType::kString,
                       .usage = "What has happened since this resume token"},
                      {.names = {"once"},
                       .type = FlagType::kBool,
                       .usage = "With --initial: end where the present is reached"},
                      OutputFlag()},
            .details =
                "With -o json each line is an event, with -o yaml each document, with its "
                "resume_token, with which\n--since goes on after it.",
            .examples = {{"docker-machine events", "until Ctrl-C"},
                         {"docker-machine events --filter state=Error -o json", "for programs"},
                         {"docker-machine events --initial --once", "all there is, now"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    if (!args.operands.empty()) {
      return ErrorWithHelp(context, *this, "Error: events takes no arguments");
    }
    DM_ASSIGN_OR_RETURN(const std::optional<DataFormat> output, DataFormatOf(args));
    if (args.Bool("once") && !args.Bool("initial")) {
      return absl::InvalidArgumentError("Error: --once ends what --initial shows: give both");
    }
    machine::v1::WatchMachinesRequest request;
    request.set_filter(args.String("filter"));
    request.set_send_initial(args.Bool("initial"));
    request.set_resume_token(args.String("since"));
    CurrentStream current;
    context.interrupts.Start([&](int) { current.Interrupt(); });
    const absl::Status status = Follow(context, current, request, output, args.Bool("once"));
    context.interrupts.Stop();
    DM_RETURN_IF_ERROR(status);
    return kExitOk;
  }

 private:
  // Across restarts of the orchestrator, each event once.
  static absl::Status Follow(CommandContext& context, CurrentStream& current,
                             machine::v1::WatchMachinesRequest& request,
                             std::optional<DataFormat> output, bool once) {
    for (;;) {
      DM_ASSIGN_OR_RETURN(const common::Channel channel, context.orchestrator.channel());
      bool reached = false;
      absl::Status status =
          Read(context, current, channel, request, output, once ? &reached : nullptr);
      if (current.interrupted() || reached) return absl::OkStatus();
      const bool lagged = common::ReasonOf(status) == machine::v1::ERROR_REASON_WATCH_LAGGED;
      if (context.orchestrator.LostBy(status) || absl::IsCancelled(status)) {
        DM_RETURN_IF_ERROR(context.orchestrator.Recover(channel, status, kPatience));
        absl::SleepFor(kPause);
      } else if (!lagged && !status.ok()) {
        return status;
      }
    }
  }

  // Reads one stream; `reached` is set, and reading ended, at the first bookmark.
  static absl::Status Read(CommandContext& context, CurrentStream& current,
                           const common::Channel& channel,
                           machine::v1::WatchMachinesRequest& request,
                           std::optional<DataFormat> output, bool* reached) {
    Machines::Stub stub(channel.grpc());
    grpc::ClientContext call;
    channel.Prepare(call, absl::InfiniteDuration());
    if (!current.Set(&call)) return absl::OkStatus();
    const auto reader = stub.WatchMachines(&call, request);
    MachineEvent event;
    absl::Status shown;
    while (shown.ok() && reader->Read(&event)) {
      if (!event.resume_token().empty()) request.set_resume_token(event.resume_token());
      shown = Show(context, event, output);
      if (reached != nullptr && event.type() == MachineEvent::BOOKMARK) {
        *reached = true;
        call.TryCancel();
      }
    }
    current.Set(nullptr);
    if (!shown.ok()) call.TryCancel();
    const absl::Status status = common::FromGrpcStatus(reader->Finish());
    return shown.ok() ? status : shown;
  }

  static absl::Status Show(CommandContext& context, const MachineEvent& event,
                           std::optional<DataFormat> output) {
    if (output.has_value()) {
      DM_ASSIGN_OR_RETURN(const nlohmann::ordered_json data, MessageData(event));
      context.console.Out(SerializeNext(*output, data));
      return absl::OkStatus();
    }
    if (event.type() == MachineEvent::BOOKMARK) return absl::OkStatus();
    const machine::v1::Machine& machine = event.machine();
    context.console.Out(absl::StrCat(
        IsoTime(event.time()), " ", TypeWord(event.type()), " ", common::MachineId(machine.name()),
        " driver=", machine.driver(), " state=", StateWord(machine.state()),
        machine.pending_operation().empty() ? "" : absl::StrCat(" ", machine.pending_operation()),
        "\n"));
    return absl::OkStatus();
  }
};

}  // namespace

std::unique_ptr<Command> MakeEventsCommand() { return std::make_unique<EventsCommand>(); }

}  // namespace machine::cli
