#include "cli/commands/operation_runner.h"

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/commands/errors.h"
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

constexpr absl::Duration kCancelTimeout = absl::Seconds(5);
// How long the orchestrator may be away before an operation is given up on.
constexpr absl::Duration kPatience = absl::Minutes(2);
constexpr int kMaxFruitlessStreams = 10;

absl::Status LeftError() { return absl::CancelledError(""); }

}  // namespace

OperationRunner::OperationRunner(CommandContext& context, size_t lanes)
    : context_(context),
      progress_(
          context.console, lanes,
          {.quiet = context.quiet,
           .elapsed = context.elapsed,
           // A terminal that cannot move its cursor, or a user who wants no such thing.
           .plain = context.env.Get("TERM") == "dumb" || !context.env.Get("NO_COLOR").empty()}) {
  context_.interrupts.Start([this](int count) { OnInterrupt(count); });
}

OperationRunner::~OperationRunner() { context_.interrupts.Stop(); }

bool OperationRunner::left() const {
  absl::MutexLock lock(&mu_);
  return left_;
}

absl::Status OperationRunner::Run(size_t lane, const OperationRequest& request) {
  const auto finish = absl::MakeCleanup([&] { progress_.Finish(lane); });
  Active active;
  active.request = &request;
  active.lane = lane;
  active.shown.insert(request.said_before);
  if (!request.opening.empty()) {
    active.shown.insert(request.opening);
    progress_.Out(lane, request.opening);
  }
  DM_ASSIGN_OR_RETURN(const Operation begun, Submit(active));
  std::list<Active*>::iterator place;
  {
    absl::MutexLock lock(&mu_);
    active.operation = begun.name();
    place = active_.insert(active_.end(), &active);
  }
  const auto forget = absl::MakeCleanup([&] {
    absl::MutexLock lock(&mu_);
    active_.erase(place);
  });
  bool cancelled = false;
  {
    absl::MutexLock lock(&mu_);
    cancelled = cancelled_;
  }
  if (cancelled) CancelAll();  // Ctrl-C came before there was an operation to cancel.
  DM_ASSIGN_OR_RETURN(const Operation done, Follow(active));
  if (!done.has_error()) {
    if (!request.closing.empty()) progress_.Out(lane, request.closing);
    return absl::OkStatus();
  }
  return UserError(common::FromRpcStatus(done.error()), request.machine);
}

absl::StatusOr<Operation> OperationRunner::Submit(Active& active) {
  const OperationRequest& request = *active.request;
  absl::StatusOr<Operation> operation = request.submit();
  if (operation.ok()) return operation;
  if (common::ReasonOf(operation.status()) == machine::v1::ERROR_REASON_OPERATION_IN_PROGRESS) {
    google::longrunning::GetOperationRequest get;
    get.set_name(common::ErrorMetadataOf(operation.status(), "operation"));
    absl::StatusOr<Operation> running =
        context_.orchestrator.Call<Operations>(&Operations::Stub::GetOperation, get);
    machine::v1::OperationMetadata metadata;
    if (running.ok() && running->metadata().UnpackTo(&metadata) &&
        std::find(request.attaches_to.begin(), request.attaches_to.end(), metadata.verb()) !=
            request.attaches_to.end()) {
      return running;
    }
  }
  return UserError(operation.status(), request.machine);
}

absl::StatusOr<Operation> OperationRunner::Follow(Active& active) {
  int64_t sequence = 0;
  int fruitless = 0;
  while (!left()) {
    DM_ASSIGN_OR_RETURN(const common::Channel channel, context_.orchestrator.channel());
    const int64_t before = sequence;
    Operation done;
    const absl::Status status = ReadEvents(active, channel, sequence, done);
    if (done.done()) return done;
    if (left()) break;
    fruitless = sequence > before ? 0 : fruitless + 1;
    const bool lagged = common::ReasonOf(status) == machine::v1::ERROR_REASON_WATCH_LAGGED;
    // What this program cancels has left().
    const bool gone = context_.orchestrator.LostBy(status) || absl::IsCancelled(status);
    if (fruitless > kMaxFruitlessStreams || !(status.ok() || lagged || gone)) {
      return common::Annotate(status.ok() ? absl::InternalError("the orchestrator's events end "
                                                                "before the operation does")
                                          : status,
                              absl::StrCat("following the ", active.request->verb, " of \"",
                                           active.request->machine, "\""));
    }
    // The operation goes on whatever becomes of the orchestrator, so this follows it there.
    if (gone) {
      DM_RETURN_IF_ERROR(context_.orchestrator.Recover(channel, status, kPatience));
    }
    if (fruitless > 1)
      absl::SleepFor(std::min(absl::Seconds(2), fruitless * absl::Milliseconds(100)));
  }
  progress_.Err(active.lane,
                absl::StrCat("The ", active.request->verb, " of \"", active.request->machine,
                             "\" goes on without this command. To follow it: ",
                             active.request->follow_command));
  return LeftError();
}

