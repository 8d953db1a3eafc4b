// What a machine is at Azure: a virtual machine and what belongs to it, and how they are found.
#ifndef DRIVERS_AZURE_MACHINE_VM_H_
#define DRIVERS_AZURE_MACHINE_VM_H_

#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/azure/azure_api.h"
#include "drivers/azure/settings.h"
#include "drivers/azure/state.pb.h"
#include "drivers/sdk/cloud/create_once.h"
#include "drivers/sdk/cloud/instance_driver.h"
#include "drivers/sdk/driver.h"

namespace machine::driver::azure {

/// Tags of everything that is made, the group included. Their values are the machine's uid, the
/// orchestrator's id, and kTagged.
inline constexpr char kUidTag[] = "machine-uid";
inline constexpr char kOrchestratorTag[] = "machine-orchestrator";
inline constexpr char kMachinesTag[] = "docker-machine";
inline constexpr char kTagged[] = "yes";

/// How often and how long the provider is asked.
struct Timing {
  Backoff poll;
  /// Before a request that failed is sent again.
  Backoff retry = {absl::Milliseconds(300), absl::Seconds(10)};
  Settling settling;
  /// What a guest gets to shut down and be deallocated, unless told otherwise.
  absl::Duration grace = absl::Minutes(5);
};

/// What a machine's parts are called: all but the virtual machine by its uid.
struct Names {
  /// An unreadable state counts as none.
  Names(const MachineSpec& machine, const Settings& settings);

  /// Its own, or the user's.
  std::string group;
  bool own_group;
  /// The machine's name and the beginning of its uid.
  std::string vm;
  std::string disk;
  std::string interface;
  std::string public_address;
  std::string security_group;
  /// Empty where it is not the machine's alone.
  std::string network;
  /// Made by the original docker-machine: without tags, and under its names.
  bool imported = false;
};

/// The state of a machine that was imported, from the original's config.json. Errors:
/// FAILED_PRECONDITION when that names no virtual machine.
absl::StatusOr<State> ImportedState(absl::string_view driver_json);

/// Whether it is off and costs no more than its disk and address.
bool IsDeallocated(const VirtualMachine& vm);

/// The state of a machine; the words of both are in one table.
MachineState StateOfMachine(const VirtualMachine& vm);

/// Addresses that a machine is reached by.
struct Addresses {
  std::string public_ip;
  std::string private_ip;
};

/// State, endpoint and id of a machine.
Observation ObservationOf(const VirtualMachine& vm, const Addresses& addresses,
                          const Settings& settings);

/// The addresses of the machine's interface, as they are now.
absl::StatusOr<Addresses> AddressesOf(const common::CallScope& call, const AzureApi& api,
                                      const Names& names);

/// The machine's virtual machine, if it carries the machine's uid.
absl::StatusOr<std::optional<VirtualMachine>> FindVm(const common::CallScope& call,
                                                     const AzureApi& api,
                                                     const MachineSpec& machine,
                                                     const Names& names);

/// How an operation goes, asked as often as Azure allows. `call` and `api` outlive it.
PendingAction Following(const common::CallScope& call, const AzureApi& api, const Timing& timing,
                        Operation operation);

/// Waits for the end of an operation. Errors: what it failed with.
absl::Status AwaitOperation(const common::CallScope& call, const AzureApi& api,
                            const Timing& timing, const Operation& operation);

/// Deletes all that was made for the machine, whatever point its create reached.
absl::Status RemoveAll(DriverCall& call, const AzureApi& api, const Timing& timing,
                       const MachineSpec& machine, const Settings& settings);

/// One create of one machine. Its arguments outlive it.
class VmCreator {
 public:
  VmCreator(DriverCall& call, const AzureApi& api, const Timing& timing, const MachineSpec& machine,
            const Settings& settings);

  absl::StatusOr<Observation> Run();

 private:
  absl::Status EnsureProviders();
  absl::Status EnsureGroup();
  /// The resource, once it is there for good: made by `body`, or found and the machine's own.
  absl::StatusOr<Resource> Ensure(Kind kind, const std::string& name,
                                  absl::FunctionRef<Json()> body);
  /// Chooses image and size, once and for all attempts.
  absl::Status ChooseOnce();
  /// The id of the subnet to be in.
  absl::StatusOr<std::string> EnsureSubnet();
  /// The id of the interface.
  absl::StatusOr<std::string> EnsureInterface();
  absl::Status EnsureVm(const std::string& interface_id);
  absl::StatusOr<VirtualMachine> AwaitRunning();
  absl::Status CheckSame(const VirtualMachine& vm) const;

  DriverCall& call_;
  const AzureApi& api_;
  const Timing& timing_;
  const MachineSpec& machine_;
  const Settings& settings_;
  const Names names_;
  Tags tags_;
  State state_;
};

}  // namespace machine::driver::azure

#endif  // DRIVERS_AZURE_MACHINE_VM_H_
