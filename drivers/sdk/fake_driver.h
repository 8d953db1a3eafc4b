// A driver whose provider is a map in memory, for tests.
#ifndef DRIVERS_SDK_FAKE_DRIVER_H_
#define DRIVERS_SDK_FAKE_DRIVER_H_

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "drivers/sdk/driver.h"

namespace machine::driver {

/// How a FakeDriver behaves, faults included.
struct FakeBehavior {
  std::vector<Capability> capabilities = {
      ::driver::v1::CAPABILITY_POWER, ::driver::v1::CAPABILITY_KILL,
      ::driver::v1::CAPABILITY_RESTART, ::driver::v1::CAPABILITY_LIST_INSTANCES};
  int state_version = 2;
  /// Runs in the middle of each Create, for example to block.
  std::function<absl::Status(DriverCall&)> in_create;
  /// Create does not look for what it made before.
  bool forgets_instances = false;
  /// Create logs its secret option, and would show it but for the SDK.
  bool logs_secret = false;
  /// Stop reports a machine that is stopped already as an error.
  bool stops_only_once = false;
  /// Inspect throws.
  bool throws = false;
};

/// One instance at the provider.
struct FakeInstance {
  std::string id;
  std::string uid;
  std::string orchestrator_id;
  std::string size;
  bool running = true;
};

/// Thread-safe. Options: fake-token (required, secret), fake-size (small or large), fake-count.
class FakeDriver final : public Driver {
 public:
  explicit FakeDriver(FakeBehavior behavior = {}) : behavior_(std::move(behavior)) {}

  DriverInfo info() const override;
  Flags flags() const override;
  absl::StatusOr<Observation> Create(DriverCall& call, const MachineSpec& machine) override;
  absl::StatusOr<Observation> Start(DriverCall& call, const MachineSpec& machine) override;
  absl::StatusOr<Observation> Stop(DriverCall& call, const MachineSpec& machine,
                                   std::optional<absl::Duration> grace) override;
  absl::StatusOr<Observation> Kill(DriverCall& call, const MachineSpec& machine) override;
  absl::StatusOr<Observation> Restart(DriverCall& call, const MachineSpec& machine) override;
  absl::Status Remove(DriverCall& call, const MachineSpec& machine) override;
  absl::StatusOr<Observation> Inspect(DriverCall& call, const MachineSpec& machine) override;
  absl::StatusOr<std::vector<::driver::v1::ListInstancesResponse>> ListInstances(
      DriverCall& call, absl::string_view orchestrator_id, const Options& options) override;
  absl::StatusOr<std::string> UpgradeState(DriverCall& call, const MachineSpec& machine) override;

  /// All instances there are.
  std::vector<FakeInstance> InstancesForTest() const;
  /// Removes the instance of a machine, as its owner could at the provider.
  absl::Status VanishForTest(absl::string_view uid);

 private:
  absl::StatusOr<Observation> SetRunning(const MachineSpec& machine, bool running);
  std::optional<FakeInstance> Find(absl::string_view uid) const;
  FakeInstance Make(const DriverCall& call, const MachineSpec& machine);

  const FakeBehavior behavior_;
  mutable absl::Mutex mu_;
  int made_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<FakeInstance> instances_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::driver

#endif  // DRIVERS_SDK_FAKE_DRIVER_H_
