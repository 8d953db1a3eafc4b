#include "drivers/sdk/conformance/batch_bench.h"

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "drivers/sdk/test_machine.h"

namespace machine::driver {
namespace {

// Of the contract.
constexpr size_t kMaxBatch = 500;

}  // namespace

int RunBatchBench(Driver& driver, fakes::FakeServer& fake,
                  const std::vector<machine::v1::OptionValue>& options,
                  const std::function<void(int number, MachineSpec& machine)>& be_of_batch) {
  if (!driver.Init({.log = common::Logger(common::Severity::kError, "bench")}).ok()) return 1;
  const auto completed = MakeOptions(driver, options);
  if (!completed.ok()) return 1;
  std::vector<MachineSpec> machines;
  for (int i = 0; i < kBenchMachines; ++i) {
    machines.push_back({.uid = absl::StrCat(i), .options = *completed});
    if (be_of_batch) be_of_batch(i, machines.back());
  }
  CallRecord record;
  for (int round = 1; round <= 3; ++round) {
    fake.ForgetRequests();
    const absl::Time start = absl::Now();
    int running = 0;
    for (size_t begin = 0; begin < machines.size(); begin += kMaxBatch) {
      const auto seen = driver.BatchInspect(*MakeCall("", record),
                                            absl::MakeSpan(machines).subspan(begin, kMaxBatch));
      if (!seen.ok()) return 1;
      for (const Observation& each : *seen) {
        if (each.state() == machine::v1::MACHINE_STATE_RUNNING) ++running;
      }
    }
    std::printf("round %d: %zu machines (%d running), %d requests, %.0f ms\n", round,
                machines.size(), running, fake.CountOf(""),
                absl::ToDoubleMilliseconds(absl::Now() - start));
  }
  return 0;
}

}  // namespace machine::driver
