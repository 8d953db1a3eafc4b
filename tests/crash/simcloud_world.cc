#include "tests/crash/simcloud_world.h"

#include <filesystem>
#include <set>

namespace machine::tests {

SimCloudWorldTest::SimCloudWorldTest() {
  std::filesystem::copy_file("tests/fakes/simcloud/driver/machine-driver-simcloud",
                             world_.libexec() + "/machine-driver-simcloud");
}

void SimCloudWorldTest::StartProvider(uint64_t seed) {
  cloud_ = std::make_unique<fakes::SimCloudProcess>(world_.Path(""), seed);
  world_.SetEnv("SIMCLOUD_ENDPOINT", cloud_->url());
}

std::string SimCloudWorldTest::StateInLedger() {
  const auto objects = cloud_->Objects();
  if (objects.empty()) return "";
  std::set<std::string> kinds;
  std::string state;
  for (const auto& object : objects) {
    kinds.insert(object.at("kind"));
    if (object.at("kind") == "instances") state = object.at("state");
  }
  EXPECT_EQ(objects.size(), kObjectsOfMachine) << cloud_->Ledger().dump();
  EXPECT_EQ(kinds.size(), kObjectsOfMachine) << cloud_->Ledger().dump();
  return state == "active" ? "Running" : state == "off" ? "Stopped" : state;
}

}  // namespace machine::tests
