// Hosts that exist already and are reached over ssh.
#ifndef DRIVERS_GENERIC_GENERIC_DRIVER_H_
#define DRIVERS_GENERIC_GENERIC_DRIVER_H_

#include <memory>
#include <utility>
#include <vector>

#include "drivers/generic/remote_reboot.h"
#include "drivers/sdk/driver.h"
#include "drivers/sdk/tcp_prober.h"

namespace machine::driver::generic {

/// Makes nothing and removes nothing: the host is the user's. A machine is RUNNING while its ssh
/// port takes connections, else STOPPED. The only state is that of a restart under way.
class GenericDriver final : public Driver {
 public:
  /// @param rebooter  how Restart reboots a host.
  explicit GenericDriver(std::unique_ptr<Rebooter> rebooter) : rebooter_(std::move(rebooter)) {}

  DriverInfo info() const override;
  Flags flags() const override;
  absl::Status Init(const DriverEnvironment& environment) override;
  absl::Status Validate(Options& options) const override;
  /// Does not connect: how long to wait for ssh is the orchestrator's to decide.
  absl::StatusOr<Observation> Create(DriverCall& call, const MachineSpec& machine) override;
  absl::StatusOr<Observation> Restart(DriverCall& call, const MachineSpec& machine) override;
  absl::Status Remove(DriverCall& call, const MachineSpec& machine) override;
  absl::StatusOr<Observation> Inspect(DriverCall& call, const MachineSpec& machine) override;
  absl::StatusOr<std::vector<Observation>> BatchInspect(
      DriverCall& call, absl::Span<const MachineSpec> machines) override;
  absl::StatusOr<std::string> UpgradeState(DriverCall& call, const MachineSpec& machine) override;

 private:
  const std::unique_ptr<Rebooter> rebooter_;
  std::unique_ptr<TcpProber> prober_;  // From Init(), because it has threads.
};

}  // namespace machine::driver::generic

#endif  // DRIVERS_GENERIC_GENERIC_DRIVER_H_
