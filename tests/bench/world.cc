#include "tests/bench/world.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "nlohmann/json.hpp"
#include "services/common/process/process_id.h"

namespace machine::bench {
namespace {

namespace fs = std::filesystem;

std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The number after `name` in /proc/PID/status.
int64_t StatusKib(pid_t pid, absl::string_view name) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  std::string word;
  int64_t kib = 0;
  while (status >> word) {
    if (word == name) status >> kib;
  }
  return kib;
}

std::vector<pid_t> ChildrenOf(pid_t parent) {
  std::vector<pid_t> children;
  std::error_code error;
  for (const fs::directory_entry& task :
       fs::directory_iterator(absl::StrCat("/proc/", parent, "/task"), error)) {
    std::ifstream list(task.path() / "children");
    for (pid_t pid = 0; list >> pid;) children.push_back(pid);
  }
  return children;
}

}  // namespace

World::World(const std::vector<std::string>& more_programs) {
  char folder[] = "/tmp/mbXXXXXX";
  folder_ = mkdtemp(folder);
  storage_ = folder_ + "/s";
  const fs::path here = fs::current_path();
  const std::string libexec = folder_ + "/libexec";
  fs::create_directory(libexec);
  program_ = (here / "cli/docker-machine").string();
  std::vector<std::string> programs = {
      "services/orchestrator/machine-orchestrator", "services/provisioner/machine-provisioner",
      "drivers/none/machine-driver-none", "drivers/generic/machine-driver-generic"};
  programs.insert(programs.end(), more_programs.begin(), more_programs.end());
  for (const std::string& program : programs) {
    fs::create_symlink(here / program, fs::path(libexec) / fs::path(program).filename());
  }
  environment_ = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + folder_,
                  "MACHINE_STORAGE_PATH=" + storage_, "MACHINE_LIBEXEC=" + libexec,
                  "SHELL=/bin/bash"};
}

World::~World() {
  StopOrchestrator();
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

ProcessRun World::Run(const std::vector<std::string>& arguments, bool capture) const {
  std::vector<std::string> all = {program_};
  all.insert(all.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (const std::string& argument : all) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  std::vector<char*> envp;
  for (const std::string& variable : environment_) {
    envp.push_back(const_cast<char*>(variable.c_str()));
  }
  envp.push_back(nullptr);

  char output_path[] = "/tmp/mboutXXXXXX";
  const int output = capture ? mkostemp(output_path, O_CLOEXEC) : open("/dev/null", O_WRONLY);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, 1);
  posix_spawn_file_actions_adddup2(&actions, output, 2);

  ProcessRun run;
  pid_t pid = 0;
  const absl::Time start = absl::Now();
  const int error =
      posix_spawn(&pid, program_.c_str(), &actions, nullptr, argv.data(), envp.data());
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  rusage usage{};
  if (error == 0) wait4(pid, &status, 0, &usage);
  run.wall = absl::Now() - start;
  run.exit_code = error == 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 255;
  run.peak_kib = usage.ru_maxrss;
  close(output);
  if (capture) {
    run.output = ReadText(output_path);
    unlink(output_path);
  }
  return run;
}

World::ServerInfo World::ReadServerInfo() const {
  ServerInfo info;
  const auto json =
      nlohmann::json::parse(ReadText(storage_ + "/server/server.json"), nullptr, false);
  if (json.is_discarded()) return info;
  info.pid = json.value("pid", 0);
  info.start_time = json.value("start_time", int64_t{0});
  info.address = json.value("address", "");
  info.cookie = json.value("cookie", "");
  return info;
}

void World::StopOrchestrator() {
  const ServerInfo info = ReadServerInfo();
  if (info.pid == 0) return;
  common::SignalProcess(info.pid, info.start_time, SIGTERM).IgnoreError();
  const absl::Time give_up = absl::Now() + absl::Seconds(15);
  while (common::IsAlive(info.pid, info.start_time) && absl::Now() < give_up) {
    absl::SleepFor(absl::Milliseconds(5));
  }
}

common::Channel World::Connect() const {
  const ServerInfo info = ReadServerInfo();
  return common::Channel::Local(info.address, info.cookie);
}

void World::KillOrchestrator() {
  const ServerInfo info = ReadServerInfo();
  std::vector<pid_t> pids = ChildrenOf(info.pid);
  pids.insert(pids.begin(), info.pid);
  for (const pid_t pid : pids) kill(pid, SIGKILL);
  while (common::IsAlive(info.pid, info.start_time)) absl::SleepFor(absl::Milliseconds(1));
}

int64_t World::OrchestratorRssKib() const { return StatusKib(ReadServerInfo().pid, "VmRSS:"); }

int64_t World::OrchestratorPeakKib() const { return StatusKib(ReadServerInfo().pid, "VmHWM:"); }

int64_t World::ChildPeakKib(absl::string_view program) const {
  for (const pid_t pid : ChildrenOf(ReadServerInfo().pid)) {
    std::error_code error;
    const fs::path file = fs::read_symlink(absl::StrCat("/proc/", pid, "/exe"), error);
    if (file.filename().string() == program) return StatusKib(pid, "VmHWM:");
  }
  return 0;
}

int InParallel(int threads, int count, const std::function<bool(int)>& work) {
  absl::Mutex mu;
  int next = 0;
  int failed = 0;
  std::vector<std::thread> pool;
  for (int t = 0; t < threads; ++t) {
    pool.emplace_back([&] {
      for (;;) {
        int mine = 0;
        {
          absl::MutexLock lock(&mu);
          if (next == count) return;
          mine = next++;
        }
        if (work(mine)) continue;
        absl::MutexLock lock(&mu);
        ++failed;
      }
    });
  }
  for (std::thread& thread : pool) thread.join();
  return failed;
}

void Print(absl::string_view what, absl::string_view value, absl::string_view target) {
  printf("%-52s %-26s %s\n", std::string(what).c_str(), std::string(value).c_str(),
         std::string(target).c_str());
  fflush(stdout);
}

std::string Ms(absl::Duration duration) {
  char text[32];
  snprintf(text, sizeof text, "%.1f ms", absl::ToDoubleMilliseconds(duration));
  return text;
}

absl::Duration Median(std::vector<absl::Duration> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? absl::ZeroDuration() : values[values.size() / 2];
}

}  // namespace machine::bench
