// What BatchInspect costs a driver of a hypervisor: for its bench.
#ifndef DRIVERS_HYPERVISOR_BATCH_FIGURES_H_
#define DRIVERS_HYPERVISOR_BATCH_FIGURES_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "drivers/sdk/driver.h"

namespace machine::driver::hypervisor {

/// Machines as a store has them: UUIDs that count, names m0, m1, …
std::vector<MachineSpec> ManyMachines(size_t count, const Options& options);

/// Asks `driver` about `machines` three times, in batches of the contract's size, and prints how
/// many run, how many calls of a tool (`what`, of which `calls` tells the number so far) it took,
/// and how long. Returns an exit status.
int PrintBatchFigures(Driver& driver, const std::vector<MachineSpec>& machines,
                      absl::string_view what, absl::FunctionRef<size_t()> calls);

}  // namespace machine::driver::hypervisor

#endif  // DRIVERS_HYPERVISOR_BATCH_FIGURES_H_
