#include "services/common/ssh/channel.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/common/ssh/call_limits.h"
#include "services/common/ssh/tcp_dialer.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

// Given to libssh at once: one packet of the size that servers accept.
constexpr size_t kMaxWriteBytes = 32 << 10;

// What a shell's $? says of a signal; 255 for one that POSIX does not number.
int ExitCodeOfSignal(absl::string_view name) {
  static constexpr struct {
    absl::string_view name;
    int number;
  } kSignals[] = {{"HUP", 1},   {"INT", 2},   {"QUIT", 3},  {"ILL", 4},   {"ABRT", 6},
                  {"FPE", 8},   {"KILL", 9},  {"USR1", 10}, {"SEGV", 11}, {"USR2", 12},
                  {"PIPE", 13}, {"ALRM", 14}, {"TERM", 15}};
  for (const auto& signal : kSignals) {
    if (signal.name == name) return 128 + signal.number;
  }
  return 255;
}

}  // namespace

SshChannel::SshChannel(ChannelSpec spec, SessionCallbacks callbacks)
    : spec_(std::move(spec)), callbacks_(std::move(callbacks)), next_env_(spec_.env.begin()) {
  hooks_.userdata = this;
  hooks_.channel_data_function = &SshChannel::OnData;
  hooks_.channel_eof_function = &SshChannel::OnEof;
  hooks_.channel_close_function = &SshChannel::OnClose;
  hooks_.channel_exit_status_function = &SshChannel::OnExitStatus;
  hooks_.channel_exit_signal_function = &SshChannel::OnExitSignal;
  ssh_callbacks_init(&hooks_);
}

SshChannel::~SshChannel() { ReleaseChannel(); }

bool SshChannel::starting() const {
  return state_ == State::kOpening || state_ == State::kEnv || state_ == State::kPty ||
         state_ == State::kStart;
}

void SshChannel::Open(ssh_session session, absl::Duration now) {
  session_ = session;
  opened_at_ = now;
  channel_ = ssh_channel_new(session);
  ssh_add_channel_callbacks(channel_, &hooks_);
  state_ = State::kOpening;
}

void SshChannel::Step() {
  while (StepOnce()) {
  }
}

bool SshChannel::StepOnce() {
  switch (state_) {
    case State::kOpening:
      return OpenStep();
    case State::kEnv:
      return EnvStep();
    case State::kPty:
      return PtyStep();
    case State::kStart:
      return StartStep();
    case State::kRunning:
      SendWaiting();
      DeliverUnread();
      return EndWhenClosed();
    case State::kClosing:
      return EndWhenClosed();
    case State::kIdle:
    case State::kDenied:
    case State::kDone:
      return false;
  }
  return false;
}

bool SshChannel::OpenStep() {
  const int rc = spec_.is_tunnel() ? ssh_channel_open_forward(channel_, spec_.what.c_str(),
                                                              spec_.port, "127.0.0.1", 0)
                                   : ssh_channel_open_session(channel_);
  if (rc == SSH_AGAIN) return false;
  if (rc != SSH_OK) {
    denial_ = ssh_get_error(session_);
    ReleaseChannel();
    state_ = abandoned_ ? State::kDone : State::kDenied;
    return false;
  }
  if (abandoned_) {
    Hangup();
    return true;
  }
  if (spec_.is_tunnel()) {
    Started();
  } else {
    state_ = State::kEnv;
  }
  return true;
}

bool SshChannel::EnvStep() {
  if (next_env_ != spec_.env.end()) {
    const auto& [name, value] = *next_env_;
    // A name that the server does not accept is left out, as ssh does.
    if (ssh_channel_request_env(channel_, name.c_str(), value.c_str()) == SSH_AGAIN) return false;
    ++next_env_;
  }
  if (next_env_ == spec_.env.end()) state_ = spec_.pty.has_value() ? State::kPty : State::kStart;
  return true;
}

