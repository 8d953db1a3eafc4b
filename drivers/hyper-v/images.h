// Disk images on a Windows host.
#ifndef DRIVERS_HYPER_V_IMAGES_H_
#define DRIVERS_HYPER_V_IMAGES_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/hyper-v/powershell.h"
#include "drivers/hyper-v/settings.h"
#include "drivers/hypervisor/image_store.h"

namespace machine::driver::hyperv {

/// What makes a raw disk of `size` bytes, a multiple of 512, a fixed VHD: 512 bytes to append
/// ("Virtual Hard Disk Image Format Specification", 2006, Hard Disk Footer Format).
std::string VhdFooter(uint64_t size);

/// Images that were fetched once by a host and are shared by its machines, also by those of several
/// drivers: whoever writes to a file or reads its digest holds a lock on that host meanwhile.
class Images {
 public:
  /// `powershell` outlives it. `folder` is the driver's own on that host.
  Images(PowerShell& powershell, std::string folder)
      : powershell_(powershell), folder_(std::move(folder)) {}

  /// The path of an image, fetching it first if need be, with progress; one call at a time.
  /// Errors: NOT_FOUND, FAILED_PRECONDITION (another digest than expected), UNAVAILABLE
  /// PROVIDER_DOWN, or as PowerShell::Run().
  absl::StatusOr<std::string> Fetch(common::CallScope& call, const hypervisor::ImageSource& source);

  /// Makes the VHDX `disk` of the image at `path`, with `size_mib`. Errors: BadOption() for an
  /// image in another format or larger than that.
  absl::Status MakeDisk(common::CallScope& call, const std::string& path, const std::string& disk,
                        int64_t size_mib);

 private:
  // These three with the path that the image is to have.
  absl::Status Finish(common::CallScope& call, const hypervisor::ImageSource& source,
                      const std::string& path);
  absl::Status Download(common::CallScope& call, const hypervisor::ImageSource& source,
                        const std::string& path);
  absl::Status CheckDigest(common::CallScope& call, const hypervisor::ImageSource& source,
                           const std::string& path);
  absl::StatusOr<int64_t> SizeOf(common::CallScope& call, const std::string& path,
                                 std::string* head);

  PowerShell& powershell_;
  const std::string folder_;
  hypervisor::SerialGate gate_;
};

}  // namespace machine::driver::hyperv

#endif  // DRIVERS_HYPER_V_IMAGES_H_
