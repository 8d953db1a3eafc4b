// The little of the tar format (POSIX.1-1988 "ustar") that drivers need.
#ifndef DRIVERS_SDK_USTAR_H_
#define DRIVERS_SDK_USTAR_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace machine::driver {

struct TarEntry {
  /// Relative, at most 99 bytes; a folder's ends with a slash.
  std::string path;
  uint32_t mode = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  /// Contents of a file; empty for a folder.
  std::string contents;
};

/// An archive of `entries`, in order.
std::string WriteTar(absl::Span<const TarEntry> entries);

/// Contents of the first regular file in `archive`. Errors: DATA_LOSS when it is no archive or has
/// none.
absl::StatusOr<std::string> FirstFileOfTar(absl::string_view archive);

}  // namespace machine::driver

#endif  // DRIVERS_SDK_USTAR_H_
