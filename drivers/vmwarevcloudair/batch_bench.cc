// How long BatchInspect takes for many machines of one organisation, and how many requests it
// sends, against a Cloud Director in memory. Prints; asserts no time.
#include <cstdio>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/sdk/test_machine.h"
#include "drivers/vmwarevcloudair/settings.h"
#include "drivers/vmwarevcloudair/vcloud_driver.h"
#include "tests/fakes/vcloud/fake_vcloud.h"

namespace vcloud = machine::driver::vmwarevcloudair;

int main() {
  using machine::driver::MachineSpec;
  constexpr size_t kMachines = 1000;
  constexpr size_t kMaxBatch = 500;  // Of the contract.
  using machine::driver::Option;
  using machine::driver::SecretOption;
  using machine::fakes::FakeVcloud;
  FakeVcloud fake;
  fake.AddMachines(kMachines, machine::driver::UidTag(""));
  vcloud::VcloudDriver driver;
  machine::driver::DriverEnvironment environment = {
      .log = machine::common::Logger(machine::common::Severity::kError, "bench")};
  if (!driver.Init(environment).ok()) return 1;
  const auto options = machine::driver::MakeOptions(
      driver, {Option(vcloud::kHrefFlag, fake.url()), Option(vcloud::kOrgFlag, FakeVcloud::kOrg),
               Option(vcloud::kUsernameFlag, FakeVcloud::kUser),
               SecretOption(vcloud::kPasswordFlag, FakeVcloud::kPassword)});
  if (!options.ok()) return 1;
  std::vector<MachineSpec> machines;
  for (size_t i = 0; i < kMachines; ++i) {
    machines.push_back({.uid = absl::StrCat(i), .options = *options});
  }
  machine::driver::CallRecord record;
  for (int round = 1; round <= 3; ++round) {
    fake.ForgetRequests();
    const absl::Time start = absl::Now();
    size_t running = 0;
    for (size_t begin = 0; begin < kMachines; begin += kMaxBatch) {
      const auto seen = driver.BatchInspect(*machine::driver::MakeCall("", record),
                                            absl::MakeSpan(machines).subspan(begin, kMaxBatch));
      if (!seen.ok()) return 1;
      for (const auto& each : *seen) {
        if (each.state() == machine::v1::MACHINE_STATE_RUNNING) ++running;
      }
    }
    std::printf("round %d: %zu machines (%zu running), %d requests, %.0f ms\n", round, kMachines,
                running, fake.CountOf(""), absl::ToDoubleMilliseconds(absl::Now() - start));
  }
  return 0;
}
