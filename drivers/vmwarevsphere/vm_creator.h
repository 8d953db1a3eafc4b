// One create of one machine.
#ifndef DRIVERS_VMWAREVSPHERE_VM_CREATOR_H_
#define DRIVERS_VMWAREVSPHERE_VM_CREATOR_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "drivers/hypervisor/image_store.h"
#include "drivers/sdk/driver.h"
#include "drivers/vmwarevsphere/inventory.h"
#include "drivers/vmwarevsphere/machine_vm.h"
#include "drivers/vmwarevsphere/settings.h"
#include "drivers/vmwarevsphere/vim_client.h"

namespace machine::driver::vmwarevsphere {

/// Its arguments outlive it. `images` may be null, which refuses ISOs.
class VmCreator {
 public:
  VmCreator(DriverCall& call, VimClient& client, hypervisor::ImageStore* images,
            const Timing& timing, const MachineSpec& machine, Settings settings);

  absl::StatusOr<Observation> Run();

 private:
  /// Chooses the place, as a former attempt did.
  absl::Status ChooseOnce();
  absl::StatusOr<Properties> EnsureVm();
  absl::StatusOr<Properties> MakeVm();
  absl::StatusOr<Ref> CloneTemplate();
  absl::StatusOr<Ref> MakeEmpty();
  absl::Status UploadIso();
  absl::Status CheckSame(const Properties& vm);
  /// Gives it name, hardware and what its guest is told, where it has not got them.
  absl::Status Equip(const Properties& vm);
  /// `status`, with words about the name where it is taken.
  absl::Status NameTaken(const absl::Status& status) const;
  absl::Status PowerOn(const Ref& vm);
  absl::StatusOr<Properties> AwaitAddress(const Ref& vm);

  std::string ExtraConfigXml() const;
  absl::StatusOr<std::string> NetworkBackingXml(const Node& network);

  DriverCall& call_;
  VimClient& client_;
  hypervisor::ImageStore* const images_;
  const Timing& timing_;
  const MachineSpec& machine_;
  Settings settings_;
  const std::string tag_;
  State state_;
  std::optional<Place> place_;
};

}  // namespace machine::driver::vmwarevsphere

#endif  // DRIVERS_VMWAREVSPHERE_VM_CREATOR_H_
