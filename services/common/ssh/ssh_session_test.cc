// Streaming sessions and tunnels.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "services/common/process/unique_fd.h"
#include "services/common/ssh/ssh.h"
#include "services/common/ssh/sshd_for_test.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

constexpr absl::Duration kLong = absl::Seconds(60);

// What callbacks reported, with waiting.
class Record final {
 public:
  SessionCallbacks Callbacks(std::shared_ptr<Record> self) {
    SessionCallbacks callbacks;
    callbacks.on_started = [self] { self->Note([&] { self->started_ = true; }); };
    callbacks.on_stdout = [self](absl::string_view bytes) {
      self->Note([&] { self->out_.append(bytes.data(), bytes.size()); });
    };
    callbacks.on_stderr = [self](absl::string_view bytes) {
      self->Note([&] { self->err_.append(bytes.data(), bytes.size()); });
    };
    callbacks.on_written = [self](size_t bytes) { self->Note([&] { self->written_ += bytes; }); };
    callbacks.on_eof = [self] { self->Note([&] { self->eof_ = true; }); };
    callbacks.on_exit = [self](int code, absl::string_view signal) {
      self->Note([&] {
        ++self->ends_;
        self->exit_code_ = code;
        self->signal_ = std::string(signal);
      });
    };
    callbacks.on_error = [self](const absl::Status& status) {
      self->Note([&] {
        ++self->ends_;
        self->error_ = status;
      });
    };
    return callbacks;
  }

  template <typename Predicate>
  bool Await(Predicate predicate) {
    absl::MutexLock lock(&mu_);
    const auto holds = [&]() { return predicate(*this); };
    return mu_.AwaitWithTimeout(absl::Condition(&holds), kLong);
  }
  bool AwaitOutput(absl::string_view text) {
    return Await([&](const Record& r) { return absl::StrContains(r.out_, text); });
  }
  bool AwaitEnd() {
    return Await([](const Record& r) { return r.ends_ > 0; });
  }

  // Read by tests under Await(), or after the end.
  bool started_ = false;
  std::string out_, err_, signal_;
  size_t written_ = 0;
  bool eof_ = false;
  int ends_ = 0;
  int exit_code_ = -1;
  absl::Status error_;

 private:
  template <typename Action>
  void Note(Action action) {
    absl::MutexLock lock(&mu_);
    action();
  }

  absl::Mutex mu_;
};

class SshSessionTest : public testing::Test {
 protected:
  void SetUp() override { Connect({}); }

  void Connect(const std::vector<std::string>& config) {
    auto sshd = SshdForTest::Start(config);
    ASSERT_TRUE(sshd.ok()) << sshd.status();
    sshd_ = *std::move(sshd);
    auto connection = loop_.Connect(sshd_->target(), {.deadline = absl::Now() + kLong});
    ASSERT_TRUE(connection.ok()) << connection.status();
    ssh_ = *std::move(connection);
  }

  std::shared_ptr<SshSession> Exec(const ExecSpec& spec) {
    auto session = ssh_->OpenExec(spec, record_->Callbacks(record_));
    EXPECT_TRUE(session.ok()) << session.status();
    return session.ok() ? *session : nullptr;
  }

  SshLoop loop_;
  std::unique_ptr<SshdForTest> sshd_;
  std::shared_ptr<SshConnection> ssh_;
  std::shared_ptr<Record> record_ = std::make_shared<Record>();
};

TEST_F(SshSessionTest, StreamsBothWaysAndReportsTheExitLast) {
  const auto session = Exec({.command = "cat; echo bye >&2; exit 7"});
  ASSERT_TRUE(record_->Await([](const Record& r) { return r.started_; }));
  session->Write("hello\n");
  ASSERT_TRUE(record_->AwaitOutput("hello\n"));
  session->SendEof();
  ASSERT_TRUE(record_->AwaitEnd());
  EXPECT_EQ(record_->exit_code_, 7);
  EXPECT_EQ(record_->err_, "bye\n");
  EXPECT_EQ(record_->written_, 6u);
  EXPECT_TRUE(record_->eof_);
  EXPECT_EQ(record_->ends_, 1);
}

