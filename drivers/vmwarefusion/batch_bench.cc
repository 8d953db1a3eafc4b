// BatchInspect of many machines against a vmrun that is a program of the tests. Prints; asserts no
// time.
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "drivers/hypervisor/batch_figures.h"
#include "drivers/sdk/test_machine.h"
#include "drivers/vmwarefusion/fusion_driver.h"
#include "tests/fakes/vmware/fake_vmware_host.h"

int main() {
  namespace hypervisor = machine::driver::hypervisor;
  const machine::fakes::FakeVmwareHost host;
  machine::driver::vmwarefusion::FusionDriver driver;
  machine::driver::DriverEnvironment environment = {
      .log = machine::common::Logger(machine::common::Severity::kError, "bench"),
      .data_dir = host.Path("data")};
  if (!driver.Init(environment).ok()) return 1;
  const auto options = machine::driver::MakeOptions(
      driver, {machine::driver::Option("vmwarefusion-image", host.image())});
  if (!options.ok()) return 1;
  const std::vector<machine::driver::MachineSpec> machines =
      hypervisor::ManyMachines(1000, *options);
  std::ofstream running(host.Path("running"));
  for (const auto& machine : machines) {
    const std::string folder = host.Path("data/machines/" + machine.uid);
    std::filesystem::create_directories(folder);
    std::ofstream(folder + "/machine.vmx") << "config.version = \"8\"\n";
    running << folder << "/machine.vmx\n";
  }
  running.close();
  return hypervisor::PrintBatchFigures(driver, machines, "calls of vmrun",
                                       [&] { return host.Lines("calls").size(); });
}
