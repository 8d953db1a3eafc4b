// How long a cloud driver's BatchInspect takes, and how many requests it sends.
#ifndef DRIVERS_SDK_CONFORMANCE_BATCH_BENCH_H_
#define DRIVERS_SDK_CONFORMANCE_BATCH_BENCH_H_

#include <functional>
#include <vector>

#include "drivers/sdk/driver.h"
#include "machine/v1/drivers.pb.h"
#include "tests/fakes/http/fake_server.h"

namespace machine::driver {

/// So many machines are inspected.
inline constexpr int kBenchMachines = 1000;

/// Three rounds, each printed; asserts no time. Machine number N has uid "N" unless `be_of_batch`
/// makes it another one of those that `fake` has. The exit code of a program.
int RunBatchBench(
    Driver& driver, fakes::FakeServer& fake, const std::vector<machine::v1::OptionValue>& options,
    const std::function<void(int number, MachineSpec& machine)>& be_of_batch = nullptr);

}  // namespace machine::driver

#endif  // DRIVERS_SDK_CONFORMANCE_BATCH_BENCH_H_
