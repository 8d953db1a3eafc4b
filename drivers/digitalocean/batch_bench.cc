// How long BatchInspect takes for many machines of one account, and how many requests it sends,
// against DigitalOcean's API in memory. Prints; asserts no time.
#include "drivers/sdk/conformance/batch_bench.h"

#include "drivers/digitalocean/digitalocean_driver.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/digitalocean/fake_digitalocean.h"

namespace machine::driver::digitalocean {
namespace {

int Run() {
  using fakes::FakeDigitalOcean;
  FakeDigitalOcean fake;
  fake.AddDroplets(kBenchMachines, kMachineTag, UidTag(""));
  DigitalOceanDriver driver;
  return RunBatchBench(driver, fake,
                       {SecretOption("digitalocean-access-token", FakeDigitalOcean::kToken),
                        Option("digitalocean-endpoint", fake.url())});
}

}  // namespace
}  // namespace machine::driver::digitalocean

int main() { return machine::driver::digitalocean::Run(); }
