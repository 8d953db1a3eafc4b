// Ownership of a file descriptor.
#ifndef SERVICES_COMMON_PROCESS_UNIQUE_FD_H_
#define SERVICES_COMMON_PROCESS_UNIQUE_FD_H_

#include <unistd.h>

#include <utility>

namespace machine::common {

/// Closes its descriptor when it goes. Movable, not copyable. Not thread-safe.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

  /// The descriptor, which the caller then owns; -1 when there was none.
  int release() { return std::exchange(fd_, -1); }

  /// Closes the descriptor and takes `fd` in its place.
  void reset(int fd = -1) {
    // Not repeated on EINTR: Linux has then closed it already, and it may be another thread's.
    if (fd_ >= 0) close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

}  // namespace machine::common

#endif  // SERVICES_COMMON_PROCESS_UNIQUE_FD_H_
