#include "services/common/file/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "services/common/process/unique_fd.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

absl::Status ErrnoError(absl::string_view what, absl::string_view path) {
  const int error = errno;
  return absl::ErrnoToStatus(error, absl::StrCat(what, " ", path));
}

std::string FolderOf(absl::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == absl::string_view::npos) return ".";
  return std::string(slash == 0 ? "/" : path.substr(0, slash));
}

absl::Status WriteAll(int fd, absl::string_view contents, absl::string_view path) {
  while (!contents.empty()) {
    const ssize_t written = write(fd, contents.data(), contents.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoError("writing", path);
    contents.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status SyncFolder(const std::string& folder) {
  const UniqueFd fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoError("opening", folder);
  // Some file systems cannot do this to a folder; then there is nothing more to be had.
  if (fsync(fd.get()) != 0 && errno != EINVAL) return ErrnoError("syncing", folder);
  return absl::OkStatus();
}

/// Writes a temporary file beside `path` and lets `publish` give it its name.
template <typename Publish>
absl::Status WriteAndPublish(absl::string_view path, absl::string_view contents, mode_t mode,
                             const WriteFileOptions& options, const Publish& publish) {
  // Beside the target, because only within one file system can a name be changed in one step.
  std::string temporary = absl::StrCat(path, ".tmp.XXXXXX");
  UniqueFd fd(mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd.valid()) return ErrnoError("creating a file beside", path);
  const absl::Cleanup remove = [&temporary] { unlink(temporary.c_str()); };

  if (fchmod(fd.get(), mode) != 0) return ErrnoError("setting the mode of", path);
  DM_RETURN_IF_ERROR(WriteAll(fd.get(), contents, path));
  if (options.fsync && fsync(fd.get()) != 0) return ErrnoError("syncing", path);
  // Network file systems report a full disk as late as here.
  if (close(fd.release()) != 0) return ErrnoError("closing", path);
  DM_RETURN_IF_ERROR(publish(temporary));
  return options.fsync ? SyncFolder(FolderOf(path)) : absl::OkStatus();
}

}  // namespace

absl::Status WriteFileAtomically(absl::string_view path, absl::string_view contents, mode_t mode,
                                 const WriteFileOptions& options) {
  return WriteAndPublish(path, contents, mode, options, [&](const std::string& temporary) {
    if (rename(temporary.c_str(), std::string(path).c_str()) == 0) return absl::OkStatus();
    return ErrnoError("replacing", path);
  });
}

absl::Status CreateFileAtomically(absl::string_view path, absl::string_view contents, mode_t mode,
                                  const WriteFileOptions& options) {
  return WriteAndPublish(path, contents, mode, options, [&](const std::string& temporary) {
    if (link(temporary.c_str(), std::string(path).c_str()) == 0) return absl::OkStatus();
    return ErrnoError("creating", path);
  });
}

absl::StatusOr<std::string> ReadFile(absl::string_view path, int64_t max_bytes) {
  // Without O_NONBLOCK, opening a FIFO would wait for a writer before its kind can be looked at.
  const UniqueFd fd(open(std::string(path).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return ErrnoError("opening", path);
  struct stat info;
  if (fstat(fd.get(), &info) != 0) return ErrnoError("reading", path);
  if (!S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path, " is not a regular file"));
  }
  std::string contents;
  char buffer[64 << 10];
  while (true) {
    // Counted, not taken from fstat(): files in /proc say 0, and others may be growing.
    const ssize_t count = read(fd.get(), buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ErrnoError("reading", path);
    if (count == 0) return contents;
    if (static_cast<int64_t>(contents.size()) + count > max_bytes) {
      return absl::OutOfRangeError(absl::StrCat(path, " is longer than ", max_bytes, " bytes"));
    }
    contents.append(buffer, static_cast<size_t>(count));
  }
}

absl::Status EnsureDir(absl::string_view path, mode_t mode) {
  if (path.empty()) return absl::InvalidArgumentError("a folder needs a name");
  const std::string folder(path);
  int made = mkdir(folder.c_str(), mode);
  if (const std::string parent = FolderOf(path); made != 0 && errno == ENOENT && parent != path) {
    DM_RETURN_IF_ERROR(EnsureDir(parent, mode));
    // Once: some file systems, such as /proc, have no new folders anywhere.
    made = mkdir(folder.c_str(), mode);
  }
  if (made == 0) {
    // mkdir() has applied the umask.
    return chmod(folder.c_str(), mode) == 0 ? absl::OkStatus()
                                            : ErrnoError("setting the mode of", path);
  }
  if (errno != EEXIST) return ErrnoError("creating folder", path);
  struct stat info;
  if (stat(folder.c_str(), &info) != 0) return ErrnoError("looking at", path);
  if (S_ISDIR(info.st_mode)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(path, " is not a folder"));
}

absl::Status EnsurePrivateDir(absl::string_view path) {
  DM_RETURN_IF_ERROR(EnsureDir(path, 0700));
  const UniqueFd fd(open(std::string(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoError("opening", path);
  struct stat info;
  if (fstat(fd.get(), &info) != 0) return ErrnoError("looking at", path);
  if (info.st_uid != geteuid()) {
    return absl::PermissionDeniedError(absl::StrCat(path, " belongs to another user"));
  }
  if ((info.st_mode & 0777) != 0700 && fchmod(fd.get(), 0700) != 0) {
    return ErrnoError("setting the mode of", path);
  }
  return absl::OkStatus();
}

}  // namespace machine::common
