// One command, shell, subsystem or tunnel on a connection: the loop's side of an SshSession.
#ifndef SERVICES_COMMON_SSH_CHANNEL_H_
#define SERVICES_COMMON_SSH_CHANNEL_H_

#include <libssh/callbacks.h>
#include <libssh/libssh.h>

#include <atomic>
#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/common/ssh/ssh.h"

namespace machine::common {

struct ChannelSpec {
  enum class Kind { kExec, kShell, kSubsystem, kTunnel };

  Kind kind = Kind::kExec;
  std::string what;  ///< Command, subsystem, or the tunnel's host.
  int port = 0;      ///< Of the tunnel.
  std::optional<PtySpec> pty;
  std::map<std::string, std::string> env;

  bool is_tunnel() const { return kind == Kind::kTunnel; }
};

/// All methods are for the loop's thread, except Mute() and SetPaused().
class SshChannel final {
 public:
  SshChannel(ChannelSpec spec, SessionCallbacks callbacks);
  ~SshChannel();

  SshChannel(const SshChannel&) = delete;
  SshChannel& operator=(const SshChannel&) = delete;

  const ChannelSpec& spec() const { return spec_; }

  /// No callback starts after this. Thread-safe.
  void Mute() { muted_ = true; }

  /// Whether output stays in libssh's buffers. Thread-safe; to go on, it needs a Step() afterwards.
  void SetPaused(bool paused) { paused_ = paused; }

  /// Begins to open it on an authenticated session.
  void Open(ssh_session session, absl::Duration now);
  /// Goes as far as it can without blocking.
  void Step();

  bool opening() const { return state_ == State::kOpening; }
  /// The server has not yet answered all that starting it takes.
  bool starting() const;
  /// When Open() was called.
  absl::Duration opened_at() const { return opened_at_; }
  /// The server refused to open it; reason in denial(). Open() may be tried again later.
  bool denied() const { return state_ == State::kDenied; }
  const std::string& denial() const { return denial_; }
  /// Nothing is left to do on either side.
  bool done() const { return state_ == State::kDone; }
  /// Its owner no longer wants it.
  bool abandoned() const { return abandoned_; }

  void Write(std::string bytes);
  void SendEof();
  void Resize(int columns, int rows);
  void Signal(const std::string& name);
  /// Ends it without further callbacks.
  void Abandon();

  /// Ends it with on_error; whatever the server still answers is taken well.
  void GiveUp(const absl::Status& status);

  /// Ends it with on_error. The session may be dead.
  void Fail(const absl::Status& status);

 private:
  enum class State { kIdle, kOpening, kDenied, kEnv, kPty, kStart, kRunning, kClosing, kDone };

  bool StepOnce();
  bool OpenStep();
  bool EnvStep();
  bool PtyStep();
  bool StartStep();
  bool Refuse(absl::string_view what);
  void Started();
  void SendWaiting();
  void DeliverUnread();
  bool EndWhenClosed();
  void Exit();
  void Hangup();
  void ReleaseChannel();
  size_t Take(absl::string_view bytes, bool is_stderr);

  static int OnData(ssh_session, ssh_channel, void* data, uint32_t length, int is_stderr,
                    void* self);
  static void OnEof(ssh_session, ssh_channel, void* self);
  static void OnClose(ssh_session, ssh_channel, void* self);
  static void OnExitStatus(ssh_session, ssh_channel, int code, void* self);
  static void OnExitSignal(ssh_session, ssh_channel, const char* signal, int core,
                           const char* message, const char* language, void* self);

  const ChannelSpec spec_;
  SessionCallbacks callbacks_;
  ssh_channel_callbacks_struct hooks_ = {};
  ssh_session session_ = nullptr;
  ssh_channel channel_ = nullptr;
  State state_ = State::kIdle;
  absl::Duration opened_at_ = absl::ZeroDuration();
  std::map<std::string, std::string>::const_iterator next_env_;
  std::string denial_;
  std::atomic<bool> muted_{false};
  bool abandoned_ = false;
  std::atomic<bool> paused_{false};
  std::deque<std::string> waiting_;  // Written, not yet taken by libssh.
  size_t front_offset_ = 0;
  bool eof_wanted_ = false;
  std::optional<PtySpec> new_size_;
  std::deque<std::string> new_signals_;
  uint32_t unread_[2] = {0, 0};  // In libssh's buffers: standard output, standard error.
  bool far_eof_ = false;
  bool far_eof_told_ = false;
  bool far_closed_ = false;
  std::optional<int> exit_code_;
  std::string exit_signal_;
};

}  // namespace machine::common

#endif  // SERVICES_COMMON_SSH_CHANNEL_H_
