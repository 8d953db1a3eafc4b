#include "tests/integration/world.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "nlohmann/json.hpp"
#include "services/common/file/file.h"
#include "services/common/process/process_id.h"
#include "services/common/process/run.h"

namespace machine::tests {
namespace {

namespace fs = std::filesystem;

// Far more than anything takes here, also on a busy machine.
constexpr absl::Duration kRunLimit = absl::Minutes(10);
constexpr absl::Duration kStopLimit = absl::Seconds(30);
constexpr absl::Duration kPoll = absl::Milliseconds(10);
constexpr size_t kLogLines = 40;

constexpr absl::string_view kCommand = "cli/docker-machine";
constexpr absl::string_view kServices[] = {
    "services/orchestrator/machine-orchestrator", "services/provisioner/machine-provisioner",
    "drivers/none/machine-driver-none",           "drivers/generic/machine-driver-generic",
    "drivers/docker/machine-driver-docker",
};

std::string NewFolder(const char* name) {
  // Short, for the sake of the sockets below it, whose paths have at most 107 bytes.
  std::string folder = absl::StrCat("/tmp/", name, "XXXXXX");
  if (mkdtemp(folder.data()) == nullptr) std::abort();
  return folder;
}

// The programs, copied once: a copy knows its prefix by its own path, a link into the build does
// not.
class Programs {
 public:
  Programs() : folder_(NewFolder("mp")) {
    const fs::path runfiles = fs::current_path();
    for (const absl::string_view program : kServices) Copy(runfiles / std::string(program));
    Copy(runfiles / std::string(kCommand));
  }
  ~Programs() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  // Hard links, so that each prefix costs nothing.
  void Install(const std::string& prefix) const {
    fs::create_directories(prefix + "/bin");
    fs::create_directories(prefix + "/libexec/docker-machine");
    for (const absl::string_view program : kServices) {
      const fs::path name = fs::path(std::string(program)).filename();
      fs::create_hard_link(folder_ / name, prefix / ("libexec/docker-machine" / name));
    }
    fs::create_hard_link(folder_ / "docker-machine", prefix + "/bin/docker-machine");
  }

 private:
  void Copy(const fs::path& program) { fs::copy_file(program, folder_ / program.filename()); }

  const fs::path folder_;
};

const Programs& InstalledPrograms() {
  static const Programs programs;
  return programs;
}

Outcome RunProgramIn(const std::vector<std::string>& argv, std::vector<std::string> environment,
                     absl::string_view stdin_data) {
  common::RunOptions options;
  options.stdin_data = std::string(stdin_data);
  options.timeout = kRunLimit;
  options.env = std::move(environment);
  options.max_output_bytes = 256 << 20;
  absl::StatusOr<common::RunResult> result = common::RunProgram(argv, options);
  if (!result.ok()) return {.exit_code = -1, .out = "", .err = result.status().ToString()};
  return {.exit_code = result->exit_code,
          .out = std::move(result->stdout_data),
          .err = std::move(result->stderr_data)};
}

std::vector<std::string> Words(absl::string_view line) {
  return absl::StrSplit(line, ' ', absl::SkipEmpty());
}

}  // namespace

std::ostream& operator<<(std::ostream& stream, const Outcome& outcome) {
  return stream << "exit code " << outcome.exit_code << "\n--- stdout\n"
                << outcome.out << "--- stderr\n"
                << outcome.err << "---";
}

bool Eventually(absl::Duration limit, absl::FunctionRef<bool()> condition) {
  const absl::Time deadline = absl::Now() + limit;
  while (!condition()) {
    if (absl::Now() >= deadline) return false;
    absl::SleepFor(kPoll);
  }
  return true;
}

std::vector<Outcome> AllAtOnce(int count, absl::FunctionRef<Outcome(int)> work) {
  std::vector<Outcome> outcomes(static_cast<size_t>(count));
  std::vector<std::thread> threads;
  absl::Notification go;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      go.WaitForNotification();
      outcomes[static_cast<size_t>(i)] = work(i);
    });
  }
  go.Notify();
  for (std::thread& thread : threads) thread.join();
  return outcomes;
}

RunningCommand::RunningCommand(const std::vector<std::string>& argv,
                               std::vector<std::string> environment, const std::string& folder)
    : out_path_(folder + "/outXXXXXX"), err_path_(folder + "/errXXXXXX"), process_([&] {
        const common::UniqueFd out(mkostemp(out_path_.data(), O_CLOEXEC));
        const common::UniqueFd err(mkostemp(err_path_.data(), O_CLOEXEC));
        common::SpawnOptions options;
        options.argv = argv;
        options.env = std::move(environment);
        options.stdout_to = common::Stdio::Fd(out.get());
        options.stderr_to = common::Stdio::Fd(err.get());
        return common::Process::Spawn(options).value();
      }()) {}

std::string RunningCommand::OutSoFar() const { return common::ReadFile(out_path_).value_or(""); }

std::string RunningCommand::ErrSoFar() const { return common::ReadFile(err_path_).value_or(""); }

Outcome RunningCommand::Wait() {
  const absl::StatusOr<common::ExitStatus> exit = process_.WaitFor(absl::Now() + kRunLimit);
  if (!exit.ok()) return {.exit_code = -1, .out = "", .err = exit.status().ToString()};
  return {.exit_code = exit->exit_code, .out = OutSoFar(), .err = ErrSoFar()};
}

