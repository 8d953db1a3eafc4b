// How long BatchInspect takes for many machines of one account, and how many requests it sends,
// against the provider's API in memory. Prints; asserts no time.
#include "drivers/sdk/conformance/batch_bench.h"

#include "drivers/exoscale/exoscale_driver.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/exoscale/fake_exoscale.h"

namespace machine::driver::exoscale {
namespace {

int Run() {
  using fakes::FakeExoscale;
  FakeExoscale fake;
  fake.AddInstances(kBenchMachines);
  ExoscaleDriver driver;
  return RunBatchBench(driver, fake,
                       {SecretOption("exoscale-api-key", FakeExoscale::kKey),
                        SecretOption("exoscale-api-secret-key", FakeExoscale::kSecret),
                        Option("exoscale-url", fake.url())});
}

}  // namespace
}  // namespace machine::driver::exoscale

int main() { return machine::driver::exoscale::Run(); }
