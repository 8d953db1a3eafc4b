#include "drivers/sdk/machine_gate.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"

namespace machine::driver {

absl::Status MachineGate::AdmitLocked(absl::string_view uid, int64_t token) {
  auto it = machines_.find(uid);
  if (it == machines_.end()) {
    if (machines_.size() >= capacity_) ForgetOldLocked();
    it = machines_.emplace(std::string(uid), Machine()).first;
  }
  Machine& machine = it->second;
  if (token < machine.highest_token) {
    return common::Error(
        absl::StatusCode::kAborted, machine::v1::ERROR_REASON_STALE_FENCING_TOKEN,
        "a newer operation on the machine has begun",
        {{"token", absl::StrCat(token)}, {"highest_token", absl::StrCat(machine.highest_token)}});
  }
  machine.highest_token = token;
  machine.last_used = ++uses_;
  return absl::OkStatus();
}

// Half of the idle ones at a time, so that it happens rarely.
void MachineGate::ForgetOldLocked() {
  std::vector<int64_t> uses;
  for (const auto& [uid, machine] : machines_) {
    if (machine.actions.empty()) uses.push_back(machine.last_used);
  }
  if (uses.empty()) return;
  const auto middle = uses.begin() + static_cast<ptrdiff_t>(uses.size() / 2);
  std::nth_element(uses.begin(), middle, uses.end());
  for (auto it = machines_.begin(); it != machines_.end();) {
    const bool old = it->second.actions.empty() && it->second.last_used <= *middle;
    it = old ? machines_.erase(it) : std::next(it);
  }
}

absl::Status MachineGate::Admit(absl::string_view uid, int64_t token) {
  absl::MutexLock lock(&mu_);
  return AdmitLocked(uid, token);
}

absl::Status MachineGate::Enter(absl::string_view uid, int64_t token,
                                std::shared_ptr<common::Cancellation> cancellation,
                                absl::AnyInvocable<void()> start) {
  {
    absl::MutexLock lock(&mu_);
    DM_RETURN_IF_ERROR(AdmitLocked(uid, token));
    std::deque<Action>& actions = machines_.find(uid)->second.actions;
    for (const Action& older : actions) {
      if (older.token < token) older.cancellation->Cancel();
    }
    const bool first = actions.empty();
    actions.push_back({token, std::move(cancellation), first ? nullptr : std::move(start)});
    if (!first) return absl::OkStatus();
  }
  std::move(start)();
  return absl::OkStatus();
}

int64_t MachineGate::Leave(absl::string_view uid) {
  absl::AnyInvocable<void()> start;
  int64_t highest = 0;
  {
    absl::MutexLock lock(&mu_);
    const auto it = machines_.find(uid);  // There, because machines with actions are not forgotten.
    Machine& machine = it->second;
    highest = machine.highest_token;
    machine.actions.pop_front();
    if (!machine.actions.empty()) start = std::move(machine.actions.front().start);
  }
  if (start) std::move(start)();
  return highest;
}

}  // namespace machine::driver
