// A machine and calls about it, for the tests of this driver.
#ifndef DRIVERS_DOCKER_TEST_MACHINE_H_
#define DRIVERS_DOCKER_TEST_MACHINE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "drivers/docker/state.pb.h"
#include "drivers/sdk/driver.h"

namespace machine::driver::docker {

/// UUID of the orchestrator that the tests act for.
inline constexpr absl::string_view kTestOrchestrator = "11111111-2222-4333-8444-555555555555";

/// What a call told.
struct CallRecord {
  std::vector<std::string> progress;
  std::vector<std::string> log;
  std::vector<State> checkpoints;
};

/// A call about machine `uid` that writes into `record`, which outlives it.
std::unique_ptr<DriverCall> MakeCall(absl::string_view uid, CallRecord& record,
                                     absl::Duration timeout = absl::Minutes(2));

/// An option given at a create: a text, a number or a list.
machine::v1::OptionValue Option(absl::string_view name, absl::string_view value);
machine::v1::OptionValue Option(absl::string_view name, int64_t value);
machine::v1::OptionValue Option(absl::string_view name, const std::vector<std::string>& values);

/// The options of `driver`, completed and checked as for a create.
absl::StatusOr<Options> MakeOptions(const Driver& driver,
                                    const std::vector<machine::v1::OptionValue>& values);

}  // namespace machine::driver::docker

#endif  // DRIVERS_DOCKER_TEST_MACHINE_H_
