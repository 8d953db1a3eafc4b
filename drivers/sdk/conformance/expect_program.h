// The suite on the driver's own program, for drivers whose provider is in memory.
#ifndef DRIVERS_SDK_CONFORMANCE_EXPECT_PROGRAM_H_
#define DRIVERS_SDK_CONFORMANCE_EXPECT_PROGRAM_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "machine/v1/drivers.pb.h"

namespace machine::driver::conformance {

/// Starts drivers/NAME/machine-driver-NAME as the orchestrator does, and fails the running test for
/// each rule that it breaks. `options` are those of a create; with `different`, another instance is
/// asked for. `vanish` destroys the instance of a machine behind the driver's back.
void ExpectProgramConforms(const std::string& name,
                           const std::vector<machine::v1::OptionValue>& options,
                           const machine::v1::OptionValue& different,
                           const std::function<void(absl::string_view uid)>& vanish);

}  // namespace machine::driver::conformance

#endif  // DRIVERS_SDK_CONFORMANCE_EXPECT_PROGRAM_H_
