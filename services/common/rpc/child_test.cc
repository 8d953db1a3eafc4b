// The program of child_test_program.cc as a real process, seen from its parent's side.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "driver/v1/bootstrap.pb.h"
#include "machine/v1/machines.grpc.pb.h"
#include "services/common/crypto/certificates.h"
#include "services/common/process/framed.h"
#include "services/common/process/process.h"
#include "services/common/process/unique_fd.h"
#include "services/common/rpc/channel.h"
#include "services/common/status/grpc_status.h"

namespace machine::common {
namespace {

using ::driver::v1::BootstrapParams;
using ::driver::v1::BootstrapResult;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kCookie[] = "right";
std::string* g_program = nullptr;  // From the command line of this test.

absl::Time Soon() { return absl::Now() + absl::Seconds(20); }

std::string ReadAll(int fd) {
  std::string text;
  char buffer[4096];
  for (ssize_t count; (count = read(fd, buffer, sizeof(buffer))) > 0;) text.append(buffer, count);
  return text;
}

class ChildTest : public testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/childXXXXXX";  // Short, for the socket's path; mode 0700.
    ASSERT_NE(mkdtemp(folder), nullptr);
    folder_ = folder;
    socket_ = absl::StrCat("unix:", folder_, "/s");
  }

  void TearDown() override {
    child_.reset();
    unlink(absl::StrCat(folder_, "/s").c_str());
    unlink(absl::StrCat(folder_, "/cookie").c_str());
    rmdir(folder_.c_str());
  }

  void Spawn(std::vector<std::string> arguments, bool with_result_pipe) {
    SpawnOptions options;
    options.argv = {*g_program};
    options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
    options.stdin_from = Stdio::Pipe();
    options.stdout_to = Stdio::Pipe();
    options.stderr_to = Stdio::Pipe();
    int result[2] = {-1, -1};
    if (with_result_pipe) {
      ASSERT_EQ(pipe2(result, O_CLOEXEC), 0);
      options.extra_fds[3] = result[1];
    }
    absl::StatusOr<Process> child = Process::Spawn(options);
    ASSERT_TRUE(child.ok()) << child.status();
    child_.emplace(*std::move(child));
    if (with_result_pipe) close(result[1]);
    result_fd_.reset(result[0]);
  }

  BootstrapParams Params() const {
    BootstrapParams params;
    params.set_protocol(1);
    params.set_listen_address(socket_);
    params.set_cookie(kCookie);
    params.set_log_level("info");
    return params;
  }

  // Starts the program as a child with `params`.
  BootstrapResult Bootstrap(const BootstrapParams& params) {
    Spawn({}, /*with_result_pipe=*/true);
    EXPECT_TRUE(WriteFramed(child_->stdin_fd().get(), params.SerializeAsString()).ok());
    const absl::StatusOr<std::string> bytes = ReadFramed(result_fd_.get(), 1 << 16, Soon());
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    BootstrapResult result;
    EXPECT_TRUE(bytes.ok() && result.ParseFromString(*bytes));
    return result;
  }

  absl::Status Get(const std::string& name, absl::string_view cookie = kCookie) {
    return Get(name, Channel::Local(socket_, cookie));
  }

  static absl::Status Get(const std::string& name, const Channel& channel) {
    grpc::ClientContext context;
    channel.Prepare(context, absl::Seconds(30));
    machine::v1::GetMachineRequest request;
    request.set_name(name);
    machine::v1::Machine machine;
    return FromGrpcStatus(
        machine::v1::Machines::NewStub(channel.grpc())->GetMachine(&context, request, &machine));
  }

  // Waits until the child says that a call blocks.
  void AwaitEntered() {
    char line[8];
    ASSERT_EQ(read(child_->stdout_fd().get(), line, sizeof(line)), 8);
  }

  int ExitCode() {
    const absl::StatusOr<ExitStatus> status = child_->WaitFor(Soon());
    EXPECT_TRUE(status.ok()) << status.status();
    return status.ok() ? status->exit_code : -1;
  }

  std::string folder_;
  std::string socket_;
  std::optional<Process> child_;
  UniqueFd result_fd_;
};

TEST_F(ChildTest, TellsItsParentWhereItListensAndServes) {
  const BootstrapResult result = Bootstrap(Params());
  EXPECT_EQ(result.error(), "");
  EXPECT_EQ(result.protocol(), 1);
  EXPECT_EQ(result.name(), "test");
  EXPECT_EQ(result.address(), socket_);
  EXPECT_EQ(result.pid(), child_->pid());
  EXPECT_TRUE(Get("dev").ok());
  char byte;
  EXPECT_EQ(read(result_fd_.get(), &byte, 1), 0) << "descriptor 3 stays open";
}

