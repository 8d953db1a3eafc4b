// What an operator relies on: children that are looked after, dependencies, one trace through all
// processes, and watches that miss nothing across restarts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "google/longrunning/operations.grpc.pb.h"
#include "machine/v1/machines.grpc.pb.h"
#include "machine/v1/operations.grpc.pb.h"
#include "machine/v1/server.grpc.pb.h"
#include "nlohmann/json.hpp"
#include "services/common/file/file.h"
#include "services/common/process/process_id.h"
#include "services/common/rpc/channel.h"
#include "tests/integration/listener.h"
#include "tests/integration/world.h"

namespace machine::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

constexpr absl::Duration kLimit = absl::Minutes(2);
constexpr char kToyDriver[] = "tests/golden/machine-driver-toy";

class OperateTest : public WorldTest {
 protected:
  OperateTest() {
    fs::copy_file(kToyDriver, world_.libexec() + "/machine-driver-toy");
    fs::create_directories(world_.Path("toy"));
    world_.SetEnv("TOY_FOLDER", world_.Path("toy"));
    world_.SetEnv("TOY_URL", engine_.url());
    // Nobody answers there.
    world_.SetEnv("TOY_SSH_PORT", "1");
  }

  // None while no orchestrator is there.
  std::unique_ptr<common::Channel> Connect() const {
    const auto text = common::ReadFile(world_.server_dir() + "/server.json");
    const auto json = nlohmann::json::parse(text.value_or(""), nullptr, /*allow_exceptions=*/false);
    if (!json.is_object()) return nullptr;
    return std::make_unique<common::Channel>(
        common::Channel::Local(json.value("address", ""), json.value("cookie", "")));
  }

  nlohmann::json Driver(absl::string_view name) const {
    const auto drivers = nlohmann::json::parse(Run("driver ls -o json").out);
    for (const auto& driver : drivers) {
      if (driver.at("name") == std::string(name)) return driver;
    }
    return nlohmann::json::object();
  }

  machine::v1::ServerInfo Info() const {
    const auto channel = Connect();
    const auto stub = machine::v1::Server::NewStub(channel->grpc());
    grpc::ClientContext context;
    channel->Prepare(context, kLimit);
    machine::v1::ServerInfo info;
    const grpc::Status status = stub->GetServerInfo(&context, {}, &info);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return info;
  }

  std::string CreateNone(absl::string_view name) const {
    return absl::StrCat("create -d none --url=", engine_.url(), " ", name);
  }

  Listener engine_;
};

// ---- Children

TEST_F(OperateTest, ACrashedDriverIsShownAndStartedAgainAndOthersDoNotNotice) {
  ASSERT_EQ(Run("create -d toy --skip-provision dev").exit_code, 0);
  ASSERT_EQ(Run(CreateNone("other")).exit_code, 0);
  const nlohmann::json before = Driver("toy");
  EXPECT_EQ(before.at("state"), "ready");
  const nlohmann::json other = Driver("none");
  ASSERT_EQ(world_.SignalAll("machine-driver-toy", SIGKILL), 1u);
  EXPECT_EQ(Run("stop dev").exit_code, 0);
  const nlohmann::json after = Driver("toy");
  EXPECT_EQ(after.at("state"), "ready");
  EXPECT_EQ(after.at("restarts"), 1);
  EXPECT_NE(after.at("pid"), before.at("pid"));
  EXPECT_THAT(after.at("error").get<std::string>(), HasSubstr("it ended with signal 9"));
  EXPECT_EQ(Driver("none"), other);
}

