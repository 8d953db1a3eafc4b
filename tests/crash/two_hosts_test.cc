// Two drivers of one kind, each near a hypervisor of its own, in one orchestrator.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/crash/listening_driver.h"
#include "tests/fakes/virtualbox/fake_vbox_host.h"
#include "tests/integration/world.h"

namespace machine::tests {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Json = nlohmann::ordered_json;

// VirtualBox with a driver beside it, which is registered as `name`.
class FarHost {
 public:
  FarHost(const World& world, const DriverCertificates& certificates, const std::string& name) {
    driver_.emplace(world, "drivers/virtualbox/machine-driver-virtualbox", vbox_.Path("data"),
                    std::map<std::string, std::string>{
                        {"PATH", absl::StrCat(vbox_.Path("bin"), ":/usr/bin:/bin")},
                        {"FAKE_VBOX_DIR", vbox_.Path("")}});
    const Outcome registered = world.Run(certificates.RegisterLine(name, driver_->port()));
    EXPECT_EQ(registered.exit_code, 0) << registered;
  }

  void Kill() { driver_->Kill(); }

  // "NAME STATE" of each machine there.
  std::vector<std::string> Machines() const {
    std::vector<std::string> machines;
    const Json state = vbox_.State();
    for (const auto& [uuid, vm] : state["vms"].items()) {
      machines.push_back(absl::StrCat(std::string(vm["name"]), " ", std::string(vm["state"])));
    }
    return machines;
  }

  const fakes::FakeVboxHost& vbox() const { return vbox_; }

 private:
  fakes::FakeVboxHost vbox_;
  std::optional<ListeningDriver> driver_;
};

using TwoHostsTest = WorldTest;

TEST_F(TwoHostsTest, EachDriverHasItsOwnMachinesAndTheOtherGoesOnWithoutIt) {
  const DriverCertificates certificates(world_);
  FarHost north(world_, certificates, "vbox-north");
  FarHost south(world_, certificates, "vbox-south");
  const auto create = [&](const std::string& driver, const FarHost& host, const std::string& name) {
    const Outcome created =
        Run(absl::StrCat("create -d ", driver, " --skip-provision ", "--virtualbox-image ",
                         host.vbox().image(), " ", name));
    EXPECT_EQ(created.exit_code, 0) << created;
  };
  create("vbox-north", north, "one");
  create("vbox-south", south, "two");
  EXPECT_THAT(north.Machines(), ElementsAre("one running"));
  EXPECT_THAT(south.Machines(), ElementsAre("two running"));
  EXPECT_EQ(Run("ls --format {{.Name}}={{.DriverName}}={{.State}}").out,
            "one=vbox-north=Running\ntwo=vbox-south=Running\n");
  EXPECT_EQ(Run("kill one").exit_code, 0);
  EXPECT_THAT(north.Machines(), ElementsAre("one poweroff"));
  EXPECT_THAT(south.Machines(), ElementsAre("two running"));

  north.Kill();
  EXPECT_EQ(Run("status two").out, "Running\n");
  EXPECT_EQ(Run("rm -y two").exit_code, 0);
  EXPECT_THAT(south.Machines(), IsEmpty());
  EXPECT_THAT(north.Machines(), ElementsAre("one poweroff"));
}

}  // namespace
}  // namespace machine::tests
