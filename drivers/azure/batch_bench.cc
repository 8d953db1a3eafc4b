// How long BatchInspect takes for many machines of one subscription, and how many requests it
// sends, against Resource Manager in memory. Prints; asserts no time.
#include "drivers/sdk/conformance/batch_bench.h"

#include "drivers/azure/test_azure.h"

int main() {
  using machine::driver::azure::AzureCloud;
  AzureCloud cloud;
  cloud.AddInstances(machine::driver::kBenchMachines);
  return machine::driver::RunBatchBench(
      cloud.driver(), *cloud.fake, cloud.Account(),
      [&](int number, machine::driver::MachineSpec& machine) { cloud.BeOfBatch(number, machine); });
}