TEST_F(OperateTest, NeitherOrphansNorZombiesAreLeftWhenTheOrchestratorIsKilled) {
  ASSERT_EQ(Run("create -d toy --skip-provision dev").exit_code, 0);
  ASSERT_EQ(Run(CreateNone("other")).exit_code, 0);
  const std::vector<ProcessName> toys = world_.Processes("machine-driver-toy");
  const std::vector<ProcessName> others = world_.Processes("machine-driver-none");
  ASSERT_EQ(toys.size(), 1u);
  ASSERT_EQ(others.size(), 1u);
  // One cannot see that its orchestrator goes, because it is stopped.
  world_.SignalAll("machine-driver-toy", SIGSTOP);
  world_.SignalAll("machine-orchestrator", SIGKILL);
  EXPECT_TRUE(
      Eventually(kLimit, [&] { return !common::IsAlive(others[0].pid, others[0].start_time); }));
  // The next orchestrator sees to the other one.
  EXPECT_EQ(Run("ls -q").out, "dev\nother\n");
  EXPECT_TRUE(
      Eventually(kLimit, [&] { return !common::IsAlive(toys[0].pid, toys[0].start_time); }));
  EXPECT_EQ(Run("stop dev").exit_code, 0);
  // A child that was killed is not left as a zombie.
  const pid_t killed = world_.Processes("machine-driver-toy").at(0).pid;
  world_.SignalAll("machine-driver-toy", SIGKILL);
  EXPECT_TRUE(Eventually(kLimit, [&] { return !fs::exists(absl::StrCat("/proc/", killed)); }));
}

TEST_F(OperateTest, DependenciesTellWhatDoesNotAnswer) {
  ASSERT_EQ(Run("create -d toy --skip-provision dev").exit_code, 0);
  const auto names = [](const machine::v1::ServerInfo& info, bool healthy) {
    std::vector<std::string> all;
    for (const machine::v1::Dependency& dependency : info.dependencies()) {
      if (dependency.healthy() == healthy) all.push_back(dependency.name());
    }
    return all;
  };
  EXPECT_THAT(names(Info(), true), UnorderedElementsAre("store", "provisioner", "driver/toy"));
  // A driver that ends as soon as it is started.
  fs::remove(world_.libexec() + "/machine-driver-toy");
  ASSERT_TRUE(common::WriteFileAtomically(world_.libexec() + "/machine-driver-toy",
                                          "#!/bin/sh\necho 'out of toys' >&2; exit 1\n", 0755)
                  .ok());
  world_.SignalAll("machine-driver-toy", SIGKILL);
  ASSERT_TRUE(Eventually(kLimit, [&] {
    Run("status dev");
    return !names(Info(), false).empty();
  }));
  const machine::v1::ServerInfo info = Info();
  EXPECT_THAT(names(info, true), UnorderedElementsAre("store", "provisioner"));
  for (const machine::v1::Dependency& dependency : info.dependencies()) {
    if (dependency.name() == "driver/toy") {
      EXPECT_THAT(dependency.message(), HasSubstr("out of toys"));
    }
  }
}

// ---- One trace

