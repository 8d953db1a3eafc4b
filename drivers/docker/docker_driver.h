// Machines that are containers: systemd, sshd and an engine of their own, on a Docker Engine.
#ifndef DRIVERS_DOCKER_DOCKER_DRIVER_H_
#define DRIVERS_DOCKER_DOCKER_DRIVER_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drivers/docker/engine.h"
#include "drivers/docker/engine_transport.h"
#include "drivers/docker/settings.h"
#include "drivers/sdk/driver.h"

namespace machine::driver::docker {

class DockerDriver final : public Driver {
 public:
  /// `default_endpoint` is used where no endpoint is asked for.
  DockerDriver(std::string default_endpoint, EngineTransportFactory make_transport);

  DriverInfo info() const override;
  Flags flags() const override;
  absl::Status Validate(Options& options) const override;
  absl::Status PreCreateCheck(DriverCall& call, const MachineSpec& machine) override;
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
  absl::StatusOr<std::vector<::driver::v1::ListInstancesResponse>> ListInstances(
      DriverCall& call, absl::string_view orchestrator_id, const Options& options) override;

 private:
  absl::StatusOr<std::shared_ptr<Engine>> EngineOf(const Options& options);

  const std::string default_endpoint_;
  Engines engines_;
};

}  // namespace machine::driver::docker

#endif  // DRIVERS_DOCKER_DOCKER_DRIVER_H_
