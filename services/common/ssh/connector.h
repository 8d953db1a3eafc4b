// From addresses to an authenticated session: TCP, key exchange, host key, user key or agent.
#ifndef SERVICES_COMMON_SSH_CONNECTOR_H_
#define SERVICES_COMMON_SSH_CONNECTOR_H_

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/common/process/unique_fd.h"
#include "services/common/ssh/libssh_session.h"
#include "services/common/ssh/reactor.h"
#include "services/common/ssh/tcp_dialer.h"

namespace machine::common {

/// SshTarget with its key read.
struct ConnectSpec {
  std::string host;
  int port = 22;
  std::string user;
  SshKeyPtr key;  ///< May be null when there is an agent.
  std::string key_label;
  std::string agent_socket;
  std::string pinned_host_key_sha256;
};

struct AuthenticatedSession {
  std::unique_ptr<LibsshSession> session;
  std::string host_key_sha256;
};

/// One try, as SshLoop::Connect() documents it. Lives on the reactor.
class Connector final : public Pollable, public std::enable_shared_from_this<Connector> {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<AuthenticatedSession>)>;

  /// @param deadline  steady time.
  /// @param done  called once, on the reactor's thread.
  Connector(SshReactor& reactor, ConnectSpec spec, std::vector<HostAddress> addresses,
            absl::Duration deadline, Done done);
  ~Connector() override;

  int fd() const override;
  short poll_events() const override;
  absl::Duration wake_at() const override;
  void Step(absl::Duration now) override;
  bool finished() const override { return state_ == State::kDone; }
  void Stop(const absl::Status& cause) override { Finish(cause); }

 private:
  enum class State { kDialing, kHandshake, kKey, kAgent, kDone };

  void Dial(absl::Duration now);
  void Handshake();
  absl::Status CheckHostKey();
  void Authenticate();
  void StartAgent();
  void AgentAnswered(int rc);
  void JudgeAuthentication(int rc);
  void CheckSilence(absl::Duration now);
  std::string WhatIsMissing() const;
  absl::Status Lost() const;
  absl::Status KeyRefused() const;
  void EndAgentThread();
  void Finish(absl::StatusOr<AuthenticatedSession> result);

  SshReactor& reactor_;
  ConnectSpec spec_;
  const std::string name_;  // "10.0.0.1:22"
  const absl::Duration deadline_;
  const absl::Duration started_at_;
  Done done_;
  State state_ = State::kDialing;
  TcpDialer dialer_;
  std::unique_ptr<LibsshSession> session_;
  std::string host_key_sha256_;
  absl::Duration heard_at_;
  uint64_t heard_bytes_ = 0;
  // While the agent's thread runs, the session is its own. These are duplicates of the sockets it
  // waits for: shutting them down ends its wait.
  std::thread agent_thread_;
  UniqueFd agent_fd_;
  UniqueFd session_fd_;
};

}  // namespace machine::common

#endif  // SERVICES_COMMON_SSH_CONNECTOR_H_
