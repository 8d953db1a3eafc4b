// What PowerShell prints for Hyper-V.
#include "drivers/hyper-v/hyperv_driver.h"
#include "drivers/hyper-v/powershell.h"
#include "tests/fuzz/expect.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace hyperv = machine::driver::hyperv;
  const auto answer = hyperv::ParseAnswer(machine::fuzz::TextOf(data, size));
  if (!answer.ok()) {
    machine::fuzz::Expect(!answer.status().message().empty(), "an error without words");
    return 0;
  }
  machine::fuzz::Expect(answer->is_array(), "no array");
  for (const hyperv::SeenVm& vm : hyperv::ParseVms(*answer)) {
    hyperv::StateOf(vm.state);
    for (const std::string& address : vm.addresses) {
      machine::fuzz::Expect(!address.empty(), "an empty address");
    }
  }
  return 0;
}
