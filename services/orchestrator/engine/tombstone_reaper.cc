#include "services/orchestrator/engine/tombstone_reaper.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"
#include "services/orchestrator/engine/instance_removal.h"
#include "services/orchestrator/engine/machine_material.h"

namespace machine::orchestrator {
namespace {

// At most so many are being removed at once.
constexpr int kBatch = 32;
constexpr absl::Duration kFirstDelay = absl::Seconds(5);
constexpr absl::Duration kMaxDelay = absl::Minutes(10);

}  // namespace

absl::Duration TombstoneDelay(int attempts) {
  return std::min(kFirstDelay * (1 << std::clamp(attempts - 1, 0, 10)), kMaxDelay);
}

TombstoneRecord MakeTombstone(const OperationRecord& operation, const MachineRecord& machine,
                              const absl::Status& why, absl::Time now) {
  TombstoneRecord tombstone;
  *tombstone.mutable_machine() = machine;
  // Above that of every operation the machine has had: a call of one that still hangs is cut off.
  tombstone.set_fence(operation.epoch() + 1);
  tombstone.set_attempts(1);
  tombstone.set_next_attempt_us(absl::ToUnixMicros(now + TombstoneDelay(1)));
  *tombstone.mutable_last_error() = common::ToRpcStatus(why);
  return tombstone;
}

void TombstoneReaper::Start(absl::Duration interval) {
  interval_ = interval;
  parts_.executor.Run([this] { Tick(); });
}

void TombstoneReaper::Tick() {
  if (stopping_) return;
  std::vector<TombstoneRecord> due;
  const absl::StatusOr<bool> ours = parts_.store.TakeRole("tombstones");
  if (ours.ok() && *ours) {
    const absl::Status status = parts_.store.Read([&](StoreReader& reader) -> absl::Status {
      DM_ASSIGN_OR_RETURN(due, reader.ListTombstones(parts_.clock.Now(), kBatch));
      return absl::OkStatus();
    });
    if (!status.ok()) {
      parts_.log.Error("cannot look for tombstones", {{"error", std::string(status.message())}});
    }
  }
  // Goes with the last of them.
  const std::shared_ptr<void> rest(nullptr, [this](void*) {
    if (!stopping_) parts_.executor.RunAfter(interval_, [this] { Tick(); });
  });
  for (const TombstoneRecord& tombstone : due) {
    Chase(tombstone.machine().machine().uid(), [rest](const absl::Status&) {});
  }
}

void TombstoneReaper::Chase(const std::string& uid, absl::AnyInvocable<void(absl::Status)> done) {
  auto tombstone = std::make_shared<TombstoneRecord>();
  ::driver::v1::MachineRef machine;
  const absl::Status status = parts_.store.Read([&](StoreReader& reader) -> absl::Status {
    DM_ASSIGN_OR_RETURN(auto found, reader.FindTombstone(uid));
    if (!found.has_value()) return absl::NotFoundError(absl::StrCat("no tombstone of ", uid));
    *tombstone = *std::move(found);
    DM_ASSIGN_OR_RETURN(machine, BuildMachineRef(reader, parts_, tombstone->machine(), {}));
    return absl::OkStatus();
  });
  if (absl::IsNotFound(status) || absl::IsUnavailable(status)) return done(status);
  // A secret that cannot be opened is a failure like others: it may come back with the right key.
  if (!status.ok()) return Record(std::move(*tombstone), status, std::move(done));
  machine.mutable_context()->set_fencing_token(tombstone->fence());
  machine.mutable_context()->set_attempt(tombstone->attempts() + 1);
  const std::string driver = tombstone->machine().machine().driver();
  RemoveInstance(parts_, driver, std::move(machine),
                 [this, tombstone, done = std::move(done)](absl::Status outcome) mutable {
                   parts_.executor.Run([this, tombstone, done = std::move(done),
                                        outcome = std::move(outcome)]() mutable {
                     Record(std::move(*tombstone), outcome, std::move(done));
                   });
                 });
}

void TombstoneReaper::Record(TombstoneRecord tombstone, const absl::Status& outcome,
                             absl::AnyInvocable<void(absl::Status)> done) {
  const std::string uid = tombstone.machine().machine().uid();
  if (outcome.ok()) {
    parts_.log.Info("the instance of a removed machine is gone", {{"machine_uid", uid}});
  } else {
    tombstone.set_attempts(tombstone.attempts() + 1);
    tombstone.set_next_attempt_us(
        absl::ToUnixMicros(parts_.clock.Now() + TombstoneDelay(tombstone.attempts())));
    *tombstone.mutable_last_error() = common::ToRpcStatus(outcome);
    parts_.log.Warning("the instance of a removed machine cannot be removed yet",
                       {{"machine_uid", uid}, {"error", std::string(outcome.message())}});
  }
  parts_.metrics.Count("tombstone_attempts_total", {{"outcome", outcome.ok() ? "gone" : "failed"}});
  parts_.store.Write(
      [uid, gone = outcome.ok(), tombstone = std::move(tombstone)](StoreTransaction& transaction) {
        if (gone) return transaction.DeleteTombstone(uid);
        const absl::Status status = transaction.UpdateTombstone(tombstone);
        return absl::IsNotFound(status) ? absl::OkStatus() : status;
      },
      [outcome, done = std::move(done)](absl::Status status) mutable {
        done(status.ok() ? outcome : status);
      });
}

}  // namespace machine::orchestrator