TEST_F(OperateTest, AnOperationIsFoundByItsTraceInTheLogsOfAllProcesses) {
  constexpr char kTrace[] = "4bf92f3577b34da6a3ce929d0e0e4736";
  RunningCommand orchestrator = world_.StartOrchestrator("--log-level=debug");
  const auto channel = Connect();
  const auto stub = machine::v1::Machines::NewStub(channel->grpc());
  machine::v1::CreateMachineRequest request;
  request.set_machine_id("dev");
  machine::v1::Machine& machine = *request.mutable_machine();
  machine.set_driver("toy");
  for (const auto& [name, value] : std::map<std::string, std::string>{
           {"toy-folder", world_.Path("toy")}, {"toy-url", engine_.url()}}) {
    machine::v1::OptionValue& option = *machine.add_driver_options();
    option.set_name(name);
    option.set_string_value(value);
  }
  machine::v1::OptionValue& port = *machine.add_driver_options();
  port.set_name("toy-ssh-port");
  port.set_int_value(1);
  request.mutable_ssh_timeout()->set_seconds(1);
  grpc::ClientContext context;
  channel->Prepare(context, kLimit);
  context.AddMetadata("traceparent", absl::StrCat("00-", kTrace, "-00f067aa0ba902b7-01"));
  google::longrunning::Operation operation;
  ASSERT_TRUE(stub->CreateMachine(&context, request, &operation).ok());

  const auto events = machine::v1::OperationEvents::NewStub(channel->grpc());
  machine::v1::WatchOperationRequest watch;
  watch.set_name(operation.name());
  grpc::ClientContext watching;
  channel->Prepare(watching, kLimit);
  const auto reader = events->WatchOperation(&watching, watch);
  machine::v1::OperationEvent event;
  while (reader->Read(&event)) {
  }
  // The toy has no ssh, so the provisioner was the last to be asked.
  ASSERT_TRUE(event.operation().has_error());
  machine::v1::OperationMetadata metadata;
  ASSERT_TRUE(event.operation().metadata().UnpackTo(&metadata));
  EXPECT_EQ(metadata.trace_id(), kTrace);

  const auto components = [&] {
    std::set<std::string> found;
    for (const absl::string_view line : absl::StrSplit(orchestrator.ErrSoFar(), '\n')) {
      const auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
      if (json.is_object() && json.value("trace_id", "") == kTrace) {
        found.insert(json.at("component").get<std::string>());
      }
    }
    return found;
  };
  EXPECT_TRUE(Eventually(kLimit, [&] { return components().size() == 3; }));
  EXPECT_THAT(components(), UnorderedElementsAre("orchestrator", "toy", "provisioner"));
  orchestrator.Signal(SIGTERM);
  EXPECT_EQ(orchestrator.Wait().exit_code, 0);
}

TEST_F(OperateTest, AnOperationThatNobodyTracesHasATraceOfItsOwn) {
  ASSERT_EQ(Run(CreateNone("dev")).exit_code, 0);
  const auto operations = nlohmann::json::parse(Run("ops ls --all -o json").out);
  ASSERT_FALSE(operations.empty());
  const std::string text = operations.dump();
  EXPECT_THAT(Run(absl::StrCat("ops show ", operations.at(0).at("name").get<std::string>())).out,
              ::testing::ContainsRegex("Trace: *[0-9a-f]{32}"))
      << text;
}

// ---- Watches

// Follows all machines, from the token of what it has seen last, whatever becomes of the
// orchestrator.
class Follower {
 public:
  explicit Follower(std::function<std::unique_ptr<common::Channel>()> connect)
      : connect_(std::move(connect)), thread_([this] { Follow(); }) {}
  ~Follower() { Stop(); }

  void Stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }

  // Ids of the machines that it believes to be there. After Stop().
  std::set<std::string> Present() const {
    std::set<std::string> ids;
    for (const auto& [uid, machine] : machines_) ids.insert(machine.name());
    return ids;
  }
  const std::vector<std::string>& repeated() const { return repeated_; }
  int connections() const { return connections_; }
  int removed() const { return removed_; }
  bool began_anew() const { return began_anew_; }

 private:
  void Follow() {
    std::string token;
    while (!stop_) {
      const auto channel = connect_();
      if (channel == nullptr) {
        std::this_thread::yield();
        continue;
      }
      const auto stub = machine::v1::Machines::NewStub(channel->grpc());
      grpc::ClientContext context;
      channel->Prepare(context, absl::Seconds(2));
      machine::v1::WatchMachinesRequest request;
      request.set_resume_token(token);
      request.set_send_initial(true);
      const auto reader = stub->WatchMachines(&context, request);
      machine::v1::MachineEvent event;
      bool any = false;
      while (reader->Read(&event)) {
        any = true;
        Take(event, !token.empty());
        if (!event.resume_token().empty()) token = event.resume_token();
      }
      reader->Finish();
      if (any) ++connections_;
    }
  }

  void Take(const machine::v1::MachineEvent& event, bool resumed) {
    const std::string& uid = event.machine().uid();
    switch (event.type()) {
      case machine::v1::MachineEvent::BOOKMARK:
        return;
      case machine::v1::MachineEvent::DELETED:
        // It may be one that came and went while nobody watched.
        machines_.erase(uid);
        if (!gone_.insert(uid).second) repeated_.push_back("removed " + event.machine().name());
        ++removed_;
        return;
      case machine::v1::MachineEvent::ADDED:
        if (resumed) began_anew_ = true;
        break;
      default:
        break;
    }
    if (gone_.contains(uid)) repeated_.push_back("again " + event.machine().name());
    const auto known = machines_.find(uid);
    if (known != machines_.end() && known->second.etag() == event.machine().etag()) {
      repeated_.push_back(event.machine().name() + " " + event.machine().etag());
    }
    machines_[uid] = event.machine();
  }

  const std::function<std::unique_ptr<common::Channel>()> connect_;
  std::atomic<bool> stop_ = false;
  std::map<std::string, machine::v1::Machine> machines_;
  std::set<std::string> gone_;
  std::vector<std::string> repeated_;
  std::atomic<int> connections_ = 0;
  std::atomic<int> removed_ = 0;
  std::atomic<bool> began_anew_ = false;
  std::thread thread_;
};