TEST_F(SshSessionTest, ATerminalHasItsSizeAndFollowsResizing) {
  const auto session = Exec({.command = "test -t 0 && stty size; trap 'stty size; exit' WINCH; "
                                        "echo ready; while :; do sleep 0.05; done",
                             .pty = PtySpec{"xterm", 100, 30}});
  ASSERT_TRUE(record_->AwaitOutput("30 100\r\n"));
  ASSERT_TRUE(record_->AwaitOutput("ready"));
  session->Resize(132, 43);
  ASSERT_TRUE(record_->AwaitOutput("43 132\r\n"));
  ASSERT_TRUE(record_->AwaitEnd());
}

TEST_F(SshSessionTest, AShellReadsCommandsFromItsTerminal) {
  const auto session = Exec({.pty = PtySpec{}});
  session->Write("echo sum=$((40 + 2)); exit 5\n");
  ASSERT_TRUE(record_->AwaitEnd());
  EXPECT_TRUE(absl::StrContains(record_->out_, "sum=42")) << record_->out_;
  EXPECT_EQ(record_->exit_code_, 5);
}

TEST_F(SshSessionTest, PassesTheEnvironmentThatTheServerAccepts) {
  ASSERT_NO_FATAL_FAILURE(Connect({"AcceptEnv LC_*"}));
  const auto session =
      Exec({.command = "echo $LC_TEST-$REFUSED", .env = {{"LC_TEST", "yes"}, {"REFUSED", "no"}}});
  ASSERT_TRUE(record_->AwaitEnd());
  EXPECT_EQ(record_->out_, "yes-\n");
}

TEST_F(SshSessionTest, ASignalReachesTheServer) {
  const auto session = Exec({.command = "echo ready; exec sleep 1000"});
  ASSERT_TRUE(record_->AwaitOutput("ready"));
  session->Signal("INT");
  if (geteuid() == 0) {  // sshd does not signal the processes of root's sessions, and says so.
    EXPECT_TRUE(sshd_->AwaitLog("session signalling requires privilege separation"));
    return;
  }
  ASSERT_TRUE(record_->AwaitEnd());
  EXPECT_EQ(record_->signal_, "INT");
  EXPECT_EQ(record_->exit_code_, 130);
}

TEST_F(SshSessionTest, APausedReaderHoldsTheHostBack) {
  const std::string all_sent = sshd_->dir() + "/all_sent";
  constexpr absl::string_view kSend = "head -c 33554432 /dev/zero";
  const auto session = Exec({.command = absl::StrCat(kSend, "; touch ", all_sent)});
  session->PauseReading();
  // While as much goes through for others on this connection, this one stands still.
  for (int i = 0; i < 3; ++i) {
    const auto other = ssh_->Run(kSend, {.max_output_bytes = 0});
    ASSERT_TRUE(other.ok()) << other.status();
  }
  EXPECT_EQ(access(all_sent.c_str(), F_OK), -1);
  EXPECT_TRUE(record_->Await([](const Record& r) { return r.out_.size() < 16 << 20; }));
  session->ResumeReading();
  ASSERT_TRUE(record_->AwaitEnd());
  EXPECT_EQ(record_->out_.size(), 32u << 20);
  EXPECT_EQ(access(all_sent.c_str(), F_OK), 0);
}

TEST_F(SshSessionTest, AfterCloseNothingIsReportedAndTheConnectionGoesOn) {
  auto session = Exec({.command = "echo ready; exec sleep 1000"});
  ASSERT_TRUE(record_->AwaitOutput("ready"));
  session->Close();
  ASSERT_TRUE(ssh_->Run("true")->ok());
  EXPECT_EQ(record_->ends_, 0);
  const std::weak_ptr<Record> weak = record_;
  record_.reset();
  session.reset();
  ASSERT_TRUE(ssh_->Run("true")->ok());
  EXPECT_TRUE(weak.expired()) << "the callbacks still exist";
}

TEST_F(SshSessionTest, KeepsItsConnectionOpen) {
  const auto session = Exec({.command = "cat"});
  ssh_.reset();
  session->Write("still\n");
  EXPECT_TRUE(record_->AwaitOutput("still"));
}

