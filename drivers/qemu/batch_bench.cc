// BatchInspect of many machines against a QEMU that is a program of the tests, one machine in ten
// of which runs. Prints; asserts no time.
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
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
  const auto folder = [&](const machine::driver::MachineSpec& machine) {
    return host.Path(absl::StrCat("data/machines/", machine.uid));
  };
  // Those that are off have the record of one that was made and killed.
  const machine::driver::MachineSpec& off = machines[1];
  const auto call = machine::driver::MakeCall(off.uid, record);
  if (!driver.Create(*call, off).ok() || !driver.Kill(*call, off).ok()) return 1;
  for (size_t i = 0; i < machines.size(); ++i) {
    if (i % 10 != 0) {
      std::filesystem::create_directories(folder(machines[i]));
      if (i == 1) continue;
      std::filesystem::copy_file(folder(off) + "/machine.json",
                                 folder(machines[i]) + "/machine.json");
    } else if (!driver.Create(*machine::driver::MakeCall(machines[i].uid, record), machines[i])
                    .ok()) {
      return 1;
    }
  }
  // QEMU is asked by its socket.
  return hypervisor::PrintBatchFigures(driver, machines, "programs started",
                                       [] { return size_t{0}; });
}