TEST_F(OperateTest, AWatchOfMachinesHasNoGapAndNoRepetitionAcrossKills) {
  ASSERT_EQ(Run(CreateNone("first")).exit_code, 0);
  Follower follower([this] { return Connect(); });
  ASSERT_TRUE(Eventually(kLimit, [&] { return follower.connections() > 0; }));
  for (int round = 0; round < 4; ++round) {
    EXPECT_EQ(Run(CreateNone(absl::StrCat("a", round))).exit_code, 0);
    EXPECT_EQ(Run(CreateNone(absl::StrCat("b", round))).exit_code, 0);
    // Killed while the removal is under way, or just done: what it told last differs each time.
    RunningCommand remove = world_.Begin(absl::StrCat("rm -y a", round));
    if (round % 2 == 0) {
      Eventually(kLimit, [&] { return Run("ls -q").out.find("a0") == std::string::npos; });
    }
    world_.SignalAll("machine-orchestrator", SIGKILL);
    EXPECT_EQ(remove.Wait().exit_code, 0);
  }
  EXPECT_EQ(Run("ls -q").out, "b0\nb1\nb2\nb3\nfirst\n");
  const auto removed = [&] { return follower.removed() == 4; };
  EXPECT_TRUE(Eventually(kLimit, removed));
  follower.Stop();
  EXPECT_THAT(follower.Present(),
              UnorderedElementsAre("machines/first", "machines/b0", "machines/b1", "machines/b2",
                                   "machines/b3"));
  EXPECT_THAT(follower.repeated(), ::testing::IsEmpty());
  EXPECT_FALSE(follower.began_anew());
}

TEST_F(OperateTest, AWatchOfAnOperationHasEachEventOnceAcrossKills) {
  ASSERT_EQ(Run("ls").exit_code, 0);
  // Waits for an ssh server that is not there, while it is killed again and again.
  RunningCommand create = world_.Begin("create -d toy --ssh-timeout=20s dev");
  ASSERT_TRUE(Eventually(kLimit, [&] { return Run("ls -q").out == "dev\n"; }));
  const std::string name =
      nlohmann::json::parse(Run("ops ls -o json").out).at(0).at("name").get<std::string>();
  const std::string operation =
      absl::StartsWith(name, "operations/") ? name : absl::StrCat("operations/", name);
  std::vector<int64_t> sequences;
  int kills = 0;
  bool done = false;
  while (!done) {
    const auto channel = Connect();
    if (channel == nullptr) {
      Run("ls");
      continue;
    }
    const auto stub = machine::v1::OperationEvents::NewStub(channel->grpc());
    grpc::ClientContext context;
    channel->Prepare(context, absl::Seconds(10));
    machine::v1::WatchOperationRequest request;
    request.set_name(operation);
    request.set_after_sequence(sequences.empty() ? 0 : sequences.back());
    const auto reader = stub->WatchOperation(&context, request);
    machine::v1::OperationEvent event;
    while (reader->Read(&event)) {
      sequences.push_back(event.sequence());
      done = event.has_operation();
      if (!done && kills < 3 && sequences.size() % 2 == 1) {
        ++kills;
        world_.SignalAll("machine-orchestrator", SIGKILL);
      }
    }
    reader->Finish();
    if (!done) Run("ls");
  }
  create.Wait();
  EXPECT_GT(kills, 0);
  for (size_t i = 0; i < sequences.size(); ++i) {
    EXPECT_EQ(sequences[i], static_cast<int64_t>(i) + 1);
  }
}

