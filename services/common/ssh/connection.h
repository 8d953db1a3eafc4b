// SshConnection on a Link: the callers' side.
#ifndef SERVICES_COMMON_SSH_CONNECTION_H_
#define SERVICES_COMMON_SSH_CONNECTION_H_

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "services/common/ssh/channel.h"
#include "services/common/ssh/link.h"
#include "services/common/ssh/reactor.h"
#include "services/common/ssh/sftp.h"
#include "services/common/ssh/ssh.h"

namespace machine::common {

class LinkedConnection final : public SshConnection,
                               public std::enable_shared_from_this<LinkedConnection> {
 public:
  LinkedConnection(std::shared_ptr<SshReactor> reactor, std::shared_ptr<Link> link);
  ~LinkedConnection() override;

  std::string host_key_sha256() const override { return link_->host_key_sha256(); }
  bool alive() const override { return link_->health().ok(); }
  int64_t commands_run() const override { return link_->commands_run(); }
  absl::StatusOr<CommandResult> Run(absl::string_view command, CommandOptions options) override;
  absl::Status Upload(absl::string_view path, mode_t mode, absl::string_view contents,
                      const CallLimits& limits) override;
  absl::StatusOr<std::string> Download(absl::string_view path, size_t max_bytes,
                                       const CallLimits& limits) override;
  absl::StatusOr<std::shared_ptr<SshSession>> OpenExec(const ExecSpec& spec,
                                                       SessionCallbacks callbacks) override;
  absl::StatusOr<std::shared_ptr<SshSession>> OpenTunnel(absl::string_view host, int port,
                                                         SessionCallbacks callbacks) override;

 private:
  absl::StatusOr<std::shared_ptr<SshSession>> Open(ChannelSpec spec, SessionCallbacks callbacks,
                                                   std::shared_ptr<SshConnection> keep_open);
  /// An idle sftp session or a new one; null when the server has no sftp.
  absl::StatusOr<std::unique_ptr<SftpClient>> TakeSftp(const CallLimits& limits);
  void ReturnSftp(std::unique_ptr<SftpClient> sftp);
  absl::Status UploadByCommand(absl::string_view path, mode_t mode, absl::string_view contents,
                               const CallLimits& limits);
  absl::StatusOr<std::string> DownloadByCommand(absl::string_view path, size_t max_bytes,
                                                const CallLimits& limits);

  const std::shared_ptr<SshReactor> reactor_;
  const std::shared_ptr<Link> link_;
  absl::Mutex mu_;
  std::unique_ptr<SftpClient> idle_sftp_ ABSL_GUARDED_BY(mu_);
  bool no_sftp_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace machine::common

#endif  // SERVICES_COMMON_SSH_CONNECTION_H_
