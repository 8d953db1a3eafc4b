// The suite as part of a driver's own test.
#ifndef DRIVERS_SDK_CONFORMANCE_EXPECT_CONFORMANCE_H_
#define DRIVERS_SDK_CONFORMANCE_EXPECT_CONFORMANCE_H_

#include <gtest/gtest.h>

#include "drivers/sdk/conformance/conformance.h"

namespace machine::driver::conformance {

/// Fails the running test for each rule that the driver breaks.
inline void ExpectConformance(const common::Channel& channel, const Options& options) {
  for (const Result& result : RunConformance(channel, options)) {
    EXPECT_TRUE(result.status.ok()) << "rule: " << result.rule << "\n" << result.status;
  }
}

}  // namespace machine::driver::conformance

#endif  // DRIVERS_SDK_CONFORMANCE_EXPECT_CONFORMANCE_H_
