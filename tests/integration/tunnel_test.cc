// The way of a shared orchestrator's users to engines that they cannot reach: a tunnel in the
// background, and a certificate of their own that soon ends.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "machine/v1/machines.grpc.pb.h"
#include "nlohmann/json.hpp"
#include "services/common/crypto/certificates.h"
#include "services/common/file/file.h"
#include "services/common/process/process_id.h"
#include "services/common/process/unique_fd.h"
#include "services/common/ssh/sshd_for_test.h"
#include "tests/integration/shared_world.h"

namespace machine::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::StartsWith;

constexpr absl::Duration kLimit = absl::Minutes(1);
constexpr char kToyDriver[] = "tests/golden/machine-driver-toy";

// What is said first by who listens at "tcp://localhost:PORT".
std::string Greeting(absl::string_view url) {
  int port = 0;
  EXPECT_TRUE(absl::SimpleAtoi(url.substr(url.rfind(':') + 1), &port)) << url;
  const common::UniqueFd connection(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(connection.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return "";
  }
  char buffer[7];
  const ssize_t got = recv(connection.get(), buffer, sizeof buffer, MSG_WAITALL);
  return got <= 0 ? "" : std::string(buffer, static_cast<size_t>(got));
}

// A machine whose engine listens on its own loopback only; what answers there is its ssh server.
class TunnelTest : public SharedTest {
 protected:
  void SetUp() override {
    fs::copy_file(kToyDriver, world_.libexec() + "/machine-driver-toy");
    fs::create_directories(world_.Path("toy"));
    auto sshd = common::SshdForTest::Start(
        {absl::StrCat("AuthorizedKeysFile ", world_.Path("toy/authorized_keys"))});
    ASSERT_TRUE(sshd.ok()) << sshd.status();
    sshd_ = *std::move(sshd);
    Start();
    StoreOf("ada", "admin");
    const Outcome made = RunAs(
        "ada", absl::StrCat("create -d toy --skip-provision --toy-folder=", world_.Path("toy"),
                            " --toy-url=tcp://127.0.0.2:", sshd_->port(),
                            " --toy-ssh-port=", sshd_->port(),
                            " --toy-ssh-host-key=", sshd_->host_key_sha256(), " dev"));
    ASSERT_EQ(made.exit_code, 0) << made;
  }

  void TearDown() override {
    if (const pid_t pid = TunnelProcess(); pid > 0) kill(pid, SIGKILL);
  }

  nlohmann::json TunnelFile() {
    const auto text = common::ReadFile(StoreOf("ada", "admin") + "/machines/dev/tunnel.json");
    return nlohmann::json::parse(text.value_or("{}"));
  }

  // 0 when there is none.
  pid_t TunnelProcess() {
    const nlohmann::json file = TunnelFile();
    const pid_t pid = file.value("pid", 0);
    return common::IsAlive(pid, file.value("start_time", int64_t{0})) ? pid : 0;
  }

  std::string UrlOfEngine() {
    const Outcome url = RunAs("ada", "env --shell bash dev");
    EXPECT_EQ(url.exit_code, 0) << url;
    const size_t begin = url.out.find("tcp://");
    if (begin == std::string::npos) return url.out;
    return url.out.substr(begin, url.out.find_first_of("\"\n", begin) - begin);
  }

  std::unique_ptr<common::SshdForTest> sshd_;
};

TEST_F(TunnelTest, OneInTheBackgroundServesAllCommandsAndIsStartedAgainWhenItIsGone) {
  const std::string url = UrlOfEngine();
  EXPECT_THAT(url, StartsWith("tcp://localhost:"));
  EXPECT_EQ(Greeting(url), "SSH-2.0");
  const pid_t first = TunnelProcess();
  ASSERT_GT(first, 0);
  EXPECT_EQ(UrlOfEngine(), url) << "a second tunnel for the same port";
  EXPECT_EQ(TunnelProcess(), first);
  EXPECT_EQ(fs::status(StoreOf("ada", "admin") + "/machines/dev/tunnel.json").permissions(),
            fs::perms::owner_read | fs::perms::owner_write);

  kill(first, SIGKILL);
  ASSERT_TRUE(Eventually(kLimit, [&] { return TunnelProcess() == 0; }));
  const std::string again = UrlOfEngine();
  EXPECT_EQ(Greeting(again), "SSH-2.0");
  EXPECT_NE(TunnelProcess(), first);
}

TEST_F(TunnelTest, OfTwoCommandsAtOnceOneStartsIt) {
  StoreOf("ada", "admin");
  const std::vector<Outcome> outcomes =
      AllAtOnce(4, [&](int) { return RunAs("ada", "env --shell bash dev"); });
  for (const Outcome& outcome : outcomes) {
    EXPECT_EQ(outcome.exit_code, 0) << outcome;
    EXPECT_EQ(outcome.out, outcomes[0].out);
  }
  EXPECT_EQ(Greeting(UrlOfEngine()), "SSH-2.0");
}

TEST_F(TunnelTest, AUserGetsACertificateOfHisOwnThatEndsAfterTwelveHours) {
  const absl::Time before = absl::Now();
  const common::Channel channel = ChannelOf("ada");
  machine::v1::Machines::Stub stub(channel.grpc());
  const auto bundle = [&] {
    grpc::ClientContext context;
    channel.Prepare(context, kLimit);
    machine::v1::GetAccessBundleRequest request;
    request.set_name("machines/dev");
    machine::v1::AccessBundle answer;
    const grpc::Status status = stub.GetAccessBundle(&context, request, &answer);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return answer;
  };
  const machine::v1::AccessBundle first = bundle();
  const auto info = common::CertInfo::Parse(first.client_cert_pem());
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_GT(info->not_after, before + absl::Hours(11));
  EXPECT_LE(info->not_after, absl::Now() + absl::Hours(12));
  EXPECT_TRUE(common::VerifySignedBy(first.client_cert_pem(), first.ca_pem()).ok());
  EXPECT_TRUE(common::KeyMatchesCert(first.client_key_pem(), first.client_cert_pem()).ok());
  EXPECT_NE(bundle().client_key_pem(), first.client_key_pem()) << "it is kept";
  // The one that machines know the orchestrator by stays with it.
  EXPECT_NE(info->common_name, "orchestrator");
}

// ---- The orchestrator is told to end while a session goes through it

class DrainTest : public TunnelTest {
 protected:
  explicit DrainTest(const std::string& limit = "10m") {
    world_.SetEnv("MACHINE_ORCHESTRATOR_DRAIN_LIMIT", limit);
  }

  // A session that says it has begun, and ends when it is told a word.
  RunningCommand BeginSession() {
    const std::string fifo = world_.Path("fifo");
    EXPECT_EQ(mkfifo(fifo.c_str(), 0600), 0);
    RunningCommand session =
        world_.Begin(absl::StrCat("--native-ssh --storage-path=", StoreOf("ada", "admin"),
                                  " ssh dev echo begun; read word < ", fifo, "; echo $word"));
    EXPECT_TRUE(Eventually(kLimit, [&] { return session.OutSoFar() == "begun\n"; }))
        << session.ErrSoFar();
    return session;
  }

  void TellSession(absl::string_view word) { std::ofstream(world_.Path("fifo")) << word << "\n"; }

  // That new calls are not taken any more, also over connections from before.
  bool Refuses(const common::Channel& channel) {
    grpc::ClientContext context;
    channel.Prepare(context, absl::Seconds(10));
    machine::v1::ListMachinesResponse response;
    const auto stub = machine::v1::Machines::NewStub(channel.grpc());
    return stub->ListMachines(&context, {}, &response).error_code() ==
           grpc::StatusCode::UNAVAILABLE;
  }
};

TEST_F(DrainTest, ItGoesOnToItsEndAndNewCallsAreRefused) {
  RunningCommand session = BeginSession();
  const common::Channel channel = ChannelOf("ada");
  ASSERT_FALSE(Refuses(channel));
  ASSERT_EQ(world_.SignalAll("machine-orchestrator", SIGTERM), 1U);
  ASSERT_TRUE(Eventually(kLimit, [&] { return Refuses(channel); }));
  EXPECT_FALSE(world_.Processes("machine-orchestrator").empty());
  TellSession("ended");
  const Outcome outcome = session.Wait();
  EXPECT_EQ(outcome.exit_code, 0) << outcome;
  EXPECT_EQ(outcome.out, "begun\nended\n");
  // Nothing else is waited for.
  EXPECT_TRUE(Eventually(kLimit, [&] { return world_.Processes().empty(); }));
}

class ShortDrainTest : public DrainTest {
 protected:
  ShortDrainTest() : DrainTest("1s") {}
};

TEST_F(ShortDrainTest, AtTheLimitItIsCut) {
  RunningCommand session = BeginSession();
  ASSERT_EQ(world_.SignalAll("machine-orchestrator", SIGTERM), 1U);
  EXPECT_TRUE(Eventually(kLimit, [&] { return world_.Processes("machine-orchestrator").empty(); }));
  EXPECT_NE(session.Wait().exit_code, 0);
}

TEST_F(DrainTest, ASecondSignalEndsTheOrchestratorAtOnce) {
  RunningCommand session = BeginSession();
  const common::Channel channel = ChannelOf("ada");
  ASSERT_EQ(world_.SignalAll("machine-orchestrator", SIGTERM), 1U);
  ASSERT_TRUE(Eventually(kLimit, [&] { return Refuses(channel); }));
  ASSERT_EQ(world_.SignalAll("machine-orchestrator", SIGTERM), 1U);
  EXPECT_TRUE(Eventually(kLimit, [&] { return world_.Processes("machine-orchestrator").empty(); }));
  EXPECT_NE(session.Wait().exit_code, 0);
}

}  // namespace
}  // namespace machine::tests
