// The table of flags in a driver's README.md, in step with its schema.
//
//   TEST(ReadmeTest, HasTheFlags) {
//     EXPECT_EQ(CheckReadmeFlags("drivers/x/README.md", XFlags()), absl::OkStatus());
//   }
//
// with the README among the test's data. The table stands between two comment lines,
// "<!-- flags -->" and "<!-- end of flags -->"; `bazel run` of that test writes it anew.
#ifndef DRIVERS_SDK_README_FLAGS_H_
#define DRIVERS_SDK_README_FLAGS_H_

#include <string>

#include "absl/status/status.h"
#include "drivers/sdk/flags.h"

namespace machine::driver {

/// The flags as a table in Markdown: flag, environment, default, meaning.
std::string FlagsTable(const Flags& flags);

/// FAILED_PRECONDITION when the README at `path`, from the repository's root, has another table.
/// Under `bazel run` it is rewritten in the source tree instead.
absl::Status CheckReadmeFlags(const std::string& path, const Flags& flags);

}  // namespace machine::driver

#endif  // DRIVERS_SDK_README_FLAGS_H_
