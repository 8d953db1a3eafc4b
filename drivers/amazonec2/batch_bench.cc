// How long BatchInspect takes for many machines of one account, and how many requests it sends,
// against EC2's API in memory. Prints; asserts no time.
#include "drivers/sdk/conformance/batch_bench.h"

#include "drivers/amazonec2/amazonec2_driver.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/amazonec2/fake_amazonec2.h"

namespace machine::driver::amazonec2 {
namespace {

int Run() {
  using fakes::FakeAmazonEc2;
  FakeAmazonEc2 fake;
  fake.AddInstances(kBenchMachines);
  AmazonEc2Driver driver;
  return RunBatchBench(driver, fake,
                       {SecretOption("amazonec2-access-key", FakeAmazonEc2::kAccessKey),
                        SecretOption("amazonec2-secret-key", FakeAmazonEc2::kSecretKey),
                        Option("amazonec2-endpoint", fake.url())});
}

}  // namespace
}  // namespace machine::driver::amazonec2

int main() { return machine::driver::amazonec2::Run(); }
