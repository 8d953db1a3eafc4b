#include "drivers/sdk/conformance/expect_program.h"

#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "drivers/sdk/conformance/driver_process.h"
#include "drivers/sdk/conformance/expect_conformance.h"

namespace machine::driver::conformance {

void ExpectProgramConforms(const std::string& name,
                           const std::vector<machine::v1::OptionValue>& options,
                           const machine::v1::OptionValue& different,
                           const std::function<void(absl::string_view uid)>& vanish) {
  const auto driver =
      DriverProcess::Start(absl::StrCat("drivers/", name, "/machine-driver-", name));
  ASSERT_TRUE(driver.ok()) << driver.status();
  EXPECT_EQ((*driver)->result().name(), name);
  Options how;
  how.options = options;
  how.different_options = options;
  how.different_options.push_back(different);
  how.vanish = [&](absl::string_view uid) {
    vanish(uid);
    return absl::OkStatus();
  };
  how.log = [&] { return (*driver)->Log(); };
  ExpectConformance((*driver)->Channel(), how);
}

}  // namespace machine::driver::conformance
