// A machine and calls about it, for the tests of drivers.
#ifndef DRIVERS_SDK_TEST_MACHINE_H_
#define DRIVERS_SDK_TEST_MACHINE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "drivers/sdk/driver.h"

namespace machine::driver {

/// UUID of the orchestrator that the tests act for.
inline constexpr absl::string_view kTestOrchestrator = "11111111-2222-4333-8444-555555555555";
/// A well-formed public key.
inline constexpr absl::string_view kTestKey =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE1hY2hpbmUgZHJpdmVyIHRlc3Qga2V5Li4uLi4u test";

/// What a call told.
struct CallRecord {
  std::vector<std::string> progress;
  std::vector<std::string> log;
  /// Serialized states.
  std::vector<std::string> checkpoints;
};

/// A call about machine `uid` that writes into `record`, which outlives it.
std::unique_ptr<DriverCall> MakeCall(
    absl::string_view uid, CallRecord& record, absl::Duration timeout = absl::Minutes(2),
    std::shared_ptr<common::Cancellation> cancellation = std::make_shared<common::Cancellation>());

/// An option given at a create.
machine::v1::OptionValue Option(absl::string_view name, absl::string_view value);
machine::v1::OptionValue Option(absl::string_view name, int64_t value);
machine::v1::OptionValue Option(absl::string_view name, const std::vector<std::string>& values);
machine::v1::OptionValue BoolOption(absl::string_view name, bool value);
machine::v1::OptionValue SecretOption(absl::string_view name, absl::string_view value);

/// The options of `driver`, completed and checked as for a create.
absl::StatusOr<Options> MakeOptions(const Driver& driver,
                                    const std::vector<machine::v1::OptionValue>& values);

}  // namespace machine::driver

#endif  // DRIVERS_SDK_TEST_MACHINE_H_
