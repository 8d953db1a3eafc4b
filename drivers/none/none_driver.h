// Machines that somebody else runs: an engine known by its URL.
#ifndef DRIVERS_NONE_NONE_DRIVER_H_
#define DRIVERS_NONE_NONE_DRIVER_H_

#include <memory>
#include <optional>
#include <vector>

#include "drivers/sdk/driver.h"
#include "drivers/sdk/tcp_prober.h"

namespace machine::driver::none {

/// Keeps no state, makes nothing and removes nothing. A machine is RUNNING while its engine's port
/// takes connections, else STOPPED.
class NoneDriver final : public Driver {
 public:
  DriverInfo info() const override;
  Flags flags() const override;
  absl::Status Init(const DriverEnvironment& environment) override;
  absl::Status Validate(Options& options) const override;
  /// Does not connect: a URL may be added before its host is up.
  absl::StatusOr<Observation> Create(DriverCall& call, const MachineSpec& machine) override;
  absl::StatusOr<Observation> Start(DriverCall& call, const MachineSpec& machine) override;
  absl::StatusOr<Observation> Stop(DriverCall& call, const MachineSpec& machine,
                                   std::optional<absl::Duration> grace) override;
  absl::StatusOr<Observation> Kill(DriverCall& call, const MachineSpec& machine) override;
  absl::StatusOr<Observation> Restart(DriverCall& call, const MachineSpec& machine) override;
  absl::Status Remove(DriverCall& call, const MachineSpec& machine) override;
  absl::StatusOr<Observation> Inspect(DriverCall& call, const MachineSpec& machine) override;
  absl::StatusOr<std::vector<Observation>> BatchInspect(
      DriverCall& call, absl::Span<const MachineSpec> machines) override;
  absl::StatusOr<std::string> UpgradeState(DriverCall& call, const MachineSpec& machine) override;

 private:
  std::unique_ptr<TcpProber> prober_;  // From Init(), because it has threads.
};

}  // namespace machine::driver::none

#endif  // DRIVERS_NONE_NONE_DRIVER_H_
