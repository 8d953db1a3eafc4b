// How long BatchInspect takes for many machines of one subscription, and how many requests it
// sends, against Resource Manager in memory. Prints; asserts no time.
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "drivers/azure/azure_driver.h"
#include "drivers/azure/state.pb.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/azure/fake_azure.h"

int main() {
  using machine::driver::MachineSpec;
  using machine::fakes::FakeAzure;
  constexpr size_t kMachines = 1000;
  constexpr size_t kMaxBatch = 500;  // Of the contract.
  FakeAzure fake;
  machine::driver::azure::AzureDriver driver;
  machine::driver::DriverEnvironment environment = {
      .log = machine::common::Logger(machine::common::Severity::kError, "bench")};
  if (!driver.Init(environment).ok()) return 1;
  const auto options = machine::driver::MakeOptions(
      driver, {machine::driver::Option("azure-subscription-id", FakeAzure::kSubscription),
               machine::driver::SecretOption("azure-access-token", FakeAzure::kToken),
               machine::driver::Option("azure-endpoint", fake.url())});
  if (!options.ok()) return 1;
  machine::driver::azure::State state;
  state.set_private_ip("192.168.0.4");
  std::vector<std::string> uids;
  std::vector<MachineSpec> machines;
  for (size_t i = 0; i < kMachines; ++i) {
    MachineSpec& machine = machines.emplace_back();
    machine.uid = absl::StrCat(10'000'000 + i, "-0000-4000-8000-000000000000");
    machine.name = "dev";
    machine.options = *options;
    machine.state = state.SerializeAsString();
    uids.push_back(machine.uid);
  }
  fake.AddMachines(uids);
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
