// How long BatchInspect takes for many machines of one account, and how many requests it sends,
// against the provider's API in memory. Prints; asserts no time.
#include "drivers/sdk/conformance/batch_bench.h"

#include "drivers/sdk/test_machine.h"
#include "drivers/softlayer/softlayer_driver.h"
#include "tests/fakes/softlayer/fake_softlayer.h"

namespace machine::driver::softlayer {
namespace {

int Run() {
  using fakes::FakeSoftLayer;
  FakeSoftLayer fake;
  fake.AddGuests(kBenchMachines, "# docker-machine machine-uid-", "\n");
  SoftLayerDriver driver;
  return RunBatchBench(driver, fake,
                       {Option("softlayer-user", FakeSoftLayer::kUser),
                        SecretOption("softlayer-api-key", FakeSoftLayer::kApiKey),
                        Option("softlayer-domain", "example.com"),
                        Option("softlayer-api-endpoint", fake.endpoint())});
}

}  // namespace
}  // namespace machine::driver::softlayer

int main() { return machine::driver::softlayer::Run(); }
