// BatchInspect of many machines against a VBoxManage that is a program of the tests. Prints;
// asserts no time.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/hypervisor/batch_figures.h"
#include "drivers/sdk/test_machine.h"
#include "drivers/virtualbox/virtualbox_driver.h"
#include "tests/fakes/virtualbox/fake_vbox_host.h"

int main() {
  namespace hypervisor = machine::driver::hypervisor;
  using Json = nlohmann::ordered_json;
  const machine::fakes::FakeVboxHost host;
  machine::driver::virtualbox::VirtualboxDriver driver;
  machine::driver::DriverEnvironment environment = {
      .log = machine::common::Logger(machine::common::Severity::kError, "bench"),
      .data_dir = host.Path("data")};
  if (!driver.Init(environment).ok()) return 1;
  const auto options = machine::driver::MakeOptions(
      driver, {machine::driver::Option("virtualbox-image", host.image()),
               machine::driver::Option("virtualbox-network", "nat")});
  if (!options.ok()) return 1;
  const std::vector<machine::driver::MachineSpec> machines =
      hypervisor::ManyMachines(1000, *options);
  host.Change([&](Json& state) {
    int port = 20000;
    for (const auto& machine : machines) {
      state["vms"][machine.uid] = {{"name", machine.name},
                                   {"file", host.Path(machine.uid)},
                                   {"state", "running"},
                                   {"options", {{"nic1", "nat"}}},
                                   {"nat",
                                    {absl::StrCat("ssh,tcp,127.0.0.1,", port, ",,22"),
                                     absl::StrCat("engine,tcp,127.0.0.1,", port + 1, ",,2376")}},
                                   {"media", Json::object()},
                                   {"extra", Json::object()},
                                   {"shares", Json::array()},
                                   {"controller", ""}};
      port += 3;
    }
  });
  return hypervisor::PrintBatchFigures(driver, machines, "calls of VBoxManage",
                                       [&] { return host.Log("").size(); });
}
