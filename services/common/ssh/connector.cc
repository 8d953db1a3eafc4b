#include "services/common/ssh/connector.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/common/ssh/call_limits.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

absl::StatusOr<UniqueFd> ConnectToAgent(const std::string& path) {
  const auto failed = [&path](absl::string_view cause) {
    return InvalidField("agent_socket", absl::StrCat("the ssh agent at ", path, ": ", cause));
  };
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return failed(ErrnoText(ENAMETOOLONG));
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid() ||
      connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return failed(ErrnoText(errno));
  }
  return fd;
}

UniqueFd Duplicate(int fd) { return UniqueFd(fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

}  // namespace

Connector::Connector(SshReactor& reactor, ConnectSpec spec, std::vector<HostAddress> addresses,
                     absl::Duration deadline, Done done)
    : reactor_(reactor),
      spec_(std::move(spec)),
      name_(HostAndPort(spec_.host, spec_.port)),
      deadline_(deadline),
      started_at_(SteadyNow()),
      done_(std::move(done)),
      dialer_(std::move(addresses), name_, reactor.options().connect_timeout),
      heard_at_(started_at_) {}

Connector::~Connector() { EndAgentThread(); }

int Connector::fd() const {
  switch (state_) {
    case State::kDialing:
      return dialer_.fd();
    case State::kHandshake:
    case State::kKey:
      return ssh_get_fd(session_->get());
    case State::kAgent:
    case State::kDone:
      return -1;
  }
  return -1;
}

short Connector::poll_events() const {
  if (state_ == State::kDialing) return POLLOUT;
  if (fd() < 0) return 0;
  const bool writes = (ssh_get_poll_flags(session_->get()) & SSH_WRITE_PENDING) != 0;
  return static_cast<short>(POLLIN | (writes ? POLLOUT : 0));
}

absl::Duration Connector::wake_at() const {
  if (state_ == State::kDialing) return std::min(deadline_, dialer_.wake_at());
  if (state_ == State::kAgent) return deadline_;
  return std::min(deadline_, heard_at_ + reactor_.options().handshake_timeout);
}

void Connector::Step(absl::Duration now) {
  if (state_ == State::kDialing) Dial(now);
  if (state_ == State::kHandshake) Handshake();
  if (state_ == State::kKey) Authenticate();
  CheckSilence(now);
}

void Connector::Dial(absl::Duration now) {
  std::optional<absl::StatusOr<UniqueFd>> dialed = dialer_.Step(now);
  if (!dialed.has_value()) return;
  if (!dialed->ok()) return Finish(dialed->status());
  auto session = LibsshSession::Create(spec_.user);
  if (!session.ok()) return Finish(session.status());
  session_ = *std::move(session);
  heard_at_ = now;
  state_ = State::kHandshake;
  if (session_->Connect((*dialed)->release()) == SSH_ERROR) Finish(Lost());
}

void Connector::Handshake() {
  const int rc = ssh_connect(session_->get());
  if (rc == SSH_AGAIN) return;
  if (rc != SSH_OK) return Finish(Lost());
  if (absl::Status status = CheckHostKey(); !status.ok()) return Finish(std::move(status));
  state_ = State::kKey;
}

absl::Status Connector::CheckHostKey() {
  DM_ASSIGN_OR_RETURN(host_key_sha256_, session_->HostKeySha256());
  const std::string& pin = spec_.pinned_host_key_sha256;
  if (pin.empty() || pin == host_key_sha256_) return absl::OkStatus();
  return Error(
      absl::StatusCode::kPermissionDenied, machine::v1::ERROR_REASON_SSH_HOST_KEY_CHANGED,
      absl::StrCat("the host key of ", name_, " is SHA256:", host_key_sha256_, ", but SHA256:", pin,
                   " was expected: another host answers there, or it was reinstalled"),
      {{"expected", pin}, {"presented", host_key_sha256_}});
}

void Connector::Authenticate() {
  if (spec_.key == nullptr) return StartAgent();
  const int rc = ssh_userauth_publickey(session_->get(), nullptr, spec_.key.get());
  // libssh says "again" even when the server has just hung up.
  if (rc == SSH_AUTH_AGAIN && ssh_is_connected(session_->get()) != 0) return;
  if (rc == SSH_AUTH_DENIED && !spec_.agent_socket.empty()) return StartAgent();
  JudgeAuthentication(rc);
}

// libssh waits for the agent without a limit, so this one step has a thread of its own.
void Connector::StartAgent() {
  absl::StatusOr<UniqueFd> agent = ConnectToAgent(spec_.agent_socket);
  if (!agent.ok()) return Finish(agent.status());
  agent_fd_ = Duplicate(agent->get());
  session_fd_ = Duplicate(ssh_get_fd(session_->get()));
  ssh_set_agent_socket(session_->get(), agent->release());
  state_ = State::kAgent;
  heard_at_ = SteadyNow();
  agent_thread_ = std::thread([self = weak_from_this(), reactor = &reactor_,
                               session = session_->get(), fd = session_fd_.get()] {
    int rc = SSH_AUTH_AGAIN;
    while ((rc = ssh_userauth_agent(session, nullptr)) == SSH_AUTH_AGAIN) {
      if (ssh_is_connected(session) == 0) break;
      pollfd ready = {fd, POLLIN, 0};
      poll(&ready, 1, -1);
    }
    reactor->Post([self, rc] {
      if (const auto connector = self.lock()) connector->AgentAnswered(rc);
    });
  });
}

void Connector::AgentAnswered(int rc) {
  if (state_ != State::kAgent) return;
  agent_thread_.join();
  JudgeAuthentication(rc);
}

void Connector::JudgeAuthentication(int rc) {
  if (rc == SSH_AUTH_SUCCESS) {
    return Finish(AuthenticatedSession{std::move(session_), std::move(host_key_sha256_)});
  }
  // A server that has had enough of an agent's keys hangs up instead of refusing the last one.
  if (rc == SSH_AUTH_DENIED || rc == SSH_AUTH_PARTIAL ||
      absl::StrContains(session_->error(), "Too many authentication failures")) {
    return Finish(KeyRefused());
  }
  Finish(Lost());
}

void Connector::CheckSilence(absl::Duration now) {
  if (state_ == State::kDone) return;
  bool silent = false;
  // The agent's thread has the session, and a user may have to confirm there: only the deadline
  // counts then.
  if (state_ == State::kHandshake || state_ == State::kKey) {
    if (session_->bytes_in() != heard_bytes_) {
      heard_bytes_ = session_->bytes_in();
      heard_at_ = now;
    }
    silent = now >= heard_at_ + reactor_.options().handshake_timeout;
  }
  if (now < deadline_ && !silent) return;
  Finish(Unreachable(absl::StrCat("connecting to ", name_, ": ", WhatIsMissing(), " within ",
                                  SecondsText(now - (silent ? heard_at_ : started_at_)))));
}

std::string Connector::WhatIsMissing() const {
  switch (state_) {
    case State::kDialing:
      return "no TCP connection";
    case State::kHandshake:
      if (heard_bytes_ == 0) return "the connection was accepted, but no SSH server answered";
      if (ssh_get_serverbanner(session_->get()) == nullptr) return "no SSH server answered there";
      return "no end of the key exchange";
    case State::kKey:
      return absl::StrCat("no answer to the authentication as ", spec_.user);
    case State::kAgent:
    case State::kDone:
      return absl::StrCat("no answer of the ssh agent at ", spec_.agent_socket, " and the host");
  }
  return "";
}

absl::Status Connector::Lost() const {
  if (session_->bytes_in() > 0 && ssh_get_serverbanner(session_->get()) == nullptr) {
    return Unreachable(absl::StrCat(
        "connecting to ", name_, ": what answers there is not an SSH server: ", session_->error()));
  }
  return Unreachable(absl::StrCat("connecting to ", name_, ": ", session_->error()));
}

absl::Status Connector::KeyRefused() const {
  std::string keys;
  if (spec_.key != nullptr) {
    keys = spec_.key_label.empty() ? "the given key" : absl::StrCat("the key ", spec_.key_label);
  }
  if (!spec_.agent_socket.empty()) {
    absl::StrAppend(&keys, keys.empty() ? "" : " and ", "the keys of the ssh agent at ",
                    spec_.agent_socket);
    if (spec_.key == nullptr && !spec_.key_label.empty()) {
      absl::StrAppend(&keys, " (", spec_.key_label, ")");
    }
  }
  return Error(absl::StatusCode::kUnauthenticated, machine::v1::ERROR_REASON_SSH_KEY_REFUSED,
               absl::StrCat(name_, " refused ", keys, " for user ", spec_.user),
               {{"key", spec_.key_label}, {"user", spec_.user}, {"host", spec_.host}});
}

void Connector::EndAgentThread() {
  if (!agent_thread_.joinable()) return;
  shutdown(agent_fd_.get(), SHUT_RDWR);
  shutdown(session_fd_.get(), SHUT_RDWR);
  agent_thread_.join();
}

void Connector::Finish(absl::StatusOr<AuthenticatedSession> result) {
  if (state_ == State::kDone) return;
  EndAgentThread();
  state_ = State::kDone;
  session_.reset();
  std::exchange(done_, nullptr)(std::move(result));
}

}  // namespace machine::common
