// Files that are written whole or not at all.
#ifndef SERVICES_COMMON_FILE_FILE_H_
#define SERVICES_COMMON_FILE_FILE_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// All of these are thread-safe and answer as the system does (NOT_FOUND, PERMISSION_DENIED,
// RESOURCE_EXHAUSTED for a full disk …), naming the path and never the contents.
namespace machine::common {

struct WriteFileOptions {
  /// Waits until the contents and the name are on the disk. Without it a power loss can leave the
  /// old file, never a torn one on the file systems of Linux.
  bool fsync = true;
};

/// Puts a file with `contents` and exactly `mode` (no umask) at `path`, in one step: another
/// process sees the old file or the new one. On failure, also on a full disk, the old file is
/// untouched. The mode is set before a byte is written. A symbolic link at `path` is replaced.
absl::Status WriteFileAtomically(absl::string_view path, absl::string_view contents, mode_t mode,
                                 const WriteFileOptions& options = {});

/// As WriteFileAtomically(), but ALREADY_EXISTS when there is something at `path`: of several
/// processes that do this at once, exactly one succeeds.
absl::Status CreateFileAtomically(absl::string_view path, absl::string_view contents, mode_t mode,
                                  const WriteFileOptions& options = {});

/// The contents of the regular file at `path`; OUT_OF_RANGE when it is longer than `max_bytes`.
absl::StatusOr<std::string> ReadFile(absl::string_view path, int64_t max_bytes = 64 << 20);

/// Creates the folder `path` and its missing parents, each with exactly `mode`. A folder that
/// exists is left as it is. FAILED_PRECONDITION when something else is there.
absl::Status EnsureDir(absl::string_view path, mode_t mode);

/// Makes `path` a folder that only this user can enter: as EnsureDir() with mode 0700, and an
/// existing folder is tightened to 0700. PERMISSION_DENIED when it belongs to somebody else.
absl::Status EnsurePrivateDir(absl::string_view path);

}  // namespace machine::common

#endif  // SERVICES_COMMON_FILE_FILE_H_
