// How long BatchInspect takes for 500 machines of one vCenter, which it asks for in one call of the
// property collector, against vcsim. Prints; asserts no time. Needs MACHINE_VCSIM.
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/types/span.h"
#include "drivers/sdk/test_machine.h"
#include "drivers/vmwarevsphere/settings.h"
#include "drivers/vmwarevsphere/vsphere_driver.h"
#include "tests/fakes/vcsim/vcsim.h"

int main() {
  using machine::driver::MachineSpec;
  using machine::fakes::Vcsim;
  namespace vsphere = machine::driver::vmwarevsphere;
  constexpr size_t kMachines = 1000;
  constexpr size_t kMaxBatch = 500;  // Of the contract.
  const auto program = Vcsim::Program();
  if (!program.has_value()) {
    std::printf("skipped: MACHINE_VCSIM names no program\n");
    return 0;
  }
  const auto vcsim = Vcsim::Start(*program, {"-plain", "-machines", absl::StrCat(kMachines)});
  if (!vcsim.ok()) return 1;
  vsphere::VsphereDriver driver;
  machine::driver::DriverEnvironment environment = {
      .log = machine::common::Logger(machine::common::Severity::kError, "bench")};
  if (!driver.Init(environment).ok()) return 1;
  const auto options = machine::driver::MakeOptions(
      driver,
      {machine::driver::Option(vsphere::kVcenterFlag,
                               absl::StrCat("http://", (*vcsim)->host(), ":", (*vcsim)->port())),
       machine::driver::Option(vsphere::kUsernameFlag, (*vcsim)->user()),
       machine::driver::SecretOption(vsphere::kPasswordFlag, (*vcsim)->password())});
  if (!options.ok()) return 1;
  machine::driver::CallRecord record;
  std::vector<MachineSpec> machines;
  for (size_t i = 1; i <= kMachines; ++i) {
    machines.push_back(
        {.uid = absl::StrFormat("%08d-0000-4000-8000-000000000000", i), .options = *options});
    // The id that a create would have left in the state.
    const auto seen = driver.Inspect(*machine::driver::MakeCall("", record), machines.back());
    if (!seen.ok()) return 1;
    vsphere::State state;
    state.set_vm(seen->instance_id());
    machines.back().state = state.SerializeAsString();
  }
  for (int round = 1; round <= 3; ++round) {
    const std::string before = (*vcsim)->Tell("calls RetrievePropertiesEx");
    const absl::Time start = absl::Now();
    size_t running = 0;
    for (size_t begin = 0; begin < kMachines; begin += kMaxBatch) {
      const auto seen = driver.BatchInspect(*machine::driver::MakeCall("", record),
                                            absl::MakeSpan(machines).subspan(begin, kMaxBatch));
      if (!seen.ok()) return 1;
      for (const auto& each : *seen) {
        if (each.state() == machine::v1::MACHINE_STATE_RUNNING) ++running;
      }
    }
    const absl::Duration took = absl::Now() - start;
    std::printf("round %d: %zu machines (%zu running), calls before %s and after %s, %.0f ms\n",
                round, kMachines, running, before.c_str(),
                (*vcsim)->Tell("calls RetrievePropertiesEx").c_str(),
                absl::ToDoubleMilliseconds(took));
  }
  return 0;
}
