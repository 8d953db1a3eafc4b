// The driver as the process it is, with a fake VBoxManage: the contract of all drivers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "drivers/sdk/conformance/driver_process.h"
#include "drivers/sdk/conformance/expect_conformance.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/virtualbox/fake_vbox_host.h"

namespace machine::driver::virtualbox {
namespace {

TEST(VirtualboxProcessTest, KeepsTheContract) {
  const fakes::FakeVboxHost host;
  auto driver = conformance::DriverProcess::Start("drivers/virtualbox/machine-driver-virtualbox",
                                                  host.Path("data"));
  ASSERT_TRUE(driver.ok()) << driver.status();
  conformance::Options options;
  options.options = {Option("virtualbox-image", host.image())};
  options.different_options = {Option("virtualbox-image", host.image()),
                               Option("virtualbox-memory", 512)};
  options.vanish = [&](absl::string_view uid) {
    host.Change([&](nlohmann::ordered_json& state) { state["vms"].erase(std::string(uid)); });
    return absl::OkStatus();
  };
  options.log = [&] { return (*driver)->Log(); };
  conformance::ExpectConformance((*driver)->Channel(), options);
  EXPECT_THAT(host.State()["vms"], testing::IsEmpty());
}

}  // namespace
}  // namespace machine::driver::virtualbox
