// The images that machines' disks are overlays of.
#ifndef DRIVERS_QEMU_BASE_IMAGES_H_
#define DRIVERS_QEMU_BASE_IMAGES_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "drivers/hypervisor/image_store.h"
#include "drivers/hypervisor/tool_host.h"
#include "drivers/qemu/machine_folder.h"
#include "drivers/qemu/settings.h"

namespace machine::driver::qemu {

/// An overlay needs its image unchanged for as long as it lives. Images with a URL are in a cache
/// for good; of those that are files of this host, a link is kept while a machine needs it, so that
/// a new image may take the old one's name. Thread-safe.
class BaseImages {
 public:
  /// `host` outlives it. `folder` is the driver's own; `default_image` a path.
  BaseImages(hypervisor::ToolHost& host, std::string folder, std::string default_image);

  /// What can be told before a create. Errors: PreCreateCheckFailed(), BadOption().
  absl::Status Check(common::CallScope& call, const Settings& settings);

  /// Path of the image, fetched if need be. Errors: as ImageStore::Fetch().
  absl::StatusOr<std::string> Fetch(common::CallScope& call, const Settings& settings);

  /// Keeps the image at `path` and fills in `file`. Errors: BadOption() when it is no image for a
  /// machine, or larger than the disk is to be.
  absl::Status Keep(common::CallScope& call, const Settings& settings, const std::string& path,
                    MachineFile& file);

  /// Drops kept images that no machine needs any longer.
  void Sweep(MachineFolders& folders);

 private:
  struct Facts {
    std::string format;
    int64_t size_bytes = 0;
  };

  std::string SourceOf(const Settings& settings) const;
  absl::StatusOr<Facts> Look(common::CallScope& call, const Settings& settings,
                             const std::string& path);

  hypervisor::ToolHost& host_;
  const std::string links_;
  const std::string default_image_;
  hypervisor::ImageStore store_;
};

}  // namespace machine::driver::qemu

#endif  // DRIVERS_QEMU_BASE_IMAGES_H_
