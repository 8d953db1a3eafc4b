// BatchInspect for providers that list all instances of an account at once.
#ifndef DRIVERS_SDK_CLOUD_BATCH_H_
#define DRIVERS_SDK_CLOUD_BATCH_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "drivers/sdk/driver.h"
#include "drivers/sdk/guard.h"
#include "services/common/status/status.h"

namespace machine::driver {

/// The machines of one account.
using AccountMachines = std::vector<const MachineSpec*>;

/// An observation of a machine that the provider does not know.
inline Observation NotFoundObservation() {
  Observation observation;
  observation.set_state(machine::v1::MACHINE_STATE_NOT_FOUND);
  return observation;
}

/// Groups `machines` by what `account_of` says, asks `inspect` about each group once, and returns
/// the observations in order. Accounts are asked at once, so that a silent one delays no other; its
/// machines get state TIMEOUT. An error is returned only where every account fails. `inspect`
/// returns one observation for each machine it was given, and runs on several threads.
template <typename Account>
absl::StatusOr<std::vector<Observation>> InspectByAccount(
    absl::Span<const MachineSpec> machines,
    absl::FunctionRef<absl::StatusOr<std::shared_ptr<Account>>(const MachineSpec&)> account_of,
    absl::FunctionRef<absl::StatusOr<std::vector<Observation>>(Account&, const AccountMachines&)>
        inspect) {
  struct Share {
    std::shared_ptr<Account> account;
    AccountMachines machines;
    std::vector<size_t> places;
    absl::Status failure;
  };
  std::vector<Share> shares;
  for (size_t place = 0; place < machines.size(); ++place) {
    DM_ASSIGN_OR_RETURN(std::shared_ptr<Account> account, account_of(machines[place]));
    auto share = std::find_if(shares.begin(), shares.end(),
                              [&](const Share& other) { return other.account == account; });
    if (share == shares.end()) share = shares.insert(share, Share{std::move(account), {}, {}, {}});
    share->machines.push_back(&machines[place]);
    share->places.push_back(place);
  }

  std::vector<Observation> observations(machines.size());
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t i = next++; i < shares.size(); i = next++) {
      Share& share = shares[i];
      absl::StatusOr<std::vector<Observation>> seen =
          Guarded([&] { return inspect(*share.account, share.machines); });
      share.failure = seen.status();
      for (size_t j = 0; j < share.places.size(); ++j) {
        Observation& observation = observations[share.places[j]];
        if (seen.ok()) {
          observation = std::move((*seen)[j]);
        } else {
          observation.set_state(machine::v1::MACHINE_STATE_TIMEOUT);
        }
      }
    }
  };
  constexpr size_t kThreads = 16;
  std::vector<std::thread> threads;
  for (size_t i = 1; i < std::min(kThreads, shares.size()); ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();

  const bool some_answer = std::any_of(shares.begin(), shares.end(),
                                       [](const Share& share) { return share.failure.ok(); });
  // A cause that all share is worth more than a list of blanks.
  if (!some_answer && !shares.empty()) return shares.front().failure;
  return observations;
}

}  // namespace machine::driver

#endif  // DRIVERS_SDK_CLOUD_BATCH_H_
