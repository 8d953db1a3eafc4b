// What a machine is at the provider, and how it is found, made, brought to a state and removed.
#ifndef DRIVERS_TEMPLATE_MACHINE_INSTANCE_H_
#define DRIVERS_TEMPLATE_MACHINE_INSTANCE_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "drivers/sdk/cloud/create_once.h"
#include "drivers/sdk/driver.h"
#include "drivers/template/settings.h"
#include "drivers/template/state.pb.h"
#include "drivers/template/template_api.h"

namespace machine::driver::template_cloud {

/// How often and how long the provider is asked.
struct Timing {
  Backoff poll;
  /// Before a request that failed is sent again.
  Backoff retry = {absl::Milliseconds(300), absl::Seconds(10)};
  Settling settling;
  /// What a guest gets to shut down, unless told otherwise.
  absl::Duration grace = absl::Minutes(1);
};

/// The state of a machine whose instance has `status`.
MachineState StateOfInstance(absl::string_view status);

/// State, endpoint and id of a machine.
Observation ObservationOf(const Instance& instance, const Settings& settings);

/// The uid of the machine that an instance was made for; empty for none.
std::string UidOf(const Instance& instance);

/// The instance of a machine: by the id in its state, else by its tag.
absl::StatusOr<std::optional<Instance>> FindInstance(const common::CallScope& call,
                                                     const TemplateApi& api,
                                                     const MachineSpec& machine);

/// Deletes all that was made for the machine, whatever point its create reached.
absl::Status RemoveAll(const common::CallScope& call, const TemplateApi& api, const Timing& timing,
                       const MachineSpec& machine);

/// One create of one machine. Its arguments outlive it.
class InstanceCreator {
 public:
  InstanceCreator(DriverCall& call, const TemplateApi& api, const Timing& timing,
                  const MachineSpec& machine, const Settings& settings);

  absl::StatusOr<Observation> Run();

 private:
  /// Chooses image and size, once and for all attempts.
  absl::Status ChooseOnce();
  absl::StatusOr<Instance> EnsureInstance();
  /// The one instance of the machine; further ones, made when an answer was lost, are deleted.
  absl::StatusOr<std::optional<Instance>> KeepOne();
  absl::Status CheckSame(const Instance& instance) const;
  absl::StatusOr<Instance> AwaitRunning(const std::string& id);

  DriverCall& call_;
  const TemplateApi& api_;
  const Timing& timing_;
  const MachineSpec& machine_;
  const Settings& settings_;
  const std::string tag_;
  State state_;
};

}  // namespace machine::driver::template_cloud

#endif  // DRIVERS_TEMPLATE_MACHINE_INSTANCE_H_
