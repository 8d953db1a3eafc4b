#ifndef DRIVERS_HYPERVISOR_SSH_TOOL_HOST_H_
#define DRIVERS_HYPERVISOR_SSH_TOOL_HOST_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "drivers/hypervisor/tool_host.h"
#include "services/common/ssh/ssh.h"

namespace machine::driver::hypervisor {

/// What takes a command line apart on the other host.
enum class RemoteShell { kPosix, kWindows };

/// `argv` as one command line: words that need none are without quotes, so that simple ones mean
/// the same to every shell. For Windows by the rules of its C run-time; INVALID_ARGUMENT for what
/// cmd.exe would change in spite of quotes (`%`, `"`, line feeds).
absl::StatusOr<std::string> CommandLine(const std::vector<std::string>& argv, RemoteShell shell);

/// The account in "ssh://USER@HOST[:PORT]". INVALID_ARGUMENT when it is no such URL.
absl::StatusOr<common::SshTarget> ParseSshUrl(absl::string_view url);

/// Tools of another host, over one ssh connection that is kept and made anew when it is lost.
class SshToolHost final : public ToolHost {
 public:
  /// `loop` outlives it. Without a pinned key in `target`, the key of the first contact is trusted
  /// and kept for the life of this object.
  SshToolHost(common::SshLoop& loop, common::SshTarget target, RemoteShell shell);

  const std::string& name() const override { return name_; }
  absl::StatusOr<ToolOutput> Run(common::CallScope& call, const std::vector<std::string>& argv,
                                 const ToolInput& input) override;
  absl::Status WriteFile(common::CallScope& call, absl::string_view path, mode_t mode,
                         absl::string_view contents) override;
  absl::StatusOr<std::string> ReadFile(common::CallScope& call, absl::string_view path,
                                       size_t max_bytes) override;

  /// SHA-256 of the host's key; empty before the first contact.
  std::string host_key_sha256() const;

 private:
  absl::StatusOr<std::shared_ptr<common::SshConnection>> Connect(common::CallScope& call,
                                                                 const common::CallLimits& limits);

  common::SshLoop& loop_;
  const RemoteShell shell_;
  const std::string name_;
  mutable absl::Mutex mu_;
  common::SshTarget target_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<common::SshConnection> connection_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::driver::hypervisor

#endif  // DRIVERS_HYPERVISOR_SSH_TOOL_HOST_H_
