// How long BatchInspect takes for many machines of one account, and how many requests it sends,
// against Compute Engine's API in memory. Prints; asserts no time.
#include "drivers/sdk/conformance/batch_bench.h"

#include "drivers/google/google_driver.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/google/fake_google.h"

namespace machine::driver::gce {
namespace {

int Run() {
  using fakes::FakeGoogle;
  FakeGoogle fake;
  fake.AddMachines(kBenchMachines);
  GoogleDriver driver;
  return RunBatchBench(driver, fake,
                       {Option("google-project", FakeGoogle::kProject),
                        SecretOption("google-auth-token", FakeGoogle::kToken),
                        Option("google-endpoint", fake.endpoint())});
}

}  // namespace
}  // namespace machine::driver::gce

int main() { return machine::driver::gce::Run(); }
