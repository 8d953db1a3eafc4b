// One authenticated connection on the loop: its channels, keep-alives and end.
#ifndef SERVICES_COMMON_SSH_LINK_H_
#define SERVICES_COMMON_SSH_LINK_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "services/common/ssh/channel.h"
#include "services/common/ssh/connector.h"
#include "services/common/ssh/reactor.h"

namespace machine::common {

class Link final : public Pollable {
 public:
  /// @param name  "10.0.0.1:22", for messages.
  Link(SshReactor& reactor, AuthenticatedSession session, std::string name);
  ~Link() override;

  // From any thread.
  const std::string& host_key_sha256() const { return host_key_sha256_; }
  int64_t commands_run() const { return commands_run_; }
  /// OK while the connection lives, then why it ended.
  absl::Status health() const;

  // On the loop's thread.
  void Open(std::shared_ptr<SshChannel> channel);
  /// Something about its channels changed: step at the next occasion.
  void Wake() { wake_at_ = absl::ZeroDuration(); }
  void Close(const absl::Status& cause);

  int fd() const override;
  short poll_events() const override;
  absl::Duration wake_at() const override { return wake_at_; }
  void Step(absl::Duration now) override;
  bool finished() const override { return session_ == nullptr; }
  void Stop(const absl::Status& cause) override { Close(cause); }

 private:
  struct Member {
    std::shared_ptr<SshChannel> channel;
    /// Whether the server has been asked to open it.
    bool asked = false;
    /// Sessions that had ended when it was asked.
    uint64_t ended_before = 0;
    /// The server may not have freed the place of one of those before it came to this question.
    bool may_be_early = false;
  };

  void StepChannels(absl::Duration now);
  void StepMember(Member& member);
  void OpenWaiting(absl::Duration now);
  void JudgeDenial(const Member& member);
  void CheckStarts(absl::Duration now);
  void KeepAlive(absl::Duration now);
  size_t OpenSessions() const;

  SshReactor& reactor_;
  const std::string name_;
  const std::string host_key_sha256_;
  std::unique_ptr<LibsshSession> session_;
  std::vector<std::shared_ptr<SshChannel>> waiting_;  // For the server's limit on sessions.
  std::vector<Member> channels_;
  size_t max_sessions_;
  uint64_t ended_sessions_ = 0;
  uint64_t freed_sessions_ = 0;  // Of those, how many the server has surely freed the place of.
  absl::Duration wake_at_ = absl::ZeroDuration();
  absl::Duration heard_at_;
  absl::Duration asked_at_;
  bool asked_ = false;
  uint64_t heard_bytes_ = 0;
  std::atomic<int64_t> commands_run_{0};
  mutable absl::Mutex mu_;
  absl::Status health_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::common

#endif  // SERVICES_COMMON_SSH_LINK_H_
