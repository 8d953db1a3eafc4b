// BatchInspect of many machines against a QEMU that is a program of the tests, one machine in ten
// of which runs. Prints; asserts no time.
#include <string>
#include <vector>

#include "drivers/hypervisor/batch_figures.h"
#include "drivers/qemu/qemu_driver.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/qemu/fake_qemu_host.h"

int main() {
  namespace hypervisor = machine::driver::hypervisor;
  machine::fakes::FakeQemuHost host;
  machine::driver::qemu::QemuDriver driver;
  machine::driver::DriverEnvironment environment = {
      .log = machine::common::Logger(machine::common::Severity::kError, "bench"),
      .data_dir = host.Path("data")};
  if (!driver.Init(environment).ok()) return 1;
  const auto options =
      machine::driver::MakeOptions(driver, {machine::driver::Option("qemu-image", host.image())});
  if (!options.ok()) return 1;
  const std::vector<machine::driver::MachineSpec> machines =
      hypervisor::ManyMachines(1000, *options);
  machine::driver::CallRecord record;
  for (size_t i = 0; i < machines.size(); ++i) {
    const auto call = machine::driver::MakeCall(machines[i].uid, record);
    if (!driver.Create(*call, machines[i]).ok()) return 1;
    if (i % 10 != 0 && !driver.Kill(*call, machines[i]).ok()) return 1;
  }
  // QEMU is asked by its socket.
  const int status =
      hypervisor::PrintBatchFigures(driver, machines, "programs started", [] { return size_t{0}; });
  for (const auto& machine : machines) {
    if (!driver.Remove(*machine::driver::MakeCall(machine.uid, record), machine).ok()) return 1;
  }
  return status;
}
