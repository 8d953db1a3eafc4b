// Making connections: who is let in, who is not, and what the errors say.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/common/process/unique_fd.h"
#include "services/common/ssh/ssh.h"
#include "services/common/ssh/sshd_for_test.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

using machine::v1::ErrorReason;

constexpr absl::Duration kLong = absl::Seconds(60);

CallLimits Within(absl::Duration duration) { return {.deadline = absl::Now() + duration}; }

// A socket on loopback that listens; what it answers is the test's business.
class Listener final {
 public:
  Listener() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(listen(fd_.get(), 8), 0);
    getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
  }
  int port() const { return port_; }
  UniqueFd Accept() const { return UniqueFd(accept(fd_.get(), nullptr, nullptr)); }
  void Close() { fd_.reset(); }

 private:
  UniqueFd fd_;
  int port_ = 0;
};

class SshConnectTest : public testing::Test {
 protected:
  void SetUp() override {
    auto sshd = SshdForTest::Start();
    ASSERT_TRUE(sshd.ok()) << sshd.status();
    sshd_ = *std::move(sshd);
  }

  absl::Status ConnectTo(const SshTarget& target, absl::Duration timeout = kLong) {
    return loop_.Connect(target, Within(timeout)).status();
  }

  static void Expect(const absl::Status& status, absl::StatusCode code, ErrorReason reason,
                     const std::vector<std::string>& said) {
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_EQ(ReasonOf(status), reason) << status;
    for (const std::string& text : said) {
      EXPECT_TRUE(absl::StrContains(status.message(), text)) << status << " lacks " << text;
    }
  }

  SshLoop loop_;
  std::unique_ptr<SshdForTest> sshd_;
};

struct KeyCase {
  absl::string_view label;
  std::vector<std::string> keygen_args;
};

class SshKeyTest : public SshConnectTest, public testing::WithParamInterface<KeyCase> {};

TEST_P(SshKeyTest, IsLetIn) {
  const auto path = sshd_->MakeKey("key", GetParam().keygen_args);
  ASSERT_TRUE(path.ok()) << path.status();
  sshd_->RevokeAllKeys();
  ASSERT_TRUE(sshd_->Authorize(*path).ok());
  SshTarget target = sshd_->target();
  target.private_key = ReadFileForTest(*path);
  const auto ssh = loop_.Connect(target, Within(kLong));
  ASSERT_TRUE(ssh.ok()) << ssh.status() << sshd_->log();
  EXPECT_TRUE((*ssh)->Run("true")->ok());
}

INSTANTIATE_TEST_SUITE_P(Kinds, SshKeyTest,
                         testing::ValuesIn<KeyCase>({
                             {"Ed25519", {"-t", "ed25519", "-N", ""}},
                             {"Rsa2048AsOpenSsh", {"-t", "rsa", "-b", "2048", "-N", ""}},
                             {"Rsa2048AsPem", {"-t", "rsa", "-b", "2048", "-m", "PEM", "-N", ""}},
                             {"Rsa2048AsPkcs8",
                              {"-t", "rsa", "-b", "2048", "-m", "PKCS8", "-N", ""}},
                             {"EcdsaP256", {"-t", "ecdsa", "-b", "256", "-N", ""}},
                         }),
                         [](const auto& info) { return std::string(info.param.label); });

TEST_F(SshConnectTest, TellsTheHostKeyAndAcceptsItsPin) {
  SshTarget target = sshd_->target();
  auto ssh = loop_.Connect(target, Within(kLong));
  ASSERT_TRUE(ssh.ok()) << ssh.status();
  EXPECT_EQ((*ssh)->host_key_sha256(), sshd_->host_key_sha256());
  target.host_key_sha256 = (*ssh)->host_key_sha256();
  EXPECT_TRUE(ConnectTo(target).ok());
  target.host_key_sha256 = "SHA256:" + (*ssh)->host_key_sha256();
  EXPECT_TRUE(ConnectTo(target).ok());
}

TEST_F(SshConnectTest, AnotherHostKeyThanThePinnedIsFinalAndNamesBoth) {
  SshTarget target = sshd_->target();
  target.host_key_sha256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
  Expect(ConnectTo(target), absl::StatusCode::kPermissionDenied,
         machine::v1::ERROR_REASON_SSH_HOST_KEY_CHANGED,
         {target.host_key_sha256, sshd_->host_key_sha256()});
}

