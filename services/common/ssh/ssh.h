// SSH to machines: commands, files, interactive sessions and tunnels over libssh.
//
//   SshLoop loop;
//   DM_ASSIGN_OR_RETURN(auto ssh, loop.Connect(target, {.deadline = absl::Now() + kLimit}));
//   DM_ASSIGN_OR_RETURN(const CommandResult result, ssh->Run("cat /etc/os-release"));
//
// Every libssh object belongs to the one thread of its SshLoop; callers are ordinary threads that
// wait for a result, or callbacks of a streaming session. The user's ssh configuration and
// known_hosts files are never read: what counts is in SshTarget.
#ifndef SERVICES_COMMON_SSH_SSH_H_
#define SERVICES_COMMON_SSH_SSH_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace machine::common {

/// `text` as one word of a POSIX shell.
std::string ShellQuote(absl::string_view text);

/// Which account on which host, and what proves who both sides are.
struct SshTarget {
  std::string host;  ///< Name or address, IPv6 without brackets. Required.
  int port = 22;
  std::string user;  ///< Login name. Required.
  /// Private key without passphrase, OpenSSH or PEM: ed25519, RSA or ECDSA. May be empty when
  /// there is an agent; with both, the key is tried first.
  std::string private_key;
  std::string agent_socket;  ///< Socket of an ssh agent; empty for none.
  std::string key_label;     ///< How messages name the key, for example its path.
  /// SHA-256 of the host's key, base64 without padding ("SHA256:" before it is allowed). Empty
  /// trusts the first key seen: read it back with host_key_sha256() and pin it.
  std::string host_key_sha256;
};

/// How long a blocking call may take, and whether it is still wanted.
struct CallLimits {
  /// By the wall clock.
  absl::Time deadline = absl::InfiniteFuture();
  /// Asked about every 50 ms by the calling thread; true ends the call with CANCELLED.
  std::function<bool()> cancelled;
};

struct CommandOptions {
  std::string stdin_data;  ///< All of standard input; the command sees its end after it.
  /// Exported before the command. Not for secrets: it shows in the host's process list.
  std::map<std::string, std::string> env;
  CallLimits limits;
  /// Kept of standard output and of standard error, each; what is beyond is dropped.
  size_t max_output_bytes = 16 << 20;
  /// Each line of standard output as it arrives, without its end, on the calling thread.
  std::function<void(absl::string_view line)> on_stdout_line;
};

/// How a command ended.
struct CommandResult {
  int exit_code = 0;   ///< 128 + n for a known signal n, as a shell says it.
  std::string signal;  ///< "KILL", "TERM"… when a signal ended it, else empty.
  std::string stdout_data;
  std::string stderr_data;
  bool truncated = false;  ///< Output beyond max_output_bytes was dropped.

  bool ok() const { return exit_code == 0 && signal.empty(); }
};

/// What happens on a streaming session or tunnel. Called on the loop's thread, one at a time, and
/// must not block. Any may be empty. Exactly one of on_exit and on_error comes, last, unless
/// Close() came before. All are destroyed, on the loop's thread, when the session is over.
struct SessionCallbacks {
  /// The command, shell or tunnel has been started.
  absl::AnyInvocable<void()> on_started;
  absl::AnyInvocable<void(absl::string_view bytes)> on_stdout;
  absl::AnyInvocable<void(absl::string_view bytes)> on_stderr;
  /// The far side will send no more; a tunnel may answer with SendEof().
  absl::AnyInvocable<void()> on_eof;
  /// `bytes` more of what was given to Write() have left its buffer.
  absl::AnyInvocable<void(size_t bytes)> on_written;
  /// The command ended; for a tunnel, the far side closed (code 0). As in CommandResult.
  absl::AnyInvocable<void(int exit_code, absl::string_view signal)> on_exit;
  /// It could not be started, or the connection was lost.
  absl::AnyInvocable<void(const absl::Status& status)> on_error;
};

/// A terminal for an interactive session.
struct PtySpec {
  std::string term = "xterm";
  int columns = 80;
  int rows = 24;
};

struct ExecSpec {
  std::string command;  ///< Empty for the login shell.
  std::optional<PtySpec> pty;
  /// Asked of the server, which takes only the names its AcceptEnv lists, as with ssh.
  std::map<std::string, std::string> env;
};

/// A running command, shell or tunnel. Thread-safe; no method blocks, and all may be called from
/// callbacks. Dropping the last reference is Close(). Keeps its connection open.
class SshSession {
 public:
  virtual ~SshSession() = default;

  /// Sends bytes to standard input or through the tunnel, in order. The buffer is unbounded: a
  /// writer that can be faster than the host waits for on_written().
  virtual void Write(absl::string_view bytes) = 0;
  /// No more will be written.
  virtual void SendEof() = 0;
  /// New size of the terminal, in characters.
  virtual void Resize(int columns, int rows) = 0;
  /// Signal for the command, without "SIG": "INT", "TERM". The server may ignore it.
  virtual void Signal(absl::string_view name) = 0;
  /// Stops on_stdout and on_stderr until ResumeReading(); the host's sender is held back. The end
  /// of the session is reported after everything was read.
  virtual void PauseReading() = 0;
  virtual void ResumeReading() = 0;
  /// Ends it. A callback that is running finishes; none starts afterwards.
  virtual void Close() = 0;
};

