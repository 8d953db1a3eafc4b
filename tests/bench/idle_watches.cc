// What idle watches cost a shared orchestrator: memory for each, and how long an event takes to
// reach all of them. Over one connection with TLS both ways, as one user.
//
//   bazel run //tests/bench:idle_watches              # 10,000
//   bazel run //tests/bench:idle_watches -- 1000
#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/time/clock.h"
#include "machine/v1/machines.grpc.pb.h"
#include "services/common/file/file.h"
#include "services/common/process/process.h"
#include "services/common/process/run.h"
#include "services/common/rpc/channel.h"
#include "services/common/rpc/client_reactors.h"

namespace machine::bench {
namespace {

namespace fs = std::filesystem;
using Watch = common::ReadStream<machine::v1::MachineEvent>;

constexpr absl::Duration kStartLimit = absl::Seconds(30);
constexpr absl::Duration kCallTimeout = absl::Minutes(1);

[[noreturn]] void Die(const std::string& why) {
  fprintf(stderr, "idle_watches: %s\n", why.c_str());
  exit(1);
}

// A line of /proc/PID/status, as a number.
int64_t StatusNumber(pid_t pid, absl::string_view name) {
  const std::string text = common::ReadFile(absl::StrCat("/proc/", pid, "/status")).value_or("");
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (absl::ConsumePrefix(&line, name)) return atoll(std::string(line.substr(1)).c_str());
  }
  return 0;
}

// A shared orchestrator in a folder of its own, and a client that has joined.
class Shared {
 public:
  Shared() {
    char folder[] = "/tmp/mbXXXXXX";
    folder_ = mkdtemp(folder);
    common::SpawnOptions spawn;
    spawn.argv = {program_, "--storage-path=" + folder_ + "/s", "--listen=127.0.0.1:0",
                  "--libexec-dir=" + (fs::current_path() / "drivers/none").string(),
                  "--log-level=error"};
    process_ = std::make_unique<common::Process>(*common::Process::Spawn(spawn));
    const absl::Time deadline = absl::Now() + kStartLimit;
    while (address_.empty()) {
      if (absl::Now() > deadline) Die("the orchestrator does not start");
      const auto info = nlohmann::json::parse(
          common::ReadFile(folder_ + "/s/server/server.json").value_or(""), nullptr, false);
      if (info.is_object()) address_ = info.value("listen", "");
      absl::SleepFor(absl::Milliseconds(10));
    }
    const std::string token =
        RunIt({program_, "user", "token", "bench", "--storage-path=" + folder_ + "/s"});
    Cli({"server", "add", "bench", "--address", address_});
    Cli({"server", "use", "bench"});
    Cli({"login", std::string(absl::StripAsciiWhitespace(token))});
  }
  ~Shared() {
    process_->Signal(SIGTERM).IgnoreError();
    process_->WaitFor(absl::Now() + kStartLimit).IgnoreError();
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  void Cli(std::vector<std::string> words) const {
    words.insert(words.begin(), {(fs::current_path() / "cli/docker-machine").string(),
                                 "--storage-path=" + folder_ + "/c"});
    RunIt(words);
  }
  common::Channel Connect() const {
    const auto file = [&](const char* leaf) {
      return common::ReadFile(absl::StrCat(folder_, "/c/contexts/bench/", leaf)).value_or("");
    };
    return common::Channel::Tls(address_, {.ca_pem = file("ca.pem"),
                                           .client_cert_pem = file("cert.pem"),
                                           .client_key_pem = file("key.pem")});
  }
  int64_t ResidentKib() const { return StatusNumber(process_->pid(), "VmRSS"); }
  int64_t Threads() const { return StatusNumber(process_->pid(), "Threads"); }

 private:
  static std::string RunIt(const std::vector<std::string>& argv) {
    const auto result = common::RunProgram(argv, {});
    if (!result.ok()) Die(result.status().ToString());
    if (result->exit_code != 0) Die(absl::StrCat(argv[1], ": ", result->stderr_data));
    return result->stdout_data;
  }

  const std::string program_ =
      (fs::current_path() / "services/orchestrator/machine-orchestrator").string();
  std::string folder_;
  std::string address_;
  std::unique_ptr<common::Process> process_;
};

void Measure(int count) {
  const Shared shared;
  shared.Cli({"create", "-d", "none", "--url", "tcp://127.0.0.1:1", "dev"});
  const common::Channel channel = shared.Connect();
  const auto stub = machine::v1::Machines::NewStub(channel.grpc());
  const int64_t before = shared.ResidentKib();

  absl::BlockingCounter begun(count);
  absl::BlockingCounter told(count);
  absl::BlockingCounter ended(count);
  const machine::v1::WatchMachinesRequest request;
  std::vector<std::shared_ptr<Watch>> watches;
  for (int i = 0; i < count; ++i) {
    auto watch = Watch::Create(
        [&](const machine::v1::MachineEvent& event) {
          // A bookmark first; then the one change.
          event.type() == machine::v1::MachineEvent::BOOKMARK ? begun.DecrementCount()
                                                              : told.DecrementCount();
        },
        [&](const absl::Status&) { ended.DecrementCount(); });
    channel.Prepare(watch->context(), absl::InfiniteDuration());
    stub->async()->WatchMachines(&watch->context(), &request, watch.get());
    watch->Begin();
    watches.push_back(std::move(watch));
  }
  begun.Wait();
  const int64_t with = shared.ResidentKib();
  printf(
      "%d idle watches over mTLS: orchestrator %ld MB (%ld MB without; target 250 MB), "
      "%.1f KiB each, %ld threads\n",
      count, with / 1024, before / 1024,
      static_cast<double>(with - before) / static_cast<double>(count), shared.Threads());

  machine::v1::UpdateMachineRequest update;
  update.mutable_machine()->set_name("machines/dev");
  (*update.mutable_machine()->mutable_labels())["team"] = "ci";
  machine::v1::Machine machine;
  grpc::ClientContext context;
  channel.Prepare(context, kCallTimeout);
  const absl::Time start = absl::Now();
  if (!stub->UpdateMachine(&context, update, &machine).ok()) Die("the machine does not change");
  told.Wait();
  printf("an event reaches all: %ld ms (target 1,000 ms)\n",
         absl::ToInt64Milliseconds(absl::Now() - start));
  for (const auto& watch : watches) watch->Cancel();
  ended.Wait();
}

}  // namespace
}  // namespace machine::bench

int main(int argc, char** argv) {
  const int count = argc > 1 ? atoi(argv[1]) : 10'000;
  if (count < 1) return 2;
  machine::bench::Measure(count);
  return 0;
}
