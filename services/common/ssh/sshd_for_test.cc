#include "services/common/ssh/sshd_for_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "services/common/process/unique_fd.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

constexpr char kSshd[] = "/usr/sbin/sshd";
constexpr absl::Duration kLogTimeout = absl::Seconds(60);
constexpr int kPortTries = 10;

// Starts argv with standard output and error on `out` and `error`.
absl::StatusOr<pid_t> SpawnWith(const std::vector<std::string>& argv, int out, int error) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, error, STDERR_FILENO);
  std::vector<char*> args;
  for (const std::string& arg : argv) args.push_back(const_cast<char*>(arg.c_str()));
  args.push_back(nullptr);
  pid_t pid = -1;
  const int failure = posix_spawnp(&pid, args[0], &actions, nullptr, args.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) {
    return absl::InternalError(absl::StrCat("starting ", argv[0], ": ", ErrnoText(failure)));
  }
  return pid;
}

// A port that was free a moment ago.
int FreePort() {
  const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), length) != 0) return 0;
  getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length);
  return ntohs(address.sin_port);
}

// The processes below `root`, each before its children. sshd gives every connection a session of
// its own, so that a process group does not hold them.
std::vector<pid_t> ProcessTree(pid_t root) {
  std::vector<std::pair<pid_t, pid_t>> child_and_parent;
  std::error_code ignored;
  std::filesystem::directory_iterator entry("/proc", ignored);
  for (; entry != std::filesystem::directory_iterator(); entry.increment(ignored)) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(entry->path().filename().string(), &pid)) continue;
    const std::string stat = ReadFileForTest(absl::StrCat("/proc/", pid, "/stat"));
    const size_t name_end = stat.rfind(") ");
    if (name_end == std::string::npos) continue;
    const std::vector<std::string> fields = absl::StrSplit(stat.substr(name_end + 2), ' ');
    pid_t parent = 0;
    if (fields.size() > 1 && absl::SimpleAtoi(fields[1], &parent)) {
      child_and_parent.emplace_back(pid, parent);
    }
  }
  std::vector<pid_t> tree = {root};
  for (size_t i = 0; i < tree.size(); ++i) {
    for (const auto& [child, parent] : child_and_parent) {
      if (parent == tree[i]) tree.push_back(child);
    }
  }
  return tree;
}

std::string CurrentUser() {
  const passwd* entry = getpwuid(geteuid());
  return entry == nullptr ? "root" : entry->pw_name;
}

}  // namespace

std::string ReadFileForTest(const std::string& path) {
  // Not by streams: those throw when a process ends while its /proc file is read.
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string contents;
  char buffer[4096];
  ssize_t count = 0;
  while ((count = read(fd.get(), buffer, sizeof(buffer))) > 0) {
    contents.append(buffer, static_cast<size_t>(count));
  }
  return contents;
}

