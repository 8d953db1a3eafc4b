#include "drivers/hypervisor/batch_figures.h"

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/types/span.h"
#include "drivers/sdk/test_machine.h"

namespace machine::driver::hypervisor {

std::vector<MachineSpec> ManyMachines(size_t count, const Options& options) {
  std::vector<MachineSpec> machines;
  for (size_t i = 0; i < count; ++i) {
    machines.push_back({.uid = absl::StrFormat("2d5f7ad8-3a2f-4f6e-9d51-%012d", i),
                        .name = absl::StrCat("m", i),
                        .options = options,
                        .ssh_public_key = std::string(kTestKey)});
  }
  return machines;
}

int PrintBatchFigures(Driver& driver, const std::vector<MachineSpec>& machines,
                      absl::string_view what, absl::FunctionRef<size_t()> calls) {
  constexpr size_t kMaxBatch = 500;  // Of the contract.
  constexpr absl::Duration kLimit = absl::Minutes(10);
  CallRecord record;
  for (int round = 1; round <= 3; ++round) {
    const size_t before = calls();
    const absl::Time start = absl::Now();
    size_t running = 0;
    for (size_t begin = 0; begin < machines.size(); begin += kMaxBatch) {
      const auto seen = driver.BatchInspect(
          *MakeCall("", record, kLimit), absl::MakeConstSpan(machines).subspan(begin, kMaxBatch));
      if (!seen.ok()) {
        std::fprintf(stderr, "%s\n", seen.status().ToString().c_str());
        return 1;
      }
      for (const Observation& each : *seen) {
        if (each.state() == machine::v1::MACHINE_STATE_RUNNING) ++running;
      }
    }
    const absl::Duration time = absl::Now() - start;
    std::printf("round %d: %zu machines (%zu running), %zu %s, %.0f ms\n", round, machines.size(),
                running, calls() - before, std::string(what).c_str(),
                absl::ToDoubleMilliseconds(time));
  }
  return 0;
}

}  // namespace machine::driver::hypervisor