// ---- The end in order

TEST_F(OperateTest, SigtermUnderLoadFailsNoCommandAndMakesEachMachineOnce) {
  constexpr int kRounds = 3;
  constexpr int kWorkers = 4;
  constexpr int kEach = 4;
  ASSERT_EQ(Run("ls").exit_code, 0);
  std::atomic<int> done = 0;
  std::thread signaller([&] {
    for (int round = 1; round <= kRounds; ++round) {
      // In the middle of the work, each time.
      Eventually(kLimit, [&] { return done >= round * kWorkers * kEach / (kRounds + 1); });
      std::optional<ProcessName> serving;
      EXPECT_TRUE(
          Eventually(kLimit, [&] { return (serving = world_.Orchestrator()).has_value(); }));
      world_.SignalAll("machine-orchestrator", SIGTERM);
      EXPECT_TRUE(
          Eventually(kLimit, [&] { return !common::IsAlive(serving->pid, serving->start_time); }));
    }
  });
  const std::vector<Outcome> outcomes = AllAtOnce(kWorkers, [&](int worker) {
    Outcome outcome;
    for (int i = 0; i < kEach; ++i) {
      outcome = Run(CreateNone(absl::StrCat("w", worker, "-", i)));
      if (outcome.exit_code != 0) break;
      ++done;
    }
    return outcome;
  });
  done = kWorkers * kEach;
  signaller.join();
  for (const Outcome& outcome : outcomes) EXPECT_EQ(outcome.exit_code, 0) << outcome;
  const std::vector<std::string> names = absl::StrSplit(Run("ls -q").out, '\n', absl::SkipEmpty());
  EXPECT_EQ(names.size(), static_cast<size_t>(kWorkers * kEach));
  const auto creates = nlohmann::json::parse(Run("ops ls --all -o json").out);
  EXPECT_EQ(creates.size(), names.size());
  for (const auto& create : creates) EXPECT_TRUE(create.contains("response")) << create;
}

TEST_F(OperateTest, LogsThatAreFollowedGoOnWithTheNextOrchestratorWhereTheyWere) {
  ASSERT_EQ(Run("ls").exit_code, 0);
  RunningCommand create = world_.Begin("create -d toy --ssh-timeout=15s dev");
  ASSERT_TRUE(Eventually(kLimit, [&] { return Run("ls -q").out == "dev\n"; }));
  RunningCommand logs = world_.Begin("logs -f dev");
  constexpr char kWaiting[] = "Waiting for SSH to be available...";
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(Eventually(kLimit, [&] { return absl::StrContains(logs.OutSoFar(), kWaiting); }));
    const std::optional<ProcessName> serving = world_.Orchestrator();
    ASSERT_TRUE(serving.has_value());
    world_.SignalAll("machine-orchestrator", SIGTERM);
    ASSERT_TRUE(
        Eventually(kLimit, [&] { return !common::IsAlive(serving->pid, serving->start_time); }));
    ASSERT_TRUE(Eventually(kLimit, [&] { return world_.Orchestrator().has_value(); }));
  }
  const Outcome followed = logs.Wait();
  EXPECT_EQ(followed.exit_code, 0) << followed;
  EXPECT_THAT(followed.out, HasSubstr("failed: "));
  // Nothing is told twice.
  EXPECT_EQ(followed.out.find(kWaiting), followed.out.rfind(kWaiting)) << followed;
  create.Wait();
}

}  // namespace
}  // namespace machine::tests
