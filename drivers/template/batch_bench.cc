// How long BatchInspect takes for many machines of one account, and how many requests it sends,
// against the provider's API in memory. Prints; asserts no time.
#include "drivers/sdk/conformance/batch_bench.h"

#include "drivers/sdk/cloud/names.h"
#include "drivers/sdk/test_machine.h"
#include "drivers/template/template_driver.h"
#include "tests/fakes/template/fake_template.h"

namespace machine::driver::template_cloud {
namespace {

int Run() {
  using fakes::FakeTemplate;
  FakeTemplate fake;
  fake.AddInstances(kBenchMachines, kMachineTag, UidTag(""));
  TemplateDriver driver;
  return RunBatchBench(driver, fake,
                       {SecretOption("template-token", FakeTemplate::kToken),
                        Option("template-endpoint", fake.url())});
}

}  // namespace
}  // namespace machine::driver::template_cloud

int main() { return machine::driver::template_cloud::Run(); }
