#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/autostart/private_connector.h"
#include "cli/connect/orchestrator.h"
#include "machine/v1/server.grpc.pb.h"
#include "services/common/file/file.h"
#include "services/common/process/process.h"
#include "services/common/process/process_id.h"

namespace machine::cli {
namespace {

std::string* program = nullptr;

class AutostartTest : public testing::Test {
 protected:
  AutostartTest() {
    char folder[] = "/tmp/dm-auto-XXXXXX";  // Short, for the socket's sake.
    storage_ = mkdtemp(folder);
    // A copy of its own, so that a test may install another build.
    program_ = storage_ + "/machine-orchestrator";
    std::filesystem::copy_file(*program, program_);
  }
  ~AutostartTest() override {
    if (const auto server = Server(); server.has_value()) {
      (void)common::SignalProcess(static_cast<pid_t>(server->pid), server->start_time, SIGKILL);
    }
    std::filesystem::remove_all(storage_);
  }

  std::optional<ServerFile> Server() const {
    return ReadServerFile(storage_ + "/server/server.json");
  }
  void Behave(absl::string_view behaviour) {
    ASSERT_TRUE(common::WriteFileAtomically(storage_ + "/behaviour", behaviour, 0600).ok());
  }
  int64_t Starts() const {
    return static_cast<int64_t>(common::ReadFile(storage_ + "/starts").value_or("").size() /
                                strlen("start\n"));
  }
  PrivateConnector::Options Options() const {
    return {.storage_path = storage_, .program = program_};
  }
  // One command: connects and asks the orchestrator for its process id.
  absl::StatusOr<int64_t> AskPid() {
    PrivateConnector connector(Options(), console_);
    Orchestrator orchestrator(connector);
    const auto info = orchestrator.Call<machine::v1::Server>(
        &machine::v1::Server::Stub::GetServerInfo, machine::v1::GetServerInfoRequest());
    if (!info.ok()) return info.status();
    return info->pid();
  }

  std::string storage_;
  std::string program_;
  FakeConsole console_;
};

TEST_F(AutostartTest, FirstCommandStartsItAndTheNextFindsIt) {
  const auto first = AskPid();
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(AskPid().value(), *first);
  EXPECT_EQ(Starts(), 1);
  struct stat info = {};
  ASSERT_EQ(stat((storage_ + "/server").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700U);
}

TEST_F(AutostartTest, ManyAtOnceStartExactlyOne) {
  std::vector<std::thread> commands;
  std::atomic<int> served = 0;
  commands.reserve(20);
  for (int i = 0; i < 20; ++i) {
    commands.emplace_back([&] { served += AskPid().ok() ? 1 : 0; });
  }
  for (std::thread& command : commands) command.join();
  EXPECT_EQ(served, 20);
  EXPECT_EQ(Starts(), 1);
}

TEST_F(AutostartTest, OneThatWasKilledIsStartedAgain) {
  const int64_t first = AskPid().value();
  ASSERT_EQ(kill(static_cast<pid_t>(first), SIGKILL), 0);
  const auto second = AskPid();
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_NE(*second, first);
}

TEST_F(AutostartTest, OneThatDiesBetweenTwoCallsIsStartedAgain) {
  PrivateConnector connector(Options(), console_);
  Orchestrator orchestrator(connector);
  const auto ask = [&] {
    return orchestrator.Call<machine::v1::Server>(&machine::v1::Server::Stub::GetServerInfo,
                                                  machine::v1::GetServerInfoRequest());
  };
  const auto first = ask();
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_EQ(kill(static_cast<pid_t>(first->pid()), SIGKILL), 0);
  const auto second = ask();
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_NE(second->pid(), first->pid());
}

TEST_F(AutostartTest, OneThatEndsOnItsWayUpIsStartedAgain) {
  Behave("once");
  EXPECT_TRUE(AskPid().ok());
  EXPECT_EQ(Starts(), 2);
}

TEST_F(AutostartTest, OneThatEndsIsWaitedForUntilItsStoreIsFree) {
  common::SpawnOptions spawn;
  spawn.argv = {"/bin/cat"};
  spawn.stdin_from = common::Stdio::Pipe();
  auto leaving = common::Process::Spawn(spawn);
  ASSERT_TRUE(leaving.ok()) << leaving.status();
  Behave(absl::StrCat("busy ", leaving->pid()));
  absl::StatusOr<int64_t> pid;
  std::thread command([&] { pid = AskPid(); });
  console_.AwaitErr("Waiting for the orchestrator that ends");
  leaving->stdin_fd().reset();
  ASSERT_TRUE(leaving->Wait().ok());
  command.join();
  EXPECT_TRUE(pid.ok()) << pid.status();
}

TEST_F(AutostartTest, OneThatFollowedOnTheSameSocketIsReachedWithItsOwnCookie) {
  PrivateConnector connector(Options(), console_);
  Orchestrator orchestrator(connector);
  ASSERT_TRUE(orchestrator.channel().ok());
  const ServerFile first = *Server();
  ASSERT_EQ(kill(static_cast<pid_t>(first.pid), SIGKILL), 0);
  const int64_t second = AskPid().value();
  const auto info = orchestrator.Call<machine::v1::Server>(
      &machine::v1::Server::Stub::GetServerInfo, machine::v1::GetServerInfoRequest());
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->pid(), second);
}

TEST_F(AutostartTest, NewBuildReplacesAnIdleOne) {
  const int64_t first = AskPid().value();
  std::filesystem::remove(program_);
  std::filesystem::copy_file(*program, program_);
  const auto second = AskPid();
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_NE(*second, first);
  EXPECT_EQ(Starts(), 2);
}

TEST_F(AutostartTest, StaleFileOfAnotherProcessIsNotBelieved) {
  std::filesystem::create_directories(storage_ + "/server");
  // This process is alive but started at another time than the file says.
  std::ofstream(storage_ + "/server/server.json")
      << absl::StrCat(R"({"pid": )", getpid(), R"(, "start_time": 1, "address": "unix:/nowhere"})");
  EXPECT_TRUE(AskPid().ok());
}

TEST_F(AutostartTest, ItsOwnWordsSayWhyItCannotStart) {
  Behave("error");
  EXPECT_EQ(AskPid().status().message(),
            "the orchestrator cannot start: the store is from a newer version");
}

TEST_F(AutostartTest, EndOfItsLogSaysWhyItDied) {
  std::filesystem::create_directories(storage_ + "/server");
  std::ofstream(storage_ + "/server/server.log") << "an old line\n";
  Behave("die");
  const absl::Status status = AskPid().status();
  EXPECT_TRUE(absl::StrContains(status.message(), "the disk is on fire")) << status;
  EXPECT_FALSE(absl::StrContains(status.message(), "an old line")) << status;
}

TEST_F(AutostartTest, MissingProgramNamesThePlaces) {
  const auto found = FindOrchestrator(FakeEnvironment(), "/opt/dm/bin/docker-machine");
  EXPECT_EQ(found.status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(absl::StrContains(found.status().message(),
                                "/opt/dm/libexec/docker-machine/machine-orchestrator"));
  EXPECT_EQ(FindOrchestrator(FakeEnvironment({{"MACHINE_LIBEXEC", storage_}}), "/x/y").value(),
            program_);
}

}  // namespace
}  // namespace machine::cli

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  machine::cli::program = new std::string(std::filesystem::absolute(argv[1]));
  return RUN_ALL_TESTS();
}
