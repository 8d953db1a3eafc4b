// How long BatchInspect takes for many machines of one account, and how many requests it sends,
// against a Rackspace cloud in memory. Prints; asserts no time.
#include <cstdio>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "drivers/rackspace/rackspace_driver.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/openstack/fake_openstack.h"

int main() {
  using machine::driver::MachineSpec;
  constexpr size_t kMachines = 1000;
  constexpr size_t kMaxBatch = 500;  // Of the contract.
  using machine::driver::Option;
  using machine::fakes::FakeOpenStack;
  FakeOpenStack fake(FakeOpenStack::Style::kRackspace);
  fake.AddServers(kMachines);
  machine::driver::rackspace::RackspaceDriver driver;
  machine::driver::DriverEnvironment environment = {
      .log = machine::common::Logger(machine::common::Severity::kError, "bench")};
  if (!driver.Init(environment).ok()) return 1;
  const auto options = machine::driver::MakeOptions(
      driver, {Option("rackspace-username", "demo"),
               machine::driver::SecretOption("rackspace-api-key", FakeOpenStack::kApiKey),
               Option("rackspace-region", "IAD"),
               Option("rackspace-endpoint", absl::StrCat(fake.url(), "/v2.0"))});
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
