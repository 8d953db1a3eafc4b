// Host names to addresses, and addresses to a connected socket, without blocking the loop.
#ifndef SERVICES_COMMON_SSH_TCP_DIALER_H_
#define SERVICES_COMMON_SSH_TCP_DIALER_H_

#include <sys/socket.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/common/process/unique_fd.h"
#include "services/common/ssh/ssh.h"

namespace machine::common {

struct HostAddress {
  sockaddr_storage address = {};
  socklen_t length = 0;
};

/// "10.0.0.1:22", "[::1]:22".
std::string HostAndPort(absl::string_view host, int port);

/// The addresses of `host`, in the order in which they are to be tried. Names are looked up on a
/// thread of their own, because a resolver cannot be interrupted. UNAVAILABLE SSH_UNREACHABLE,
/// CANCELLED.
absl::StatusOr<std::vector<HostAddress>> ResolveHost(const std::string& host, int port,
                                                     const CallLimits& limits);

/// Tries addresses one after the other. On one thread.
class TcpDialer final {
 public:
  /// @param timeout for each address.
  TcpDialer(std::vector<HostAddress> addresses, std::string name, absl::Duration timeout);

  int fd() const { return fd_.get(); }
  absl::Duration wake_at() const { return give_up_at_; }

  /// A connected non-blocking socket, UNAVAILABLE SSH_UNREACHABLE when no address is left, or
  /// nothing yet. To be called when the socket is writable and at wake_at().
  std::optional<absl::StatusOr<UniqueFd>> Step(absl::Duration now);

 private:
  std::optional<absl::StatusOr<UniqueFd>> NextAddress(absl::Duration now);
  void NoteFailure(absl::string_view cause);

  const std::vector<HostAddress> addresses_;
  const std::string name_;
  const absl::Duration timeout_;
  size_t next_ = 0;
  UniqueFd fd_;
  absl::Duration give_up_at_ = absl::ZeroDuration();
  std::vector<std::string> causes_;
};

}  // namespace machine::common

#endif  // SERVICES_COMMON_SSH_TCP_DIALER_H_
