// A real OpenSSH server on loopback for tests, with keys and configuration of its own.
#ifndef SERVICES_COMMON_SSH_SSHD_FOR_TEST_H_
#define SERVICES_COMMON_SSH_SSHD_FOR_TEST_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "services/common/ssh/ssh.h"

namespace machine::common {

/// Runs a program to its end; its output, or INTERNAL with what it said on standard error.
absl::StatusOr<std::string> RunForTest(const std::vector<std::string>& argv);

/// A folder with a path short enough for sockets, removed with all in it.
class ShortTempDirForTest final {
 public:
  ShortTempDirForTest();
  ~ShortTempDirForTest();
  ShortTempDirForTest(const ShortTempDirForTest&) = delete;
  ShortTempDirForTest& operator=(const ShortTempDirForTest&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// A running server; commands run as the current user, at home in its folder, so that no start-up
/// file of the user's shell is read: one that waits for a lock made tests time out. Thread-safe
/// after Start().
class SshdForTest final {
 public:
  /// Starts it and waits until it listens.
  /// @param config  lines for sshd_config that win over the fixture's, such as "MaxSessions 3".
  static absl::StatusOr<std::unique_ptr<SshdForTest>> Start(
      const std::vector<std::string>& config = {});
  /// As Kill(), and removes its folder.
  ~SshdForTest();

  SshdForTest(const SshdForTest&) = delete;
  SshdForTest& operator=(const SshdForTest&) = delete;

  /// Where it listens, with the authorized ed25519 key and nothing pinned.
  SshTarget target() const;
  int port() const { return port_; }
  /// Of its ed25519 host key, as ssh-keygen prints it after "SHA256:".
  const std::string& host_key_sha256() const { return host_key_sha256_; }
  /// Its folder, for whatever else a test needs.
  const std::string& dir() const { return dir_.path(); }

  /// Makes a key pair with ssh-keygen and returns the path of the private key.
  /// @param args  more of ssh-keygen's arguments, such as {"-t", "rsa", "-N", ""}.
  absl::StatusOr<std::string> MakeKey(absl::string_view name, const std::vector<std::string>& args);
  /// Lets the key at `private_key_path` in.
  absl::Status Authorize(const std::string& private_key_path);
  /// Keeps every key out from now on.
  void RevokeAllKeys();

  /// Ends the server and all its connections at once, as a power cut would.
  void Kill();
  /// Stops (or lets go on) the server and all its connections without closing them.
  void Freeze(bool frozen);

  /// Waits until it has logged `text`; false when it does not for a minute.
  bool AwaitLog(absl::string_view text) const;
  /// What it has logged so far.
  std::string log() const;

 private:
  SshdForTest() = default;

  absl::Status MakeKeys();
  absl::Status Spawn(const std::vector<std::string>& config);
  absl::Status AwaitListening();
  void ReadLog();
  std::vector<pid_t> SignalAll(int signal) const;

  ShortTempDirForTest dir_;
  int port_ = 0;
  pid_t pid_ = -1;
  std::string host_key_sha256_;
  std::string client_key_path_;
  int log_fd_ = -1;
  std::thread log_reader_;
  mutable absl::Mutex mu_;
  std::string log_ ABSL_GUARDED_BY(mu_);
  bool log_ended_ ABSL_GUARDED_BY(mu_) = false;
};

/// The contents of a file; empty when it cannot be read.
std::string ReadFileForTest(const std::string& path);

}  // namespace machine::common

#endif  // SERVICES_COMMON_SSH_SSHD_FOR_TEST_H_
