// How long BatchInspect takes for many machines of one project, and how many requests it sends,
// against an OpenStack cloud in memory. Prints; asserts no time.
#include "drivers/sdk/conformance/batch_bench.h"

#include "drivers/openstack/test_openstack.h"

int main() {
  machine::fakes::FakeOpenStack fake;
  fake.AddServers(machine::driver::kBenchMachines);
  machine::driver::openstack::OpenStackDriver driver;
  return machine::driver::RunBatchBench(driver, fake,
                                        machine::driver::openstack::DemoOptions(fake));
}