TEST_F(SshConnectTest, ARefusedKeyNamesKeyUserAndHost) {
  SshTarget target = sshd_->target();
  target.key_label = "/home/me/.ssh/id_ed25519";
  sshd_->RevokeAllKeys();
  Expect(ConnectTo(target), absl::StatusCode::kUnauthenticated,
         machine::v1::ERROR_REASON_SSH_KEY_REFUSED,
         {"/home/me/.ssh/id_ed25519", target.user, absl::StrCat("127.0.0.1:", sshd_->port())});
  EXPECT_EQ(loop_.connections_opened(), 0);
}

TEST_F(SshConnectTest, AKeyWithAPassphraseIsInvalid) {
  const auto path = sshd_->MakeKey("locked", {"-t", "ed25519", "-N", "secret"});
  const auto pem = sshd_->MakeKey("locked_pem", {"-t", "rsa", "-m", "PEM", "-N", "secret"});
  ASSERT_TRUE(path.ok() && pem.ok());
  for (const std::string& key : {*path, *pem}) {
    SshTarget target = sshd_->target();
    target.private_key = ReadFileForTest(key);
    target.key_label = key;
    Expect(ConnectTo(target), absl::StatusCode::kInvalidArgument,
           machine::v1::ERROR_REASON_BAD_FIELD, {key, "passphrase"});
  }
}

TEST_F(SshConnectTest, BadTargetsAreInvalid) {
  const auto bad = [&](auto change, const std::string& said) {
    SshTarget target = sshd_->target();
    change(target);
    Expect(ConnectTo(target), absl::StatusCode::kInvalidArgument,
           machine::v1::ERROR_REASON_BAD_FIELD, {said});
  };
  bad([](SshTarget& target) { target.private_key = "garbage"; }, "private key");
  bad([](SshTarget& target) { target.private_key.clear(); }, "neither an SSH key nor an agent");
  bad([](SshTarget& target) { target.user.clear(); }, "user");
  bad([](SshTarget& target) { target.host.clear(); }, "host");
  bad([](SshTarget& target) { target.port = 70000; }, "70000");
}

TEST_F(SshConnectTest, ARefusedPortIsNamed) {
  Listener listener;
  listener.Close();
  SshTarget target = sshd_->target();
  target.port = listener.port();
  Expect(ConnectTo(target), absl::StatusCode::kUnavailable,
         machine::v1::ERROR_REASON_SSH_UNREACHABLE, {});
  EXPECT_EQ(ConnectTo(target).message(),
            absl::StrCat("connecting to 127.0.0.1:", listener.port(), ": Connection refused"));
}

TEST_F(SshConnectTest, EveryAddressOfANameIsTried) {
  SshTarget target = sshd_->target();
  target.host = "localhost";  // ::1 first where there is IPv6, and the server is not there.
  EXPECT_EQ(ConnectTo(target), absl::OkStatus());
}

TEST_F(SshConnectTest, AnUnknownNameIsUnreachable) {
  SshTarget target = sshd_->target();
  target.host = "no-such-host.invalid";
  Expect(ConnectTo(target), absl::StatusCode::kUnavailable,
         machine::v1::ERROR_REASON_SSH_UNREACHABLE, {"no-such-host.invalid"});
}

TEST_F(SshConnectTest, ASilentListenerEndsWithTheDeadline) {
  const Listener listener;
  SshTarget target = sshd_->target();
  target.port = listener.port();
  Expect(ConnectTo(target, absl::Milliseconds(300)), absl::StatusCode::kUnavailable,
         machine::v1::ERROR_REASON_SSH_UNREACHABLE, {"accepted", "no SSH server answered"});
}

TEST_F(SshConnectTest, ASilentListenerEndsWithTheHandshakeTimeoutToo) {
  const Listener listener;
  SshLoop loop({.handshake_timeout = absl::Milliseconds(200)});
  SshTarget target = sshd_->target();
  target.port = listener.port();
  Expect(loop.Connect(target, Within(kLong)).status(), absl::StatusCode::kUnavailable,
         machine::v1::ERROR_REASON_SSH_UNREACHABLE, {"no SSH server answered within 0.2 s"});
}