bool SshChannel::PtyStep() {
  const int rc = ssh_channel_request_pty_size(channel_, spec_.pty->term.c_str(), spec_.pty->columns,
                                              spec_.pty->rows);
  if (rc == SSH_AGAIN) return false;
  if (rc != SSH_OK) return Refuse("a terminal");
  state_ = State::kStart;
  return true;
}

bool SshChannel::StartStep() {
  int rc = SSH_ERROR;
  if (spec_.kind == ChannelSpec::Kind::kShell) {
    rc = ssh_channel_request_shell(channel_);
  } else if (spec_.kind == ChannelSpec::Kind::kSubsystem) {
    rc = ssh_channel_request_subsystem(channel_, spec_.what.c_str());
  } else {
    rc = ssh_channel_request_exec(channel_, spec_.what.c_str());
  }
  if (rc == SSH_AGAIN) return false;
  if (rc != SSH_OK) {
    return Refuse(spec_.kind == ChannelSpec::Kind::kSubsystem ? spec_.what : "to run a command");
  }
  Started();
  return true;
}

bool SshChannel::Refuse(absl::string_view what) {
  // A lost connection shows here too; its owner then fails every channel with that cause.
  if (ssh_is_connected(session_) == 0) return false;
  const absl::Status status =
      Error(absl::StatusCode::kUnimplemented, machine::v1::ERROR_REASON_CAPABILITY_MISSING,
            absl::StrCat("the SSH server refused ", what));
  if (!muted_ && callbacks_.on_error) callbacks_.on_error(status);
  Hangup();
  return true;
}

void SshChannel::Started() {
  if (abandoned_) return Hangup();
  state_ = State::kRunning;
  if (!muted_ && callbacks_.on_started) callbacks_.on_started();
}

void SshChannel::Write(std::string bytes) {
  if (!bytes.empty() && !eof_wanted_) waiting_.push_back(std::move(bytes));
}

void SshChannel::SendEof() { eof_wanted_ = true; }

void SshChannel::Resize(int columns, int rows) { new_size_ = PtySpec{"", columns, rows}; }

void SshChannel::Signal(const std::string& name) { new_signals_.push_back(name); }

void SshChannel::SendWaiting() {
  if (far_closed_) return waiting_.clear();
  if (new_size_.has_value()) {
    ssh_channel_change_pty_size(channel_, new_size_->columns, new_size_->rows);
    new_size_.reset();
  }
  for (const std::string& name : std::exchange(new_signals_, {})) {
    ssh_channel_request_send_signal(channel_, name.c_str());
  }
  size_t sent = 0;
  while (!waiting_.empty()) {
    const std::string& front = waiting_.front();
    const size_t window = ssh_channel_window_size(channel_);
    const size_t count = std::min({front.size() - front_offset_, window, kMaxWriteBytes});
    if (count == 0) break;
    const int written =
        ssh_channel_write(channel_, front.data() + front_offset_, static_cast<uint32_t>(count));
    if (written <= 0) break;  // A key exchange is under way, or the far side is closing.
    sent += static_cast<size_t>(written);
    front_offset_ += static_cast<size_t>(written);
    if (front_offset_ == front.size()) {
      waiting_.pop_front();
      front_offset_ = 0;
    }
  }
  if (sent > 0 && !muted_ && callbacks_.on_written) callbacks_.on_written(sent);
  if (eof_wanted_ && waiting_.empty()) ssh_channel_send_eof(channel_);
}

size_t SshChannel::Take(absl::string_view bytes, bool is_stderr) {
  if (paused_ && !abandoned_) {
    unread_[is_stderr] = static_cast<uint32_t>(bytes.size());
    return 0;
  }
  unread_[is_stderr] = 0;
  auto& callback = is_stderr ? callbacks_.on_stderr : callbacks_.on_stdout;
  if (!muted_ && callback) callback(bytes);
  return bytes.size();
}