TEST_F(ChildTest, RefusesAWrongCookie) {
  Bootstrap(Params());
  EXPECT_EQ(Get("dev", "wrong").code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(Get("dev", "").code(), absl::StatusCode::kUnauthenticated);
}

TEST_F(ChildTest, EndsWithItsParentEvenInTheMiddleOfACall) {
  Bootstrap(Params());
  std::thread call([this] { Get("deaf").IgnoreError(); });
  AwaitEntered();
  child_->stdin_fd().reset();
  EXPECT_EQ(ExitCode(), 0);
  call.join();
}

TEST_F(ChildTest, ASignalLetsCallsReachASafePoint) {
  Bootstrap(Params());
  absl::Status status = absl::UnknownError("never set");
  std::thread call([&] { status = Get("obedient"); });
  AwaitEntered();
  ASSERT_TRUE(child_->Signal(SIGTERM).ok());
  EXPECT_EQ(ExitCode(), 0);
  call.join();
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(ChildTest, ACallThatDoesNotObeyIsLeftBehind) {
  Bootstrap(Params());
  std::thread call([this] { Get("deaf").IgnoreError(); });
  AwaitEntered();
  ASSERT_TRUE(child_->Signal(SIGINT).ok());
  EXPECT_EQ(ExitCode(), 1);
  EXPECT_THAT(ReadAll(child_->stderr_fd().get()), HasSubstr("calls are still running"));
  call.join();
}

TEST_F(ChildTest, TheServedProgramCanAskForTheEnd) {
  Bootstrap(Params());
  EXPECT_TRUE(Get("shutdown").ok());
  EXPECT_EQ(ExitCode(), 0);
}

TEST_F(ChildTest, KeepsNoCoreAndOpensFilesForItselfOnly) {
  Bootstrap(Params());
  struct stat info {};
  ASSERT_EQ(stat(absl::StrCat(folder_, "/s").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 077, 0);
  std::ifstream limits(absl::StrCat("/proc/", child_->pid(), "/limits"));
  const std::string text((std::istreambuf_iterator<char>(limits)), {});
  EXPECT_THAT(text, testing::ContainsRegex("Max core file size +0 +0"));
}

struct BadParams {
  const char* label;
  void (*spoil)(BootstrapParams&);
  const char* error;
};

TEST_F(ChildTest, ReportsWhyItCannotStart) {
  const BadParams cases[] = {
      {"another protocol", [](BootstrapParams& p) { p.set_protocol(2); }, "version 2"},
      {"no cookie", [](BootstrapParams& p) { p.clear_cookie(); }, "cookie"},
      {"TCP", [](BootstrapParams& p) { p.set_listen_address("127.0.0.1:0"); }, "Unix socket"},
      {"long path",
       [](BootstrapParams& p) { p.set_listen_address("unix:/" + std::string(200, 'x')); }, "107"},
      {"no such folder", [](BootstrapParams& p) { p.set_listen_address("unix:/nowhere/s"); },
       "cannot listen"},
      {"the factory fails", [](BootstrapParams& p) { p.set_data_dir("/unusable"); },
       "no good reason"},
  };
  for (const BadParams& row : cases) {
    SCOPED_TRACE(row.label);
    BootstrapParams params = Params();
    row.spoil(params);
    const BootstrapResult result = Bootstrap(params);
    EXPECT_THAT(result.error(), HasSubstr(row.error));
    EXPECT_EQ(ExitCode(), 1);
  }
}

TEST_F(ChildTest, StandsAloneOnASocketWithACookie) {
  std::ofstream(absl::StrCat(folder_, "/cookie")) << kCookie << "\n";
  Spawn({"--listen", socket_, "--cookie-file", absl::StrCat(folder_, "/cookie")},
        /*with_result_pipe=*/false);
  child_->stdin_fd().reset();  // Not a lifeline here.
  ASSERT_TRUE(Channel::Local(socket_, kCookie).WaitUntilReady(absl::Seconds(30)).ok());
  ASSERT_TRUE(child_->Signal(SIGHUP).ok());  // Reads its options again, and goes on.
  EXPECT_TRUE(Get("dev").ok());
  EXPECT_EQ(Get("dev", "wrong").code(), absl::StatusCode::kUnauthenticated);
  ASSERT_TRUE(child_->Signal(SIGTERM).ok());
  EXPECT_EQ(ExitCode(), 0);
}

// The address in the log line that says it.
std::string AddressInLog(int fd) {
  std::string log;
  constexpr char kKey[] = "\"address\":\"";
  while (true) {
    char c = 0;
    if (read(fd, &c, 1) != 1) return "";
    log += c;
    const size_t at = log.find(kKey);
    if (at == std::string::npos) continue;
    const size_t end = log.find('"', at + sizeof(kKey) - 1);
    if (end != std::string::npos) {
      return log.substr(at + sizeof(kKey) - 1, end - at - sizeof(kKey) + 1);
    }
  }
}

TEST_F(ChildTest, StandsAloneOverTlsForThoseWithACertificateOfOneAuthority) {
  const auto authority = CertAuthority::Create("test", absl::Hours(1));
  const auto stranger = CertAuthority::Create("stranger", absl::Hours(1));
  ASSERT_TRUE(authority.ok() && stranger.ok());
  const auto server = authority->IssueServer({"127.0.0.1"}, absl::Hours(1));
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string files[] = {folder_ + "/cert", folder_ + "/key", folder_ + "/ca"};
  std::ofstream(files[0]) << server->cert_pem;
  std::ofstream(files[1]) << server->key_pem.view();
  std::ofstream(files[2]) << authority->cert_pem();
  Spawn({"--listen", "127.0.0.1:0", "--tls-cert", files[0], "--tls-key", files[1], "--tls-ca",
         files[2]},
        /*with_result_pipe=*/false);
  child_->stdin_fd().reset();
  const std::string address = AddressInLog(child_->stderr_fd().get());
  ASSERT_THAT(address, StartsWith("127.0.0.1:"));

  const auto call = [&](const CertAuthority* signer) {
    ChannelTls tls = {.ca_pem = authority->cert_pem()};
    if (signer != nullptr) {
      const auto client = signer->IssueClient({.common_name = "orchestrator"}, absl::Hours(1));
      tls.client_cert_pem = client->cert_pem;
      tls.client_key_pem = std::string(client->key_pem.view());
    }
    return Get("dev", Channel::Tls(address, tls));
  };
  EXPECT_TRUE(call(&*authority).ok()) << call(&*authority);
  EXPECT_EQ(call(&*stranger).code(), absl::StatusCode::kUnavailable);  // The handshake fails.
  EXPECT_EQ(call(nullptr).code(), absl::StatusCode::kUnauthenticated);
  // Who looks after the process needs none.
  SpawnOptions health;
  health.argv = {*g_program, "health",    "--listen", address,    "--tls-cert",
                 files[0],   "--tls-key", files[1],   "--tls-ca", files[2]};
  health.stdout_to = Stdio::Pipe();
  absl::StatusOr<Process> asked = Process::Spawn(health);
  ASSERT_TRUE(asked.ok()) << asked.status();
  EXPECT_EQ(ReadAll(asked->stdout_fd().get()), "serving\n");
  for (const std::string& file : files) unlink(file.c_str());
  ASSERT_TRUE(child_->Signal(SIGTERM).ok());
  EXPECT_EQ(ExitCode(), 0);
}

struct Usage {
  const char* label;
  std::vector<std::string> arguments;
  int exit_code;
  const char* output;
};

TEST_F(ChildTest, ExplainsWhatItCannotDo) {
  const std::string open_folder = absl::StrCat("unix:", folder_, "/../s");  // In /tmp.
  const Usage cases[] = {
      {"help", {"--help"}, 0, "--insecure-loopback"},
      {"version", {"--version"}, 0, "child-test version 1"},
      {"nothing", {}, 2, "started by machine-orchestrator"},
      {"unknown", {"--bogus"}, 2, "--bogus"},
      {"all interfaces", {"--listen", "0.0.0.0:0", "--insecure-loopback"}, 2, "without TLS"},
      {"plain TCP by accident", {"--listen", "127.0.0.1:0"}, 2, "add --insecure-loopback"},
      {"folder of all", {"--listen", open_folder}, 2, "mode 0700"},
      {"relative", {"--listen", "unix:s"}, 2, "absolute path"},
      {"half of TLS", {"--listen", "127.0.0.1:0", "--tls-ca", "/dev/null"}, 2, "--tls-cert is mi"},
      {"health", {"health", "--listen", socket_}, 1, "child-test: "},
      {"good", {"--check-config", "--listen", "127.0.0.1:0", "--insecure-loopback"}, 0, "is good"},
      {"not good", {"--check-config", "--listen", "127.0.0.1:0"}, 2, "add --insecure-loopback"},
      {"sample", {"--sample-config"}, 0, "CHILD_TEST_TLS_CA"},
      {"no cookie file", {"--listen", socket_, "--cookie-file", "/nowhere"}, 2, "/nowhere"},
  };
  for (const Usage& row : cases) {
    SCOPED_TRACE(row.label);
    Spawn(row.arguments, /*with_result_pipe=*/false);
    EXPECT_EQ(ExitCode(), row.exit_code);
    EXPECT_THAT(ReadAll(child_->stdout_fd().get()) + ReadAll(child_->stderr_fd().get()),
                HasSubstr(row.output));
  }
}

}  // namespace
}  // namespace machine::common

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  std::string program = argv[1];
  machine::common::g_program = &program;
  return RUN_ALL_TESTS();
}