World::World() : folder_(NewFolder("mw")), storage_(folder_ + "/s") {
  InstalledPrograms().Install(folder_ + "/prefix");
  fs::create_directory(folder_ + "/home");
  environment_ = {
      {"HOME", folder_ + "/home"},
      {"LC_ALL", "C.UTF-8"},
      {"MACHINE_STORAGE_PATH", storage_},
      {"PATH",
       folder_ + "/prefix/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
      {"SHELL", "/bin/bash"},
  };
}

World::~World() {
  for (const ProcessName& process : Processes()) {
    common::SignalProcess(process.pid, process.start_time, SIGKILL).IgnoreError();
  }
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

std::string World::Path(absl::string_view leaf) const { return absl::StrCat(folder_, "/", leaf); }

std::string World::machine_folder(absl::string_view name) const {
  return absl::StrCat(storage_, "/machines/", name);
}

std::vector<std::string> World::Environment(const std::map<std::string, std::string>& more) const {
  std::map<std::string, std::string> all = more;
  all.insert(environment_.begin(), environment_.end());
  std::vector<std::string> lines;
  for (const auto& [name, value] : all) lines.push_back(absl::StrCat(name, "=", value));
  return lines;
}

Outcome World::Run(absl::string_view line) const { return RunWords(Words(line)); }

Outcome World::Run(absl::string_view line,
                   const std::map<std::string, std::string>& variables) const {
  std::vector<std::string> argv = Words(line);
  argv.insert(argv.begin(), Path("prefix/bin/docker-machine"));
  return RunProgramIn(argv, Environment(variables), "");
}

Outcome World::RunWords(const std::vector<std::string>& words, absl::string_view stdin_data) const {
  std::vector<std::string> argv = words;
  argv.insert(argv.begin(), Path("prefix/bin/docker-machine"));
  return RunProgramIn(argv, Environment(), stdin_data);
}

Outcome World::RunOther(const std::vector<std::string>& argv, absl::string_view stdin_data) const {
  return RunProgramIn(argv, Environment(), stdin_data);
}

RunningCommand World::Begin(absl::string_view line) const {
  std::vector<std::string> argv = Words(line);
  argv.insert(argv.begin(), Path("prefix/bin/docker-machine"));
  return RunningCommand(argv, Environment(), folder_);
}

RunningCommand World::BeginOrchestrator(absl::string_view options) const {
  std::vector<std::string> argv = Words(options);
  argv.insert(argv.begin(),
              {libexec() + "/machine-orchestrator", "--private", "--storage-path=" + storage_});
  return RunningCommand(argv, Environment(), folder_);
}

RunningCommand World::StartOrchestrator(absl::string_view options) const {
  RunningCommand orchestrator = BeginOrchestrator(options);
  const bool serves = Eventually(kStopLimit, [&] {
    const std::optional<ProcessName> found = Orchestrator();
    return found.has_value() && found->pid == orchestrator.pid();
  });
  EXPECT_TRUE(serves) << orchestrator.ErrSoFar();
  return orchestrator;
}

std::optional<ProcessName> World::Orchestrator() const {
  const auto text = common::ReadFile(server_dir() + "/server.json");
  if (!text.ok()) return std::nullopt;
  const auto json = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::nullopt;
  return ProcessName{.pid = json.value("pid", 0),
                     .start_time = json.value("start_time", int64_t{0})};
}

std::vector<ProcessName> World::Processes(absl::string_view program) const {
  std::vector<ProcessName> found;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc", error)) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &pid)) continue;
    // The start time first: should the number be taken by another process, the pair is of neither.
    const absl::StatusOr<int64_t> start_time = common::ProcessStartTime(pid);
    const absl::StatusOr<std::string> words =
        common::ReadFile(absl::StrCat("/proc/", pid, "/cmdline"));
    if (!start_time.ok() || !words.ok()) continue;
    const absl::string_view argv0 = absl::string_view(*words).substr(0, words->find('\0'));
    if (!absl::StartsWith(argv0, folder_ + "/")) continue;
    if (!program.empty() && !absl::EndsWith(argv0, absl::StrCat("/", program))) continue;
    found.push_back({.pid = pid, .start_time = *start_time});
  }
  return found;
}

size_t World::SignalAll(absl::string_view program, int signal) const {
  const std::vector<ProcessName> processes = Processes(program);
  for (const ProcessName& process : processes) {
    common::SignalProcess(process.pid, process.start_time, signal).IgnoreError();
  }
  if (signal != SIGKILL) return processes.size();
  const bool gone = Eventually(kStopLimit, [&] {
    return std::none_of(processes.begin(), processes.end(), [](const ProcessName& process) {
      return common::IsAlive(process.pid, process.start_time);
    });
  });
  EXPECT_TRUE(gone) << program << " survives SIGKILL";
  return processes.size();
}

bool World::StopOrchestrator() const {
  SignalAll("machine-orchestrator", SIGTERM);
  return Eventually(kStopLimit, [&] { return Processes("machine-orchestrator").empty(); });
}

void World::End() {
  EXPECT_TRUE(StopOrchestrator()) << "the orchestrator does not end by SIGTERM";
  const bool nothing_left = Eventually(kStopLimit, [&] { return Processes().empty(); });
  if (!nothing_left) {
    for (const ProcessName& process : Processes()) {
      ADD_FAILURE() << "left running: "
                    << common::ReadFile(absl::StrCat("/proc/", process.pid, "/comm")).value_or("?");
    }
  }
  if (!testing::Test::HasFailure()) return;
  const std::string log = common::ReadFile(server_dir() + "/server.log").value_or("");
  std::vector<std::string> lines = absl::StrSplit(log, '\n');
  if (lines.size() > kLogLines) lines.erase(lines.begin(), lines.end() - kLogLines);
  std::cout << "--- the end of server.log\n" << absl::StrJoin(lines, "\n") << "\n---\n";
}

}  // namespace machine::tests