absl::Status OperationRunner::ReadEvents(Active& active, const common::Channel& channel,
                                         int64_t& sequence, Operation& done) {
  machine::v1::OperationEvents::Stub stub(channel.grpc());
  grpc::ClientContext stream;
  channel.Prepare(stream, absl::InfiniteDuration());
  machine::v1::WatchOperationRequest request;
  request.set_name(active.operation);
  request.set_after_sequence(sequence);
  const auto reader = stub.WatchOperation(&stream, request);
  {
    absl::MutexLock lock(&mu_);
    active.stream = &stream;
    if (left_) stream.TryCancel();
  }
  OperationEvent event;
  while (reader->Read(&event)) {
    sequence = event.sequence();
    if (event.has_operation()) {
      done = std::move(*event.mutable_operation());
    } else {
      Show(active, event);
    }
  }
  {
    absl::MutexLock lock(&mu_);
    active.stream = nullptr;
  }
  return common::FromGrpcStatus(reader->Finish());
}

void OperationRunner::Show(Active& active, const OperationEvent& event) {
  if (event.has_progress()) {
    const machine::v1::Progress& step = event.progress();
    const std::string& text = step.message().empty() ? active.request->opening : step.message();
    active.step = absl::StrCat("[", step.step_index(), "/", step.step_count(), "] ", text);
    if (step.percent() > 0) absl::StrAppend(&active.step, " ", step.percent(), "%");
    progress_.Status(active.lane, active.step);
    if (!step.message().empty() && active.shown.insert(step.message()).second) {
      progress_.Out(active.lane, step.message());
    }
    return;
  }
  const LogLine& log = event.log();
  const std::string line = log.component() == "driver"
                               ? absl::StrCat("(", active.request->machine, ") ", log.text())
                               : log.text();
  if (log.severity() == LogLine::ERROR) {
    progress_.Err(active.lane, line);
  } else if (log.severity() != LogLine::DEBUG) {
    progress_.Out(active.lane, line);
  } else if (context_.debug) {
    progress_.Err(active.lane, line);
  } else {
    // What an installer says is worth a glance, not a line of its own.
    progress_.Status(active.lane, absl::StrCat(active.step, " ", log.text()));
  }
}

bool OperationRunner::only_followed() const {
  absl::MutexLock lock(&mu_);
  return !active_.empty() && std::all_of(active_.begin(), active_.end(), [](const Active* active) {
    return active->request->interrupt == OperationRequest::Interrupt::kLeave;
  });
}

void OperationRunner::OnInterrupt(int count) {
  if (count == 1 && only_followed()) return LeaveAll();
  if (count == 1) {
    {
      absl::MutexLock lock(&mu_);
      cancelled_ = true;
    }
    CancelAll();
  } else if (count == 2) {
    LeaveAll();
  }
}

void OperationRunner::CancelAll() {
  std::vector<std::pair<std::string, std::string>> all;  // Operation, text.
  {
    absl::MutexLock lock(&mu_);
    for (const Active* active : active_) {
      all.emplace_back(active->operation, absl::StrCat("Cancelling the ", active->request->verb,
                                                       " of \"", active->request->machine,
                                                       "\"... (Ctrl-C again leaves it running)\n"));
    }
  }
  for (const auto& [operation, text] : all) {
    context_.console.Err(text);
    google::longrunning::CancelOperationRequest request;
    request.set_name(operation);
    const auto answer = context_.orchestrator.Call<Operations>(&Operations::Stub::CancelOperation,
                                                               request, kCancelTimeout);
    if (!answer.ok()) {
      context_.console.Err(
          absl::StrCat("It cannot be cancelled: ", answer.status().message(), "\n"));
    }
  }
}

void OperationRunner::LeaveAll() {
  absl::MutexLock lock(&mu_);
  left_ = true;
  for (const Active* active : active_) {
    if (active->stream != nullptr) active->stream->TryCancel();
  }
}

}  // namespace machine::cli