TEST_F(SshSessionTest, ALostConnectionIsAnErrorOfTheSession) {
  const auto session = Exec({.command = "echo ready; exec sleep 1000"});
  ASSERT_TRUE(record_->AwaitOutput("ready"));
  sshd_->Kill();
  ASSERT_TRUE(record_->AwaitEnd());
  EXPECT_EQ(ReasonOf(record_->error_), machine::v1::ERROR_REASON_SSH_UNREACHABLE);
  EXPECT_EQ(ssh_->OpenExec({.command = "true"}, {}).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST(SshStartTest, OnAFrozenServerNothingIsStartedAndWhatRunsGoesOn) {
  auto sshd = SshdForTest::Start();
  ASSERT_TRUE(sshd.ok()) << sshd.status();
  SshLoop loop({.handshake_timeout = absl::Seconds(2)});
  const auto ssh = loop.Connect((*sshd)->target(), {.deadline = absl::Now() + kLong});
  ASSERT_TRUE(ssh.ok()) << ssh.status();
  const auto runs = std::make_shared<Record>();
  const auto running = (*ssh)->OpenExec({.command = "cat"}, runs->Callbacks(runs));
  ASSERT_TRUE(running.ok()) << running.status();
  ASSERT_TRUE(runs->Await([](const Record& r) { return r.started_; }));
  (*sshd)->Freeze(true);
  const auto starts = std::make_shared<Record>();
  const auto starting = (*ssh)->OpenExec({.command = "true"}, starts->Callbacks(starts));
  ASSERT_TRUE(starting.ok()) << starting.status();
  EXPECT_TRUE(starts->AwaitEnd());
  (*sshd)->Freeze(false);
  EXPECT_EQ(ReasonOf(starts->error_), machine::v1::ERROR_REASON_SSH_UNREACHABLE);
  EXPECT_TRUE(absl::StrContains(starts->error_.message(), "no answer for 2.0 s")) << starts->error_;
  (*running)->Write("on\n");
  EXPECT_TRUE(runs->AwaitOutput("on"));
  EXPECT_TRUE((*ssh)->Run("true", {.limits = {.deadline = absl::Now() + kLong}}).ok());
  EXPECT_EQ(starts->ends_, 1);
}

TEST_F(SshSessionTest, AServerWithoutTerminalsSaysSo) {
  ASSERT_NO_FATAL_FAILURE(Connect({"PermitTTY no"}));
  const auto session = Exec({.command = "true", .pty = PtySpec{}});
  ASSERT_TRUE(record_->AwaitEnd());
  EXPECT_EQ(record_->error_.message(), "the SSH server refused a terminal");
}

// Sends back what it gets on one connection, and closes when the other side does.
class EchoServer final {
 public:
  EchoServer() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(listen(listener_.get(), 1), 0);
    getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] {
      const UniqueFd client(accept(listener_.get(), nullptr, nullptr));
      char buffer[4096];
      ssize_t count = 0;
      while ((count = read(client.get(), buffer, sizeof(buffer))) > 0) {
        if (send(client.get(), buffer, static_cast<size_t>(count), MSG_NOSIGNAL) != count) break;
      }
    });
  }
  ~EchoServer() {
    shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  int port() const { return port_; }

 private:
  UniqueFd listener_;
  int port_ = 0;
  std::thread thread_;
};

TEST_F(SshSessionTest, ATunnelCarriesBytesBothWaysAndItsEnd) {
  const EchoServer echo;
  auto tunnel = ssh_->OpenTunnel("127.0.0.1", echo.port(), record_->Callbacks(record_));
  ASSERT_TRUE(tunnel.ok()) << tunnel.status();
  const std::string data(300'000, 'x');
  (*tunnel)->Write(data);
  ASSERT_TRUE(record_->Await([&](const Record& r) { return r.out_.size() == data.size(); }));
  EXPECT_EQ(record_->out_, data);
  (*tunnel)->SendEof();
  ASSERT_TRUE(record_->AwaitEnd());
  EXPECT_EQ(record_->exit_code_, 0);
  EXPECT_TRUE(record_->eof_);
  EXPECT_EQ(ssh_->commands_run(), 0);
}

TEST_F(SshSessionTest, ATunnelToNowhereSaysWhereAndWhy) {
  int port = 0;
  { port = EchoServer().port(); }
  auto tunnel = ssh_->OpenTunnel("127.0.0.1", port, record_->Callbacks(record_));
  ASSERT_TRUE(tunnel.ok()) << tunnel.status();
  ASSERT_TRUE(record_->AwaitEnd());
  EXPECT_EQ(record_->error_.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(absl::StrContains(record_->error_.message(), absl::StrCat("127.0.0.1:", port)))
      << record_->error_;
  EXPECT_TRUE(absl::StrContains(record_->error_.message(), "Connection refused"))
      << record_->error_;
}

}  // namespace
}  // namespace machine::common