/// One authenticated connection that carries any number of commands at once (those beyond what
/// the server allows wait for their turn). Thread-safe. It is closed when the last reference to it
/// and to its sessions is gone. A lost connection stays lost: every call then returns UNAVAILABLE
/// SSH_UNREACHABLE with the cause; connect anew.
class SshConnection {
 public:
  virtual ~SshConnection() = default;

  /// Of the server's host key: SHA-256, base64 without padding, as `ssh-keygen -l` prints it after
  /// "SHA256:".
  virtual std::string host_key_sha256() const = 0;
  /// False once the connection is known to be lost.
  virtual bool alive() const = 0;
  /// Commands, shells and subsystems started so far; tunnels are not counted.
  virtual int64_t commands_run() const = 0;

  /// Runs `command` in the user's login shell. OK whatever the exit code. Otherwise UNAVAILABLE
  /// SSH_UNREACHABLE (connection lost, the command may or may not have run), DEADLINE_EXCEEDED
  /// STEP_TIMEOUT or CANCELLED. The command then loses its input and output and is sent SIGTERM,
  /// which sshd does since OpenSSH 7.9 and not for root: one that writes nothing may go on.
  virtual absl::StatusOr<CommandResult> Run(absl::string_view command,
                                            CommandOptions options = {}) = 0;

  /// Writes a file as the login user (a relative path is below the home folder): beside it first,
  /// then renamed over it, so that a reader sees the old file or the new one, never with more
  /// permissions than `mode`. Its folder must exist. By sftp, or by a command where the server has
  /// no sftp. PERMISSION_DENIED, NOT_FOUND (no such folder) or INTERNAL with the server's words, or
  /// as Run().
  virtual absl::Status Upload(absl::string_view path, mode_t mode, absl::string_view contents,
                              const CallLimits& limits = {}) = 0;

  /// Reads a file of at most `max_bytes`. NOT_FOUND, PERMISSION_DENIED, RESOURCE_EXHAUSTED (larger
  /// than that), or as Run().
  virtual absl::StatusOr<std::string> Download(absl::string_view path, size_t max_bytes,
                                               const CallLimits& limits = {}) = 0;

  /// Starts a command or shell whose input and output are streamed. Does not block: failures to
  /// start come to on_error. Fails only when the connection is already lost.
  virtual absl::StatusOr<std::shared_ptr<SshSession>> OpenExec(const ExecSpec& spec,
                                                               SessionCallbacks callbacks) = 0;

  /// Starts a TCP stream from the server to `host`:`port`, as ssh -W does. As OpenExec().
  virtual absl::StatusOr<std::shared_ptr<SshSession>> OpenTunnel(absl::string_view host, int port,
                                                                 SessionCallbacks callbacks) = 0;
};

/// Times of an SshLoop; the defaults suit machines on any network.
struct SshLoopOptions {
  absl::Duration connect_timeout = absl::Seconds(5);  ///< TCP, for each address of the host.
  /// Without a byte from the host, while connecting or starting a command on a connection.
  absl::Duration handshake_timeout = absl::Seconds(15);
  absl::Duration keepalive_interval = absl::Seconds(20);
  absl::Duration dead_after = absl::Seconds(60);  ///< Silence, despite keep-alives.
};

class SshReactor;

/// The thread that all connections made through it share. Thread-safe.
class SshLoop {
 public:
  explicit SshLoop(SshLoopOptions options = {});
  /// Closes all connections and joins the thread. Not from a callback.
  ~SshLoop();

  SshLoop(const SshLoop&) = delete;
  SshLoop& operator=(const SshLoop&) = delete;

  /// Connects, checks the host's key and authenticates: one try. Blocks. Errors:
  /// - UNAVAILABLE SSH_UNREACHABLE: "connecting to 10.0.0.1:22: Connection refused" and its like;
  /// - UNAUTHENTICATED SSH_KEY_REFUSED: the host takes none of the keys for this user;
  /// - PERMISSION_DENIED SSH_HOST_KEY_CHANGED: not the pinned key; both are in the message;
  /// - INVALID_ARGUMENT: no key and no agent, an unreadable key or one with a passphrase;
  /// - CANCELLED. (A deadline that passes is SSH_UNREACHABLE with what was being waited for.)
  absl::StatusOr<std::shared_ptr<SshConnection>> Connect(const SshTarget& target,
                                                         const CallLimits& limits = {});

  /// Connections authenticated since the start, and those open now.
  int64_t connections_opened() const;
  int64_t connections_open() const;

 private:
  const std::shared_ptr<SshReactor> reactor_;
};

}  // namespace machine::common

#endif  // SERVICES_COMMON_SSH_SSH_H_
