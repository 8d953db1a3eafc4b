// A driver for transcripts: its instances are files, their ssh server and engine are the test's.
#ifndef TESTS_GOLDEN_TOY_DRIVER_H_
#define TESTS_GOLDEN_TOY_DRIVER_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "drivers/sdk/driver.h"

namespace machine::driver::toy {

/// An instance is the file `--toy-folder`/UID with its state in it; who removes the file removes
/// the instance behind the orchestrator's back.
class ToyDriver final : public Driver {
 public:
  DriverInfo info() const override;
  Flags flags() const override;
  absl::Status PreCreateCheck(DriverCall& call, const MachineSpec& machine) override;
  absl::StatusOr<Observation> Create(DriverCall& call, const MachineSpec& machine) override;
  absl::StatusOr<Observation> Start(DriverCall& call, const MachineSpec& machine) override;
  absl::StatusOr<Observation> Stop(DriverCall& call, const MachineSpec& machine,
                                   std::optional<absl::Duration> grace) override;
  absl::StatusOr<Observation> Kill(DriverCall& call, const MachineSpec& machine) override;
  absl::StatusOr<Observation> Restart(DriverCall& call, const MachineSpec& machine) override;
  absl::Status Remove(DriverCall& call, const MachineSpec& machine) override;
  absl::StatusOr<Observation> Inspect(DriverCall& call, const MachineSpec& machine) override;
};

}  // namespace machine::driver::toy

#endif  // TESTS_GOLDEN_TOY_DRIVER_H_
