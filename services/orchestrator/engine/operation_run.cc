#include "services/orchestrator/engine/operation_run.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "google/protobuf/empty.pb.h"
#include "services/common/status/status.h"
#include "services/orchestrator/engine/machine_material.h"
#include "services/orchestrator/engine/operation_trace.h"
#include "services/orchestrator/engine/retry_policy.h"
#include "services/orchestrator/engine/tombstone_reaper.h"

namespace machine::orchestrator {
namespace {

constexpr absl::Duration kWriteRetryDelay = absl::Seconds(1);

absl::Status Cancelled() {
  return common::Error(absl::StatusCode::kCancelled, machine::v1::ERROR_REASON_BY_USER,
                       "cancelled by the user");
}

void SetNow(google::protobuf::Timestamp& timestamp, const common::Clock& clock) {
  const int64_t us = absl::ToUnixMicros(clock.Now());
  timestamp.set_seconds(us / 1'000'000);
  timestamp.set_nanos(static_cast<int32_t>(us % 1'000'000) * 1000);
}

}  // namespace

OperationRun::OperationRun(const EngineParts& parts, const Verb& verb, OperationRecord operation,
                           std::shared_ptr<Tenure> tenure, absl::AnyInvocable<void()> on_end)
    : parts_(parts),
      verb_(verb),
      strand_(std::make_shared<common::Strand>(parts.executor)),
      operation_(std::move(operation)),
      tenure_(std::move(tenure)),
      on_end_(std::move(on_end)),
      pending_(std::make_shared<PendingWrite>()) {}

void OperationRun::Start() {
  strand_->Run([self = shared_from_this()] { self->Load(); });
}

void OperationRun::Cancel() {
  strand_->Run([self = shared_from_this()] {
    if (self->ended_) return;
    self->operation_.mutable_metadata()->set_cancel_requested(true);
    if (self->cancel_hook_) self->cancel_hook_();
  });
}

void OperationRun::Abandon() {
  strand_->Run([self = shared_from_this()] { self->Drop(); });
}

void OperationRun::Drop() {
  if (ended_) return;
  ended_ = true;
  if (cancel_hook_) cancel_hook_();
  End();
}

void OperationRun::Load() {
  const absl::Status status = parts_.store.Read([&](StoreReader& reader) -> absl::Status {
    DM_ASSIGN_OR_RETURN(auto record, reader.FindMachine(operation_.machine_uid()));
    if (!record.has_value()) {
      return common::Error(absl::StatusCode::kNotFound, machine::v1::ERROR_REASON_MACHINE_NOT_FOUND,
                           "the machine's record is gone");
    }
    machine_ = *std::move(record);
    return absl::OkStatus();
  });
  if (absl::IsUnavailable(status)) {
    // The store is away. That is nothing to end an operation for.
    return parts_.executor.RunAfter(kWriteRetryDelay, [self = shared_from_this()] {
      self->strand_->Run([self] {
        if (!self->ended_) self->Load();
      });
    });
  }
  if (!status.ok()) return Finish(status);
  parts_.log.Info("operation begins", LogFieldsOf(operation_));
  if (!operation_.metadata().has_start_time()) {
    SetNow(*operation_.mutable_metadata()->mutable_start_time(), parts_.clock);
  }
  NextStep();
}

const std::vector<Step>& OperationRun::steps() const {
  return operation_.rolling_back() ? verb_.undo_steps : verb_.steps;
}

void OperationRun::NextStep() {
  if (ended_) return;
  cancel_hook_ = nullptr;
  // Undoing is not cancelled: it is what cancelling leads to.
  if (operation_.metadata().cancel_requested() && !operation_.rolling_back()) {
    return Fail(Cancelled());
  }
  while (operation_.step() < static_cast<int>(steps().size())) {
    const Step& step = steps()[static_cast<size_t>(operation_.step())];
    if (!step.applies || step.applies(operation_, machine_)) return BeginStep(step);
    operation_.set_step(operation_.step() + 1);
    operation_.set_intent(false);
  }
  Finish(operation_.rolling_back() ? common::FromRpcStatus(operation_.failure())
                                   : absl::OkStatus());
}

void OperationRun::BeginStep(const Step& step) {
  operation_.set_attempt(operation_.attempt() + 1);
  operation_.mutable_metadata()->set_attempt(operation_.attempt());
  operation_.set_intent(step.effect);
  if (!step.message.empty() && operation_.attempt() == 1) Say(step.message);
  if (!step.effect) return RunStep(step);
  Flush([self = shared_from_this(), &step] { self->RunStep(step); });
}

void OperationRun::RunStep(const Step& step) {
  if (ended_) return;
  if (!tenure_->Lasts()) return Drop();
  parts_.failpoints.Pass(verb_.name, step.name, "before_effect");
  step_start_ = parts_.clock.Steady();
  step.run(shared_from_this(), [self = shared_from_this(), &step](absl::Status status) {
    self->strand_->Run(
        [self, &step, status = std::move(status)] { self->StepEnded(step, status); });
  });
}

void OperationRun::StepEnded(const Step& step, const absl::Status& status) {
  if (ended_) return;
  cancel_hook_ = nullptr;
  parts_.failpoints.Pass(verb_.name, step.name, "after_effect");
  parts_.metrics.Observe("step_seconds",
                         {{"verb", std::string(verb_.name)}, {"step", std::string(step.name)}},
                         absl::ToDoubleSeconds(parts_.clock.Steady() - step_start_));
  if (!status.ok()) {
    common::LogFields fields = LogFieldsOf(operation_);
    fields.emplace_back("step", std::string(step.name));
    fields.emplace_back("error", std::string(status.message()));
    parts_.log.Info("step failed", fields);
    if (operation_.metadata().cancel_requested() && !operation_.rolling_back()) {
      return Fail(Cancelled());
    }
    if (Retry(step, status)) return;
    return Fail(status);
  }
  operation_.set_step(operation_.step() + 1);
  operation_.set_intent(false);
  operation_.set_attempt(0);
  // What was learnt is kept even if the next step takes long. A step without an effect can be
  // repeated, so its outcome goes with the next commit.
  if (step.effect) {
    Flush([self = shared_from_this(), &step] {
      self->parts_.failpoints.Pass(self->verb_.name, step.name, "after_commit");
    });
  }
  NextStep();
}

bool OperationRun::Retry(const Step& step, const absl::Status& status) {
  if (verb_.one_attempt && verb_.one_attempt(operation_)) return false;
  if (step.patient && common::ReasonOf(status) == machine::v1::ERROR_REASON_SSH_UNREACHABLE) {
    return false;
  }
  const std::optional<absl::Duration> delay = RetryDelay(status, operation_.attempt());
  if (!delay.has_value() || *delay >= Remaining()) return false;
  machine::v1::LogLine line;
  line.set_severity(machine::v1::LogLine::WARNING);
  line.set_text(absl::StrCat(status.message(), "; trying again"));
  EmitLog(std::move(line));
  Flush();
  parts_.executor.RunAfter(*delay, [self = shared_from_this(), &step] {
    self->strand_->Run([self, &step] {
      if (self->ended_) return;
      if (self->operation_.metadata().cancel_requested() && !self->operation_.rolling_back()) {
        return self->Fail(Cancelled());
      }
      self->BeginStep(step);
    });
  });
  return true;
}

void OperationRun::Fail(const absl::Status& status) {
  if (!operation_.rolling_back() && verb_.undo && verb_.undo(operation_, machine_, status)) {
    *operation_.mutable_failure() = common::ToRpcStatus(status);
    operation_.set_rolling_back(true);
    operation_.set_step(0);
    operation_.set_intent(false);
    operation_.set_attempt(0);
    machine::v1::LogLine line;
    line.set_severity(machine::v1::LogLine::WARNING);
    line.set_text(absl::StrCat(status.message(), "; removing what was made"));
    EmitLog(std::move(line));
    return NextStep();
  }
  Finish(status);
}

void OperationRun::Finish(const absl::Status& outcome) {
  const bool undone =
      operation_.rolling_back() && operation_.step() >= static_cast<int>(verb_.undo_steps.size());
  absl::Status final = outcome;
  if (operation_.rolling_back() && !undone) {
    // Both matter: why the create failed, and why something may be left.
    final = common::FromRpcStatus(operation_.failure());
    final = common::Annotate(
        final, absl::StrCat("could not remove what was made (", outcome.message(), ") after"));
  }
  if (!final.ok() && operation_.request().force() && machine_.create_begun()) {
    machine::v1::LogLine line;
    line.set_severity(machine::v1::LogLine::WARNING);
    line.set_text("the instance may still be there; the orchestrator goes on trying to remove it");
    EmitLog(std::move(line));
  }
  SetNow(*operation_.mutable_metadata()->mutable_end_time(), parts_.clock);
  operation_.mutable_metadata()->clear_progress();
  pending_->ends = true;
  pending_->outcome = final;
  pending_->now = parts_.clock.Now();
  pending_->ending = [verb = &verb_, operation = operation_, final,
                      undone](MachineRecord& machine) {
    return final.ok() ? verb->succeed(operation, machine)
                      : verb->fail(operation, machine, final, undone);
  };
  // The folder that other programs read is put in step before anyone hears of the end.
  if (parts_.folder != nullptr) {
    MachineRecord preview = machine_;
    if (pending_->ending(preview) != Ending::kKeepMachine) {
      parts_.folder->Remove(operation_.machine_name(), preview.imported_from()).IgnoreError();
    } else {
      SyncFolder(parts_, preview).IgnoreError();
    }
  }
  Flush([self = shared_from_this(), final] {
    self->parts_.metrics.Count("operations_total",
                               {{"verb", std::string(self->verb_.name)},
                                {"outcome", absl::StatusCodeToString(final.code())}});
    common::LogFields fields = LogFieldsOf(self->operation_);
    fields.emplace_back("status", std::string(final.message()));
    self->parts_.log.Info("operation done", fields);
    self->End();
  });
}

void OperationRun::Update(std::function<void(MachineRecord&)> change) {
  change(machine_);
  pending_->changes.push_back(std::move(change));
}

absl::Status OperationRun::PutSecret(absl::string_view name, absl::string_view value) {
  DM_ASSIGN_OR_RETURN(std::string sealed, parts_.vault.Seal(operation_.machine_uid(), name, value));
  pending_->secrets.emplace_back(std::string(name), std::move(sealed));
  return absl::OkStatus();
}

absl::StatusOr<std::string> OperationRun::GetSecret(absl::string_view name) {
  return ReadSecret(parts_, operation_.machine_uid(), name);
}

void OperationRun::EmitProgress(machine::v1::Progress progress) {
  if (operation_.step() < static_cast<int>(steps().size())) {
    progress.set_step(std::string(steps()[static_cast<size_t>(operation_.step())].name));
  }
  progress.set_step_index(operation_.step() + 1);
  progress.set_step_count(static_cast<int32_t>(steps().size()));
  *operation_.mutable_metadata()->mutable_progress() = progress;
  machine::v1::OperationEvent event;
  *event.mutable_progress() = std::move(progress);
  pending_->events.push_back(std::move(event));
  Flush();
}

void OperationRun::EmitLog(machine::v1::LogLine line) {
  machine::v1::OperationEvent event;
  *event.mutable_log() = std::move(line);
  pending_->events.push_back(std::move(event));
  Flush();
}

void OperationRun::Say(absl::string_view text) {
  machine::v1::Progress progress;
  progress.set_message(std::string(text));
  progress.set_percent(-1);
  EmitProgress(std::move(progress));
}

absl::Status OperationRun::Checkpoint(const ::driver::v1::DriverState& state) {
  DM_ASSIGN_OR_RETURN(std::string sealed, parts_.vault.Seal(operation_.machine_uid(),
                                                            kDriverStateSecret, state.data()));
  Update([version = state.version(), sealed = std::move(sealed)](MachineRecord& machine) {
    machine.set_driver_state_version(version);
    machine.set_driver_state_sealed(sealed);
  });
  Flush();
  return absl::OkStatus();
}

void OperationRun::OnCancel(std::function<void()> hook) {
  const bool asked = operation_.metadata().cancel_requested() && !operation_.rolling_back();
  cancel_hook_ = std::move(hook);
  if (asked) cancel_hook_();
}

absl::Duration OperationRun::Remaining() const {
  if (operation_.deadline_us() == 0) return absl::InfiniteDuration();
  return std::max(absl::FromUnixMicros(operation_.deadline_us()) - parts_.clock.Now(),
                  absl::ZeroDuration());
}

void OperationRun::Flush(common::Task then) {
  if (then) waiting_for_flush_.push_back(std::move(then));
  if (!write_running_) StartWrite();
}

void OperationRun::StartWrite() {
  write_running_ = true;
  auto write = std::exchange(pending_, std::make_shared<PendingWrite>());
  write->operation = operation_;
  auto then = std::make_shared<std::vector<common::Task>>(std::exchange(waiting_for_flush_, {}));
  parts_.store.Write([write](StoreTransaction& transaction) { return Commit(transaction, *write); },
                     [self = shared_from_this(), write, then](absl::Status status) {
                       self->strand_->Run([self, write, then, status = std::move(status)] {
                         if (self->ended_) return;
                         if (!status.ok()) {
                           // They wait for the same content, which goes into the next attempt.
                           std::move(self->waiting_for_flush_.begin(),
                                     self->waiting_for_flush_.end(), std::back_inserter(*then));
                           self->waiting_for_flush_ = std::move(*then);
                           return self->WriteEnded(write, status);
                         }
                         self->write_running_ = false;
                         for (common::Task& task : *then) {
                           if (!self->ended_) std::move(task)();
                         }
                         const PendingWrite& next = *self->pending_;
                         const bool more = next.ends || !next.changes.empty() ||
                                           !next.events.empty() || !next.secrets.empty() ||
                                           !self->waiting_for_flush_.empty();
                         if (more && !self->write_running_ && !self->ended_) self->StartWrite();
                       });
                     });
}

void OperationRun::WriteEnded(const std::shared_ptr<PendingWrite>& write,
                              const absl::Status& status) {
  if (status.code() == absl::StatusCode::kAborted) {
    parts_.metrics.Count("lease_lost_total", {});
    parts_.log.Warning("another worker owns the operation", LogFieldsOf(operation_));
    ended_ = true;
    return End();
  }
  // A full disk or a database that is away: nothing is lost, the same content is tried again.
  common::LogFields fields = LogFieldsOf(operation_);
  fields.emplace_back("error", std::string(status.message()));
  parts_.log.Error("cannot commit; trying again", fields);
  const auto prepend = [](auto& front, auto& back) {
    std::move(back.begin(), back.end(), std::back_inserter(front));
    back = std::move(front);
  };
  prepend(write->changes, pending_->changes);
  prepend(write->events, pending_->events);
  prepend(write->secrets, pending_->secrets);
  if (write->ends) {
    pending_->ends = true;
    pending_->outcome = write->outcome;
    pending_->now = write->now;
    pending_->ending = std::move(write->ending);
  }
  parts_.executor.RunAfter(kWriteRetryDelay, [self = shared_from_this()] {
    self->strand_->Run([self] {
      if (!self->ended_) self->StartWrite();
    });
  });
}

// Runs on the store's thread, maybe more than once.
absl::Status OperationRun::Commit(StoreTransaction& transaction, PendingWrite& write) {
  OperationRecord operation = write.operation;
  operation.clear_result();
  // First the guard: a worker that lost its lease must not write anything.
  DM_RETURN_IF_ERROR(transaction.UpdateOperation(operation));
  Ending ending = Ending::kKeepMachine;
  TombstoneRecord tombstone;
  if (!write.changes.empty() || write.ends) {
    DM_ASSIGN_OR_RETURN(auto machine, transaction.FindMachine(operation.machine_uid()));
    if (machine.has_value()) {
      for (const auto& change : write.changes) change(*machine);
      if (write.ends) ending = write.ending(*machine);
      DM_RETURN_IF_ERROR(transaction.UpdateMachine(*machine));
      if (ending == Ending::kBuryMachine) {
        tombstone = MakeTombstone(operation, *machine, write.outcome, write.now);
      }
      if (write.ends && ending == Ending::kKeepMachine) {
        machine->mutable_machine()->clear_pending_operation();
        operation.mutable_result()->mutable_response()->PackFrom(machine->machine());
      }
    }
  }
  for (const auto& [name, sealed] : write.secrets) {
    DM_RETURN_IF_ERROR(transaction.PutSecret(operation.machine_uid(), name, sealed));
  }
  for (machine::v1::OperationEvent event : write.events) {
    DM_RETURN_IF_ERROR(transaction.AppendEvent(operation.name(), event));
  }
  if (!write.ends) return absl::OkStatus();
  auto& result = *operation.mutable_result();
  result.set_name(operation.name());
  result.set_done(true);
  result.mutable_metadata()->PackFrom(operation.metadata());
  if (!write.outcome.ok()) {
    *result.mutable_error() = common::ToRpcStatus(write.outcome);
  } else if (!result.has_response()) {
    result.mutable_response()->PackFrom(google::protobuf::Empty());
  }
  DM_RETURN_IF_ERROR(transaction.UpdateOperation(operation));
  if (ending == Ending::kRemoveMachine) {
    DM_RETURN_IF_ERROR(transaction.DeleteMachine(operation.machine_uid()));
  } else if (ending == Ending::kBuryMachine) {
    DM_RETURN_IF_ERROR(transaction.BuryMachine(tombstone));
  }
  machine::v1::OperationEvent event;
  *event.mutable_operation() = result;
  return transaction.AppendEvent(operation.name(), event);
}

void OperationRun::End() {
  ended_ = true;
  cancel_hook_ = nullptr;
  if (on_end_) std::exchange(on_end_, nullptr)();
}

}  // namespace machine::orchestrator