absl::StatusOr<std::string> RunForTest(const std::vector<std::string>& argv) {
  const ShortTempDirForTest dir;
  const std::string out_path = dir.path() + "/out";
  const std::string error_path = dir.path() + "/error";
  const UniqueFd out(open(out_path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  const UniqueFd error(open(error_path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  DM_ASSIGN_OR_RETURN(const pid_t pid, SpawnWith(argv, out.get(), error.get()));
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return absl::InternalError(
        absl::StrCat(absl::StrJoin(argv, " "), ": ", ReadFileForTest(error_path)));
  }
  return ReadFileForTest(out_path);
}

ShortTempDirForTest::ShortTempDirForTest() {
  // TEST_TMPDIR is often too long for a socket below it.
  char name[] = "/tmp/dmssh.XXXXXX";
  path_ = mkdtemp(name);
}

ShortTempDirForTest::~ShortTempDirForTest() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

absl::StatusOr<std::unique_ptr<SshdForTest>> SshdForTest::Start(
    const std::vector<std::string>& config) {
  std::unique_ptr<SshdForTest> sshd(new SshdForTest);
  DM_RETURN_IF_ERROR(sshd->MakeKeys());
  absl::Status status;
  for (int i = 0; i < kPortTries; ++i) {
    sshd->port_ = FreePort();
    DM_RETURN_IF_ERROR(sshd->Spawn(config));
    status = sshd->AwaitListening();
    if (status.ok()) return sshd;
    sshd->Kill();
    // Only a port that somebody else took in between is worth another try.
    if (!absl::StrContains(status.message(), "Address already in use")) break;
  }
  return status;
}

SshdForTest::~SshdForTest() { Kill(); }

absl::Status SshdForTest::MakeKeys() {
  DM_ASSIGN_OR_RETURN(const std::string host_key,
                      MakeKey("host_ed25519", {"-t", "ed25519", "-N", ""}));
  DM_ASSIGN_OR_RETURN(const std::string fingerprint,
                      RunForTest({"ssh-keygen", "-l", "-f", host_key}));
  const std::vector<std::string> words = absl::StrSplit(fingerprint, ' ');
  if (words.size() < 2) return absl::InternalError("ssh-keygen -l printed no fingerprint");
  host_key_sha256_ = std::string(absl::StripPrefix(words[1], "SHA256:"));
  DM_ASSIGN_OR_RETURN(client_key_path_, MakeKey("client_ed25519", {"-t", "ed25519", "-N", ""}));
  return Authorize(client_key_path_);
}

absl::StatusOr<std::string> SshdForTest::MakeKey(absl::string_view name,
                                                 const std::vector<std::string>& args) {
  const std::string path = absl::StrCat(dir(), "/", name);
  std::vector<std::string> argv = {"ssh-keygen", "-q", "-f", path};
  argv.insert(argv.end(), args.begin(), args.end());
  DM_RETURN_IF_ERROR(RunForTest(argv).status());
  return path;
}

absl::Status SshdForTest::Authorize(const std::string& private_key_path) {
  std::ofstream(dir() + "/authorized_keys", std::ios::app)
      << ReadFileForTest(private_key_path + ".pub");
  return absl::OkStatus();
}

void SshdForTest::RevokeAllKeys() { std::ofstream(dir() + "/authorized_keys", std::ios::trunc); }

absl::Status SshdForTest::Spawn(const std::vector<std::string>& config) {
  if (geteuid() == 0) mkdir("/run/sshd", 0755);  // sshd's own, for privilege separation.
  const std::string config_path = dir() + "/sshd_config";
  const bool has_subsystem = std::any_of(config.begin(), config.end(), [](const auto& line) {
    return absl::StartsWith(line, "Subsystem");
  });
  // sshd takes the first value that it finds of each keyword.
  std::ofstream(config_path) << absl::StrJoin(config, "\n") << "\n"
                             << "ListenAddress 127.0.0.1\nPort " << port_ << "\nHostKey " << dir()
                             << "/host_ed25519\nAuthorizedKeysFile " << dir()
                             << "/authorized_keys\nPidFile none\nStrictModes no\nUsePAM no\n"
                                "PermitRootLogin yes\nPasswordAuthentication no\n"
                                "MaxStartups 500:1:1000\n"
                             // What the developer's shell does at its start is not of the test.
                             << "SetEnv HOME=" << dir() << "\n"
                             << (has_subsystem ? "" : "Subsystem sftp internal-sftp\n");
  int pipe_fds[2] = {-1, -1};
  if (pipe2(pipe_fds, O_CLOEXEC) != 0) return absl::InternalError(ErrnoText(errno));
  const UniqueFd write_end(pipe_fds[1]);
  log_fd_ = pipe_fds[0];
  {
    absl::MutexLock lock(&mu_);
    log_.clear();
    log_ended_ = false;
  }
  log_reader_ = std::thread([this] { ReadLog(); });
  DM_ASSIGN_OR_RETURN(
      pid_, SpawnWith({kSshd, "-D", "-e", "-f", config_path}, write_end.get(), write_end.get()));
  return absl::OkStatus();
}

void SshdForTest::ReadLog() {
  char buffer[4096];
  ssize_t count = 0;
  while ((count = read(log_fd_, buffer, sizeof(buffer))) > 0) {
    absl::MutexLock lock(&mu_);
    log_.append(buffer, static_cast<size_t>(count));
  }
  absl::MutexLock lock(&mu_);
  log_ended_ = true;
}

absl::Status SshdForTest::AwaitListening() {
  absl::MutexLock lock(&mu_);
  const auto settled = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return log_ended_ || absl::StrContains(log_, "Server listening");
  };
  mu_.AwaitWithTimeout(absl::Condition(&settled), kLogTimeout);
  if (absl::StrContains(log_, "Server listening")) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("sshd does not listen: ", log_));
}

SshTarget SshdForTest::target() const {
  SshTarget target;
  target.host = "127.0.0.1";
  target.port = port_;
  target.user = CurrentUser();
  target.private_key = ReadFileForTest(client_key_path_);
  target.key_label = client_key_path_;
  return target;
}

std::vector<pid_t> SshdForTest::SignalAll(int signal) const {
  const std::vector<pid_t> tree = ProcessTree(pid_);
  for (const pid_t pid : tree) kill(pid, signal);
  return tree;
}

void SshdForTest::Freeze(bool frozen) {
  if (pid_ > 0) SignalAll(frozen ? SIGSTOP : SIGCONT);
}

void SshdForTest::Kill() {
  if (pid_ > 0) {
    // Stopped first, so that none forks while the others are being found; twice, for those that
    // were born during the first round. A stopped process whose parent ends is no longer below us.
    std::vector<pid_t> all = SignalAll(SIGSTOP);
    for (const pid_t pid : SignalAll(SIGSTOP)) all.push_back(pid);
    for (const pid_t pid : all) kill(pid, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  if (log_reader_.joinable()) log_reader_.join();
  if (log_fd_ >= 0) close(std::exchange(log_fd_, -1));
}

bool SshdForTest::AwaitLog(absl::string_view text) const {
  absl::MutexLock lock(&mu_);
  const auto logged = [&]()
                          ABSL_NO_THREAD_SAFETY_ANALYSIS { return absl::StrContains(log_, text); };
  return mu_.AwaitWithTimeout(absl::Condition(&logged), kLogTimeout);
}

std::string SshdForTest::log() const {
  absl::MutexLock lock(&mu_);
  return log_;
}

}  // namespace machine::common