struct GarbageCase {
  absl::string_view label, sent, said;
};

class SshGarbageTest : public SshConnectTest, public testing::WithParamInterface<GarbageCase> {};

TEST_P(SshGarbageTest, IsSaidToBeNoSshServer) {
  const Listener listener;
  std::thread server([&] {
    const UniqueFd client = listener.Accept();
    const absl::string_view sent = GetParam().sent;
    EXPECT_EQ(write(client.get(), sent.data(), sent.size()), static_cast<ssize_t>(sent.size()));
    shutdown(client.get(), SHUT_WR);
    char ignored[512];
    while (read(client.get(), ignored, sizeof(ignored)) > 0) {
    }
  });
  SshTarget target = sshd_->target();
  target.port = listener.port();
  Expect(ConnectTo(target), absl::StatusCode::kUnavailable,
         machine::v1::ERROR_REASON_SSH_UNREACHABLE, {std::string(GetParam().said)});
  server.join();
}

INSTANTIATE_TEST_SUITE_P(Answers, SshGarbageTest,
                         testing::ValuesIn<GarbageCase>({
                             {"Http", "HTTP/1.1 400 Bad Request\r\n\r\n", "not an SSH server"},
                             {"OldProtocol", "SSH-1.5-old\r\n", "SSH-1.5-old"},
                             {"Nothing", "", "disconnected"},
                         }),
                         [](const auto& info) { return std::string(info.param.label); });

TEST_F(SshConnectTest, GarbageWithoutAnEndIsSaidToBeNoSshServer) {
  const Listener listener;
  std::thread server([&] {
    const UniqueFd client = listener.Accept();
    const std::string garbage(4096, 'x');
    while (send(client.get(), garbage.data(), garbage.size(), MSG_NOSIGNAL) > 0) {
    }
  });
  SshTarget target = sshd_->target();
  target.port = listener.port();
  Expect(ConnectTo(target), absl::StatusCode::kUnavailable,
         machine::v1::ERROR_REASON_SSH_UNREACHABLE, {"not an SSH server"});
  server.join();
}

TEST_F(SshConnectTest, CancellingWhileConnectingReturnsAtOnce) {
  const Listener listener;
  SshTarget target = sshd_->target();
  target.port = listener.port();
  UniqueFd accepted;
  std::atomic<bool> cancelled = false;
  std::thread server([&] {
    accepted = listener.Accept();
    cancelled = true;
  });
  const absl::Status status =
      loop_.Connect(target, {.cancelled = [&] { return cancelled.load(); }}).status();
  server.join();
  Expect(status, absl::StatusCode::kCancelled, machine::v1::ERROR_REASON_BY_USER, {});
  char byte = 0;
  while (read(accepted.get(), &byte, 1) == 1) {
  }  // Ends only when the loop has closed its side.
}

