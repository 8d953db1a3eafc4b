// Runs a program to its end and captures what it prints.
#ifndef SERVICES_COMMON_PROCESS_RUN_H_
#define SERVICES_COMMON_PROCESS_RUN_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/common/process/process.h"

namespace machine::common {

struct RunOptions {
  /// Written to the program's standard input, which is then closed. The place for secrets.
  std::string stdin_data;
  /// How long it may run.
  absl::Duration timeout = absl::InfiniteDuration();
  /// How long it may take to end after SIGTERM, before SIGKILL.
  absl::Duration kill_after = absl::Seconds(2);
  /// The most it may print on each of its two streams.
  int64_t max_output_bytes = 16 << 20;
  /// "NAME=value" each; default: the parent's.
  std::optional<std::vector<std::string>> env;
  std::optional<std::string> cwd;
  /// Asked about every 20 ms; true ends the program.
  std::function<bool()> cancelled;
};

struct RunResult {
  /// 0 to 255; -1 when a signal ended it.
  int exit_code = -1;
  /// 0 when it exited.
  int signal = 0;
  std::string stdout_data;
  std::string stderr_data;

  bool ok() const { return exit_code == 0; }
  /// "exit status 1" or "signal 9 (Killed)".
  std::string ExitText() const { return ExitStatus{exit_code, signal}.ToString(); }
};

/// Runs `argv` (see SpawnOptions::argv) in a session of its own and returns when it has ended, also
/// when it failed: look at the exit code. When it is stopped here, its descendants are stopped too;
/// descendants that go on after a normal end keep running, but are not listened to.
///
/// @return DEADLINE_EXCEEDED after `timeout`, CANCELLED, OUT_OF_RANGE when it prints too much, or
///   why it could not be started (NOT_FOUND, PERMISSION_DENIED …).
/// Thread-safe. Blocks.
absl::StatusOr<RunResult> RunProgram(const std::vector<std::string>& argv,
                                     const RunOptions& options = {});

}  // namespace machine::common

#endif  // SERVICES_COMMON_PROCESS_RUN_H_