void SshChannel::DeliverUnread() {
  for (const bool is_stderr : {false, true}) {
    if (paused_ || unread_[is_stderr] == 0) continue;
    std::vector<char> bytes(std::exchange(unread_[is_stderr], 0));
    const int count = ssh_channel_read_nonblocking(channel_, bytes.data(),
                                                   static_cast<uint32_t>(bytes.size()), is_stderr);
    if (count > 0) Take({bytes.data(), static_cast<size_t>(count)}, is_stderr);
  }
  const bool all_read = unread_[0] == 0 && unread_[1] == 0;
  if (far_eof_ && all_read && !std::exchange(far_eof_told_, true)) {
    if (!muted_ && callbacks_.on_eof) callbacks_.on_eof();
  }
}

bool SshChannel::EndWhenClosed() {
  if (!far_closed_) return false;
  if (state_ == State::kRunning) {
    if (unread_[0] != 0 || unread_[1] != 0) return false;
    Exit();
  }
  ReleaseChannel();
  callbacks_ = {};
  state_ = State::kDone;
  return false;
}

void SshChannel::Exit() {
  if (muted_) return;
  if (!exit_code_.has_value() && spec_.is_tunnel()) exit_code_ = 0;
  if (exit_code_.has_value()) {
    if (callbacks_.on_exit) callbacks_.on_exit(*exit_code_, exit_signal_);
  } else if (callbacks_.on_error) {
    callbacks_.on_error(Unreachable("the host closed the session without an exit code"));
  }
}

void SshChannel::Abandon() {
  abandoned_ = true;
  muted_ = true;
  switch (state_) {
    case State::kIdle:
    case State::kDenied:
      callbacks_ = {};
      state_ = State::kDone;
      return;
    case State::kOpening:  // Can be closed only once it is open.
      callbacks_ = {};
      return;
    case State::kEnv:
    case State::kPty:
    case State::kStart:
      return Hangup();
    case State::kRunning:
      SendWaiting();  // A signal that was asked for before.
      return Hangup();
    case State::kClosing:
    case State::kDone:
      return;
  }
}

void SshChannel::Hangup() {
  callbacks_ = {};
  waiting_.clear();
  ssh_channel_close(channel_);
  state_ = State::kClosing;
}

void SshChannel::GiveUp(const absl::Status& status) {
  if (!muted_ && callbacks_.on_error) callbacks_.on_error(status);
  Abandon();
}

void SshChannel::Fail(const absl::Status& status) {
  if (state_ == State::kDone) return;
  if (!muted_ && state_ != State::kClosing && callbacks_.on_error) callbacks_.on_error(status);
  callbacks_ = {};
  ReleaseChannel();
  state_ = State::kDone;
}

void SshChannel::ReleaseChannel() {
  if (channel_ == nullptr) return;
  // libssh may keep the channel until the far side has closed it too.
  ssh_remove_channel_callbacks(channel_, &hooks_);
  ssh_channel_free(std::exchange(channel_, nullptr));
}

int SshChannel::OnData(ssh_session, ssh_channel, void* data, uint32_t length, int is_stderr,
                       void* self) {
  return static_cast<int>(static_cast<SshChannel*>(self)->Take(
      {static_cast<const char*>(data), length}, is_stderr != 0));
}

void SshChannel::OnEof(ssh_session, ssh_channel, void* self) {
  static_cast<SshChannel*>(self)->far_eof_ = true;
}

void SshChannel::OnClose(ssh_session, ssh_channel, void* self) {
  static_cast<SshChannel*>(self)->far_closed_ = true;
}

void SshChannel::OnExitStatus(ssh_session, ssh_channel, int code, void* self) {
  static_cast<SshChannel*>(self)->exit_code_ = code;
}

void SshChannel::OnExitSignal(ssh_session, ssh_channel, const char* signal, int /*core*/,
                              const char* /*message*/, const char* /*language*/, void* self) {
  auto* channel = static_cast<SshChannel*>(self);
  channel->exit_signal_ = signal;
  channel->exit_code_ = ExitCodeOfSignal(signal);
}

}  // namespace machine::common
