// Files over the sftp subsystem, protocol version 3 (draft-ietf-secsh-filexfer-02), which is what
// OpenSSH speaks. libssh's own sftp client is not used because it waits in a loop for every answer,
// and would stop all connections of the one thread that libssh is used on.
#ifndef SERVICES_COMMON_SSH_SFTP_H_
#define SERVICES_COMMON_SSH_SFTP_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/common/ssh/run_command.h"
#include "services/common/ssh/ssh.h"

namespace machine::common {

/// One sftp session. Blocks; one thread at a time. After an error other than one of the file
/// (NOT_FOUND, PERMISSION_DENIED, INTERNAL, RESOURCE_EXHAUSTED) it is no longer usable().
class SftpClient final {
 public:
  /// @param open  starts the subsystem. UNIMPLEMENTED when the server has none.
  static absl::StatusOr<std::unique_ptr<SftpClient>> Start(const OpenSession& open,
                                                           const CallLimits& limits);
  ~SftpClient();

  /// As SshConnection::Upload() and Download().
  absl::Status Upload(absl::string_view path, mode_t mode, absl::string_view contents,
                      const CallLimits& limits);
  absl::StatusOr<std::string> Download(absl::string_view path, size_t max_bytes,
                                       const CallLimits& limits);

  bool usable() const { return usable_; }

 private:
  struct Inbox;
  struct Packet {
    uint8_t type = 0;
    std::string body;
  };

  SftpClient();

  absl::Status Greet(const CallLimits& limits);
  uint32_t Send(uint8_t type, absl::string_view body);
  void SendRaw(uint8_t type, absl::string_view body);
  /// The answer to request `id`, without the id.
  absl::StatusOr<Packet> Receive(uint32_t id, const CallLimits& limits);
  absl::StatusOr<Packet> NextPacket(const CallLimits& limits);
  absl::Status Ask(uint8_t type, absl::string_view body, const CallLimits& limits);
  absl::StatusOr<std::string> OpenFile(absl::string_view path, uint32_t flags,
                                       std::optional<mode_t> mode, const CallLimits& limits);
  absl::Status WriteAll(absl::string_view handle, absl::string_view contents,
                        const CallLimits& limits);
  absl::Status WriteFile(absl::string_view path, mode_t mode, absl::string_view contents,
                         const CallLimits& limits);
  absl::StatusOr<std::string> ReadAll(absl::string_view handle, size_t max_bytes,
                                      const CallLimits& limits);
  absl::Status Rename(absl::string_view from, absl::string_view to, const CallLimits& limits);

  const std::shared_ptr<Inbox> inbox_;
  std::shared_ptr<SshSession> session_;
  std::map<uint32_t, Packet> early_;  // Answers to later requests.
  uint32_t next_id_ = 1;
  bool has_posix_rename_ = false;
  bool usable_ = true;
};

/// Beside `path`, a name that nobody else uses.
std::string TemporaryNameFor(absl::string_view path);

}  // namespace machine::common

#endif  // SERVICES_COMMON_SSH_SFTP_H_
