// The driver as the process it is, against the simulator as the process it is.
#include "tests/fakes/simcloud/simcloud_process.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

#include "drivers/sdk/cloud/names.h"
#include "drivers/sdk/conformance/driver_process.h"
#include "drivers/sdk/conformance/expect_conformance.h"
#include "drivers/sdk/test_machine.h"

namespace machine::driver::simcloud {
namespace {

using conformance::DriverProcess;

struct Weather {
  absl::string_view label;
  double fault_rate;
  int lag_ms;
};

void PrintTo(const Weather& weather, std::ostream* stream) { *stream << weather.label; }

class SimCloudConformanceTest : public testing::TestWithParam<Weather> {
 protected:
  SimCloudConformanceTest() : folder_(testing::TempDir() + "/simXXXXXX") {
    if (mkdtemp(folder_.data()) == nullptr) std::abort();
  }
  ~SimCloudConformanceTest() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
};

TEST_P(SimCloudConformanceTest, KeepsTheContractAndLeavesNothingBehind) {
  fakes::SimCloudProcess cloud(folder_, /*seed=*/1);
  cloud.Behave({{"fault_rate", GetParam().fault_rate}, {"lag_ms", GetParam().lag_ms}});
  const auto driver = DriverProcess::Start("tests/fakes/simcloud/driver/machine-driver-simcloud");
  ASSERT_TRUE(driver.ok()) << driver.status();
  conformance::Options options;
  options.options = {Option("simcloud-endpoint", cloud.url())};
  options.different_options = options.options;
  options.different_options.push_back(Option("simcloud-size", "large"));
  options.vanish = [&](absl::string_view uid) {
    for (const auto& instance : cloud.Objects("instances", UidTag(uid))) {
      cloud.DeleteByHand(instance.at("id"));
    }
    return absl::OkStatus();
  };
  options.log = [&] { return (*driver)->Log(); };
  conformance::ExpectConformance((*driver)->Channel(), options);
  EXPECT_TRUE(cloud.Objects().empty()) << cloud.Ledger().dump();
  EXPECT_GT(cloud.Ledger().at("created").at("instances"), 0);
}

INSTANTIATE_TEST_SUITE_P(Weathers, SimCloudConformanceTest,
                         testing::ValuesIn<Weather>({
                             {"Calm", 0, 0},
                             {"ListsLag", 0, 100},
                         }),
                         [](const auto& info) { return std::string(info.param.label); });

}  // namespace
}  // namespace machine::driver::simcloud
