// A world of its own for measuring: the real programs on a fresh store.
#ifndef TESTS_BENCH_WORLD_H_
#define TESTS_BENCH_WORLD_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/common/rpc/channel.h"

namespace machine::bench {

/// One run of a program, from spawn to exit.
struct ProcessRun {
  absl::Duration wall;
  int exit_code = 0;
  int64_t peak_kib = 0;
  std::string output;
};

/// Starts programs in a store of its own, and ends its orchestrator when it goes. Not thread-safe,
/// but for Run.
class World {
 public:
  /// The programs are taken from the runfiles of `bazel run`: `more_programs` are paths there.
  explicit World(const std::vector<std::string>& more_programs = {});
  ~World();

  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// Runs docker-machine with `arguments`, with its output captured (or dropped, to measure).
  ProcessRun Run(const std::vector<std::string>& arguments, bool capture = false) const;

  /// Ends the orchestrator, as idleness would.
  void StopOrchestrator();
  /// Kills the orchestrator and every process that it started.
  void KillOrchestrator();

  /// A connection to the orchestrator, which must run.
  common::Channel Connect() const;
  /// Resident memory of the orchestrator.
  int64_t OrchestratorRssKib() const;
  /// The most that the orchestrator ever had resident.
  int64_t OrchestratorPeakKib() const;
  /// The same of the process that the orchestrator runs `program` in; 0 when there is none.
  int64_t ChildPeakKib(absl::string_view program) const;

  const std::string& storage() const { return storage_; }

 private:
  struct ServerInfo {
    pid_t pid = 0;
    int64_t start_time = 0;
    std::string address;
    std::string cookie;
  };
  ServerInfo ReadServerInfo() const;

  std::string folder_;
  std::string storage_;
  std::string program_;
  std::vector<std::string> environment_;
};

/// Runs `count` pieces of work, told their number, on `threads` threads; returns how many failed.
int InParallel(int threads, int count, const std::function<bool(int)>& work);

/// One line: a figure, what was measured and what is wanted.
void Print(absl::string_view what, absl::string_view value, absl::string_view target);

/// Such as "12.3 ms".
std::string Ms(absl::Duration duration);

/// The middle of `values`.
absl::Duration Median(std::vector<absl::Duration> values);

}  // namespace machine::bench

#endif  // TESTS_BENCH_WORLD_H_
