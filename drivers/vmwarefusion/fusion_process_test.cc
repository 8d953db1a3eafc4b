// The driver as the process it is, with a fake VMware: the contract of all drivers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "drivers/sdk/conformance/driver_process.h"
#include "drivers/sdk/conformance/expect_conformance.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/vmware/fake_vmware_host.h"

namespace machine::driver::vmwarefusion {
namespace {

TEST(FusionProcessTest, KeepsTheContract) {
  const fakes::FakeVmwareHost host;
  auto driver = conformance::DriverProcess::Start(
      "drivers/vmwarefusion/machine-driver-vmwarefusion", host.Path("data"));
  ASSERT_TRUE(driver.ok()) << driver.status();
  conformance::Options options;
  options.options = {Option("vmwarefusion-image", host.image())};
  options.different_options = {Option("vmwarefusion-image", host.image()),
                               Option("vmwarefusion-memory-size", 512)};
  options.vanish = [&](absl::string_view uid) {
    std::string others;
    for (const std::string& path : host.Lines("running")) {
      if (!absl::StrContains(path, uid)) absl::StrAppend(&others, path, "\n");
    }
    std::ofstream(host.Path("running")) << others;
    std::filesystem::remove_all(host.Path(absl::StrCat("data/vmwarefusion/machines/", uid)));
    return absl::OkStatus();
  };
  options.log = [&] { return (*driver)->Log(); };
  conformance::ExpectConformance((*driver)->Channel(), options);
  EXPECT_THAT(host.Lines("running"), testing::IsEmpty());
  EXPECT_TRUE(std::filesystem::is_empty(host.Path("data/vmwarefusion/machines")));
}

}  // namespace
}  // namespace machine::driver::vmwarefusion
