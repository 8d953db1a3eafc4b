// The driver as the process it is, with a fake PowerShell: the contract of all drivers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/match.h"
#include "drivers/sdk/conformance/driver_process.h"
#include "drivers/sdk/conformance/expect_conformance.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/hyperv/fake_hyperv_host.h"

namespace machine::driver::hyperv {
namespace {

using Json = nlohmann::ordered_json;

TEST(HypervProcessTest, KeepsTheContract) {
  const fakes::FakeHypervHost host;
  auto driver = conformance::DriverProcess::Start("drivers/hyper-v/machine-driver-hyper-v",
                                                  host.Path("data"));
  ASSERT_TRUE(driver.ok()) << driver.status();
  conformance::Options options;
  options.options = {Option("hyper-v-image", host.image())};
  options.different_options = {Option("hyper-v-image", host.image()),
                               Option("hyper-v-memory", 512)};
  options.vanish = [&](absl::string_view uid) {
    host.Change([&](Json& state) {
      Json others = Json::object();
      for (const auto& [path, vm] : state["vms"].items()) {
        if (!absl::StrContains(path, uid)) others[path] = vm;
      }
      state["vms"] = others;
    });
    return absl::OkStatus();
  };
  options.log = [&] { return (*driver)->Log(); };
  conformance::ExpectConformance((*driver)->Channel(), options);
  EXPECT_THAT(host.State()["vms"], testing::IsEmpty());
  EXPECT_THAT(host.State()["files"], testing::SizeIs(1)) << "the image";
}

}  // namespace
}  // namespace machine::driver::hyperv
