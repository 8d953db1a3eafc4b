// What belongs to machines on disk: a folder each, named by the machine's uid, below the driver's.
#ifndef DRIVERS_QEMU_MACHINE_FOLDER_H_
#define DRIVERS_QEMU_MACHINE_FOLDER_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "drivers/qemu/settings.h"
#include "drivers/qemu/state.pb.h"

namespace machine::driver::qemu {

/// What the file machine.json in a machine's folder says.
struct MachineFile {
  std::string uid;
  std::string name;
  std::string orchestrator_id;
  /// FixedSettings() of what was asked for.
  std::string settings;
  /// Absolute path and format (qcow2, raw) of the image that the disk is an overlay of.
  std::string base_image;
  std::string base_format;
  std::string ssh_user;
  /// Address of this host and ports there; without a value the machine has its own address.
  std::optional<Ports> ports;
  std::string address;
};

/// The hardware address of the machine's network interface, computed from its uid; lower case.
std::string MacAddress(absl::string_view uid);

/// All machines of one driver. Thread-safe; but calls about one machine come one at a time.
class MachineFolders {
 public:
  /// `root` is the folder below which machines have theirs.
  explicit MachineFolders(std::string root) : root_(std::move(root)) {}

  /// Absolute path of the machine's folder. INVALID_ARGUMENT when `uid` is no UUID.
  absl::StatusOr<std::string> PathOf(absl::string_view uid) const;

  /// No value when there is no such machine. Errors: DATA_LOSS naming a file that cannot be read.
  absl::StatusOr<std::optional<MachineFile>> Read(absl::string_view uid) const;

  /// Machines that can be read.
  std::vector<MachineFile> List() const;

  /// Makes the folder of a machine with its file, in one step. `prepare` runs in the same step and
  /// fills in the base image: what it makes is not swept away meanwhile (see Sweep()). Ports that
  /// are asked for are taken; others are chosen free and not those of another machine.
  /// Errors: FAILED_PRECONDITION when a port is not free; those of `prepare` and of the system.
  absl::Status Add(MachineFile& file, const Settings& settings,
                   const std::function<absl::Status(MachineFile&)>& prepare);

  /// Chooses other ports for those that were not asked for, and keeps them.
  absl::Status ChooseOtherPorts(MachineFile& file, const Settings& settings);

  /// Removes a machine's folder with all in it, and what an attempt to make or remove it has left.
  /// OK when nothing is there. The machine is gone once the folder has another name.
  absl::Status Remove(absl::string_view uid);

  /// Calls `unused` with the path of each file in `images` that is no machine's base image.
  void Sweep(const std::string& images, const std::function<void(const std::string&)>& unused);

 private:
  absl::Status ChoosePorts(MachineFile& file, const Settings& settings, int first_attempt) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::string Temporary(absl::string_view uid, absl::string_view what) const;

  const std::string root_;
  absl::Mutex mu_;
  int port_attempts_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace machine::driver::qemu

#endif  // DRIVERS_QEMU_MACHINE_FOLDER_H_
