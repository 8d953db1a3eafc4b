// BatchInspect of many machines against a PowerShell that is a program of the tests. Prints;
// asserts no time.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/hyper-v/hyperv_driver.h"
#include "drivers/hypervisor/batch_figures.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/hyperv/fake_hyperv_host.h"

int main() {
  namespace hypervisor = machine::driver::hypervisor;
  const machine::fakes::FakeHypervHost host;
  machine::driver::hyperv::HypervDriver driver;
  const auto options = machine::driver::MakeOptions(
      driver, {machine::driver::Option("hyper-v-image", host.image())});
  if (!options.ok()) return 1;
  const std::vector<machine::driver::MachineSpec> machines =
      hypervisor::ManyMachines(1000, *options);
  host.Change([&](nlohmann::ordered_json& state) {
    for (const auto& machine : machines) {
      state["vms"][absl::StrCat("C:\\Users\\me\\.docker-machine\\hyper-v\\machines\\", machine.uid,
                                "\\", machine.name)] = {{"name", machine.name},
                                                        {"id", machine.uid},
                                                        {"state", "Running"},
                                                        {"notes", ""},
                                                        {"cds", 1}};
    }
  });
  return hypervisor::PrintBatchFigures(driver, machines, "scripts", [&] {
    return static_cast<size_t>(host.Runs("look") + host.Runs("facts"));
  });
}
