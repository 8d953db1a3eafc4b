// Owners of libssh's C objects, and what is read from and given to them.
#ifndef SERVICES_COMMON_SSH_LIBSSH_SESSION_H_
#define SERVICES_COMMON_SSH_LIBSSH_SESSION_H_

#include <libssh/libssh.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace machine::common {

struct SshKeyDeleter {
  void operator()(ssh_key key) const { ssh_key_free(key); }
};
using SshKeyPtr = std::unique_ptr<ssh_key_struct, SshKeyDeleter>;

/// Reads a private key, OpenSSH or PEM. INVALID_ARGUMENT when it is none or has a passphrase;
/// `label` names it in the message.
absl::StatusOr<SshKeyPtr> ParsePrivateKey(absl::string_view text, absl::string_view label);

/// One ssh_session in non-blocking mode that reads no configuration and no known_hosts file. On
/// one thread at a time.
class LibsshSession final {
 public:
  /// INTERNAL when libssh refuses an option.
  static absl::StatusOr<std::unique_ptr<LibsshSession>> Create(const std::string& user);
  /// Says goodbye where the host still listens, and closes the socket.
  ~LibsshSession();

  LibsshSession(const LibsshSession&) = delete;
  LibsshSession& operator=(const LibsshSession&) = delete;

  ssh_session get() const { return session_; }

  /// Hands a connected socket over and begins the handshake: SSH_OK, SSH_AGAIN or SSH_ERROR as
  /// ssh_connect(), which continues it.
  int Connect(int fd);

  /// Handles what has arrived and sends what is waiting; only once connected and authenticated.
  /// False when the connection is lost.
  bool Pump();

  /// SHA-256 of the host's key, base64 without padding.
  absl::StatusOr<std::string> HostKeySha256() const;

  /// What libssh says about the last failure.
  std::string error() const { return ssh_get_error(session_); }

  /// Bytes received so far.
  uint64_t bytes_in() const { return counters_.in_bytes; }

 private:
  LibsshSession();

  const ssh_session session_;
  ssh_event event_ = nullptr;
  ssh_counter_struct counters_ = {};
};

}  // namespace machine::common

#endif  // SERVICES_COMMON_SSH_LIBSSH_SESSION_H_