TEST_F(SshConnectTest, FiftyConnectionsAtOnceShareTheLoop) {
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int i = 0; i < 50; ++i) {
    threads.emplace_back([&, i] {
      const auto ssh = loop_.Connect(sshd_->target(), Within(2 * kLong));
      ASSERT_TRUE(ssh.ok()) << ssh.status();
      const auto result = (*ssh)->Run(absl::StrCat("echo ", i), {.limits = Within(2 * kLong)});
      ASSERT_TRUE(result.ok()) << result.status();
      if (result->stdout_data == absl::StrCat(i, "\n")) ++right;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 50);
  EXPECT_EQ(loop_.connections_opened(), 50);
}

TEST_F(SshConnectTest, DroppingTheLastReferenceClosesTheConnection) {
  auto ssh = loop_.Connect(sshd_->target(), Within(kLong));
  ASSERT_TRUE(ssh.ok()) << ssh.status();
  EXPECT_EQ(loop_.connections_open(), 1);
  ssh->reset();
  // Commands of the loop are done in order, so this connection comes after that end.
  ASSERT_TRUE(loop_.Connect(sshd_->target(), Within(kLong)).ok());
  EXPECT_EQ(loop_.connections_opened(), 2);
}

// A real ssh-agent with keys added by ssh-add.
class SshAgentTest : public SshConnectTest {
 protected:
  void SetUp() override {
    SshConnectTest::SetUp();
    socket_ = sshd_->dir() + "/agent";
    const auto started = RunForTest({"ssh-agent", "-s", "-a", socket_});
    ASSERT_TRUE(started.ok()) << started.status();
    const size_t pid_at = started->find("SSH_AGENT_PID=");
    ASSERT_NE(pid_at, std::string::npos);
    pid_ = std::stoi(started->substr(pid_at + sizeof("SSH_AGENT_PID=") - 1));
    target_ = sshd_->target();
    target_.private_key.clear();
    target_.agent_socket = socket_;
  }
  void TearDown() override {
    if (pid_ > 0) kill(pid_, SIGKILL);
  }

  std::string AddKey(absl::string_view name, const std::vector<std::string>& args) {
    const auto path = sshd_->MakeKey(name, args);
    EXPECT_TRUE(path.ok()) << path.status();
    const auto added = RunForTest({"env", "SSH_AUTH_SOCK=" + socket_, "ssh-add", "-q", *path});
    EXPECT_TRUE(added.ok()) << added.status();
    return *path;
  }

  std::string socket_;
  pid_t pid_ = -1;
  SshTarget target_;
};

TEST_F(SshAgentTest, AnyOfItsKeysIsLetIn) {
  AddKey("other", {"-t", "ed25519", "-N", ""});
  ASSERT_TRUE(sshd_->Authorize(AddKey("mine", {"-t", "rsa", "-b", "2048", "-N", ""})).ok());
  const auto ssh = loop_.Connect(target_, Within(kLong));
  ASSERT_TRUE(ssh.ok()) << ssh.status() << sshd_->log();
  EXPECT_TRUE((*ssh)->Run("true")->ok());
}

TEST_F(SshAgentTest, IsAskedAfterTheKeyThatIsGiven) {
  ASSERT_TRUE(sshd_->Authorize(AddKey("mine", {"-t", "ed25519", "-N", ""})).ok());
  const auto other = sshd_->MakeKey("other", {"-t", "ed25519", "-N", ""});
  ASSERT_TRUE(other.ok());
  target_.private_key = ReadFileForTest(*other);
  EXPECT_EQ(ConnectTo(target_), absl::OkStatus());
}

TEST_F(SshAgentTest, IsNamedWhenAllItsKeysAreRefused) {
  target_.key_label.clear();
  const absl::string_view why[] = {"empty", "one key", "more keys than the server lets try"};
  for (const absl::string_view label : why) {
    SCOPED_TRACE(label);
    Expect(ConnectTo(target_), absl::StatusCode::kUnauthenticated,
           machine::v1::ERROR_REASON_SSH_KEY_REFUSED, {socket_});
    for (int i = 0; i < (label == why[0] ? 1 : 8); ++i) {
      AddKey(absl::StrCat(label == why[0]   ? "a"
                          : label == why[1] ? "b"
                                            : "c",
                          i),
             {"-t", "ed25519", "-N", ""});
    }
  }
}

TEST_F(SshAgentTest, AMissingSocketIsInvalid) {
  target_.agent_socket = "/nonexistent/agent";
  Expect(ConnectTo(target_), absl::StatusCode::kInvalidArgument,
         machine::v1::ERROR_REASON_BAD_FIELD, {"/nonexistent/agent", "No such file"});
}

TEST_F(SshAgentTest, AHungAgentHoldsUpNobodyElse) {
  const std::string path = sshd_->dir() + "/hung";
  const UniqueFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(listener.get(), 1), 0);
  target_.agent_socket = path;
  std::atomic<bool> cancelled = false;
  std::thread hung([&] {
    EXPECT_EQ(
        loop_.Connect(target_, {.cancelled = [&] { return cancelled.load(); }}).status().code(),
        absl::StatusCode::kCancelled);
  });
  const UniqueFd asked(accept(listener.get(), nullptr, nullptr));  // Now it waits for the agent.
  EXPECT_EQ(ConnectTo(sshd_->target()), absl::OkStatus());
  cancelled = true;
  hung.join();
  Expect(ConnectTo(target_, absl::Milliseconds(500)), absl::StatusCode::kUnavailable,
         machine::v1::ERROR_REASON_SSH_UNREACHABLE, {"agent", path});
}

}  // namespace
}  // namespace machine::common
