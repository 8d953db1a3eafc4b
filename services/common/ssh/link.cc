#include "services/common/ssh/link.h"

#include <libssh/server.h>
#include <poll.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/ssh/call_limits.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

// sshd's default MaxSessions. A server that allows fewer says so by refusing.
constexpr size_t kMaxSessions = 10;

}  // namespace

Link::Link(SshReactor& reactor, AuthenticatedSession session, std::string name)
    : reactor_(reactor),
      name_(std::move(name)),
      host_key_sha256_(std::move(session.host_key_sha256)),
      session_(std::move(session.session)),
      max_sessions_(kMaxSessions),
      heard_at_(SteadyNow()),
      asked_at_(heard_at_) {
  ++reactor_.connections_opened;
  ++reactor_.connections_open;
}

Link::~Link() = default;

absl::Status Link::health() const {
  absl::MutexLock lock(&mu_);
  return health_;
}

int Link::fd() const { return session_ == nullptr ? -1 : ssh_get_fd(session_->get()); }

short Link::poll_events() const {
  if (session_ == nullptr) return 0;
  const bool writes = (ssh_get_poll_flags(session_->get()) & SSH_WRITE_PENDING) != 0;
  return static_cast<short>(POLLIN | (writes ? POLLOUT : 0));
}

void Link::Open(std::shared_ptr<SshChannel> channel) {
  if (session_ == nullptr) return channel->Fail(health());
  if (!channel->spec().is_tunnel()) ++commands_run_;
  waiting_.push_back(std::move(channel));
  Wake();
}

void Link::Step(absl::Duration now) {
  if (session_ == nullptr) return;
  wake_at_ = absl::InfiniteDuration();
  const bool alive = session_->Pump();
  const uint64_t pumped_bytes = session_->bytes_in();
  StepChannels(now);
  if (!alive || ssh_is_connected(session_->get()) == 0) {
    return Close(Unreachable(
        absl::StrCat("the SSH connection to ", name_, " was lost: ", session_->error())));
  }
  if (session_->bytes_in() != heard_bytes_) {
    heard_bytes_ = session_->bytes_in();
    heard_at_ = now;
  }
  CheckStarts(now);
  KeepAlive(now);
  // Calls for one channel may have handled packets for another that has had its turn already, and
  // the socket will not say so again.
  if (session_ != nullptr && session_->bytes_in() != pumped_bytes) Wake();
}

void Link::StepChannels(absl::Duration now) {
  size_t ended = 0;
  do {
    OpenWaiting(now);
    for (Member& member : channels_) StepMember(member);
    for (const Member& member : channels_) {
      if (member.channel->denied()) waiting_.insert(waiting_.begin(), member.channel);
    }
    std::erase_if(channels_, [](const Member& member) { return member.channel->denied(); });
    ended = std::erase_if(channels_, [](const Member& member) { return member.channel->done(); });
  } while (ended > 0 && !waiting_.empty());
}

void Link::StepMember(Member& member) {
  SshChannel& channel = *member.channel;
  const bool was_opening = channel.opening();
  if (was_opening && !std::exchange(member.asked, true)) {
    member.ended_before = ended_sessions_;
    member.may_be_early = ended_sessions_ > freed_sessions_;
  }
  channel.Step();
  if (was_opening && !channel.opening()) {
    freed_sessions_ = std::max(freed_sessions_, member.ended_before);
  }
  if (channel.denied()) JudgeDenial(member);
  if (channel.done() && !channel.spec().is_tunnel()) ++ended_sessions_;
}

void Link::OpenWaiting(absl::Duration now) {
  std::erase_if(waiting_, [](const auto& channel) { return channel->done(); });
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (!(*it)->spec().is_tunnel()) {
      if (OpenSessions() >= max_sessions_) {
        ++it;
        continue;
      }
    }
    (*it)->Open(session_->get(), now);
    channels_.push_back({.channel = std::move(*it)});
    it = waiting_.erase(it);
  }
}

size_t Link::OpenSessions() const {
  return static_cast<size_t>(
      std::count_if(channels_.begin(), channels_.end(), [](const Member& member) {
        const SshChannel& channel = *member.channel;
        return !channel.spec().is_tunnel() && !channel.done() && !channel.denied();
      }));
}

// A refused session waits for another to end where there is one; else it fails.
void Link::JudgeDenial(const Member& member) {
  if (ssh_is_connected(session_->get()) == 0) return;
  SshChannel& channel = *member.channel;
  if (channel.spec().is_tunnel()) {
    return channel.Fail(Unreachable(absl::StrCat(
        "opening a tunnel from ", name_, " to ",
        HostAndPort(channel.spec().what, channel.spec().port), ": ", channel.denial())));
  }
  // OpenSSH handles all packets that it has received before it frees the places of the sessions
  // that those have closed, and answers after that: asked again, it may say yes. Each such refusal
  // needs a session that has ended, so this comes to an end.
  if (member.may_be_early) return Wake();
  const size_t others = OpenSessions();
  if (others == 0) {
    return channel.Fail(Unreachable(
        absl::StrCat("the SSH server ", name_, " opens no session: ", channel.denial())));
  }
  max_sessions_ = std::max<size_t>(1, others);
}

// A host that answers nothing at all will not start anything either. Only what was to be started is
// given up: what runs may take its time until dead_after.
void Link::CheckStarts(absl::Duration now) {
  const absl::Duration timeout = reactor_.options().handshake_timeout;
  for (const Member& member : channels_) {
    SshChannel* const channel = member.channel.get();
    if (!channel->starting() || channel->abandoned()) continue;
    const absl::Duration limit = std::max(heard_at_, channel->opened_at()) + timeout;
    if (now < limit) {
      wake_at_ = std::min(wake_at_, limit);
    } else {
      channel->GiveUp(Unreachable(
          absl::StrCat("starting a command on ", name_, ": no answer for ", SecondsText(timeout))));
    }
  }
}

void Link::KeepAlive(absl::Duration now) {
  const SshLoopOptions& options = reactor_.options();
  if (now >= std::max(heard_at_, asked_at_) + options.keepalive_interval) {
    // Silence counts only after a question: this process itself may have been stopped meanwhile.
    if (asked_at_ > heard_at_ && now >= heard_at_ + options.dead_after) {
      return Close(
          Unreachable(absl::StrCat("the SSH connection to ", name_, " was lost: no answer for ",
                                   SecondsText(options.dead_after))));
    }
    // libssh sends no second request before a call has taken the answer to the first.
    if (std::exchange(asked_, true)) ssh_send_keepalive(session_->get());
    ssh_send_keepalive(session_->get());
    asked_at_ = now;
  }
  wake_at_ = std::min(wake_at_, std::max(heard_at_, asked_at_) + options.keepalive_interval);
}

void Link::Close(const absl::Status& cause) {
  if (session_ == nullptr) return;
  {
    absl::MutexLock lock(&mu_);
    health_ = cause;
  }
  --reactor_.connections_open;  // Before anybody is told of the end.
  std::vector<std::shared_ptr<SshChannel>> channels = std::exchange(waiting_, {});
  for (Member& member : std::exchange(channels_, {})) channels.push_back(std::move(member.channel));
  for (const auto& channel : channels) channel->Fail(cause);
  session_.reset();
}

}  // namespace machine::common
