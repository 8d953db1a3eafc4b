// A world of its own for measuring: the real programs on a fresh store.
#ifndef TESTS_BENCH_WORLD_H_
#define TESTS_BENCH_WORLD_H_

#include <sys/types.h>

#include <cstdint>
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
  /// The programs are taken from the runfiles of `bazel run`.
  World();
  ~World();

  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// Runs docker-machine with `arguments`, with its output captured (or dropped, to measure).
  ProcessRun Run(const std::vector<std::string>& arguments, bool capture = false) const;

  /// Ends the orchestrator, as idleness would.
  void StopOrchestrator();

  /// A connection to the orchestrator, which must run.
  common::Channel Connect() const;
  /// Resident memory of the orchestrator.
  int64_t OrchestratorRssKib() const;

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

/// The middle of `values`.
absl::Duration Median(std::vector<absl::Duration> values);

}  // namespace machine::bench

#endif  // TESTS_BENCH_WORLD_H_
