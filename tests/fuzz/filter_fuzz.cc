// The filter of ListMachines and WatchMachines: any text from any client.
#include "services/orchestrator/events/machine_filter.h"
#include "tests/fuzz/expect.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using machine::orchestrator::MachineFilter;
  const absl::string_view text = machine::fuzz::TextOf(data, size);
  const auto filter = MachineFilter::Parse(text);
  if (!filter.ok()) {
    machine::fuzz::Expect(absl::IsInvalidArgument(filter.status()), "not INVALID_ARGUMENT");
    return 0;
  }
  machine::v1::Machine machine;
  machine.set_name("machines/dev");
  machine.set_driver("docker");
  (*machine.mutable_labels())["team"] = "ci";
  const bool fits = filter->Fits(machine);
  machine::fuzz::Expect(MachineFilter::Parse(text)->Fits(machine) == fits, "two answers");
  return 0;
}
