// What operations report, on the screen while they run.
#ifndef CLI_OUTPUT_PROGRESS_H_
#define CLI_OUTPUT_PROGRESS_H_

#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "cli/output/console.h"

namespace machine::cli {

/// Lines of several things that go on at once, each in a lane of its own. Lines come out lane after
/// lane: those of a lane wait until every lane before it is finished. On a terminal the last line
/// also shows what the lane in turn is doing and for how long, once it has taken a while.
/// Thread-safe.
class Progress {
 public:
  struct Options {
    absl::Duration spinner_after = absl::Milliseconds(500);
    absl::Duration spinner_interval = absl::Milliseconds(100);
    /// Lines for standard output are left out.
    bool quiet = false;
    /// Each line begins with its level and the seconds since the start: "INFO[0007] ".
    bool elapsed = false;
    /// No last line that changes, although standard output is a terminal.
    bool plain = false;
  };

  Progress(Console& console, size_t lanes, Options options);
  Progress(Console& console, size_t lanes) : Progress(console, lanes, Options()) {}
  ~Progress();

  /// A line for standard output or standard error, without its end.
  void Out(size_t lane, absl::string_view line) { Add(lane, {false, std::string(line)}); }
  void Err(size_t lane, absl::string_view line) { Add(lane, {true, std::string(line)}); }
  /// What `lane` is doing now, for example "[3/6] Creating machine...".
  void Status(size_t lane, absl::string_view status);
  /// No more lines of `lane` follow.
  void Finish(size_t lane);

 private:
  struct Line {
    bool error = false;
    std::string text;
  };
  struct Lane {
    std::deque<Line> waiting;
    std::string status;
    bool finished = false;
  };

  void Add(size_t lane, Line line);
  void PrintLocked(const Line& line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ClearSpinnerLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Spin();

  Console& console_;
  const Options options_;
  const absl::Time start_;
  absl::Mutex mu_;
  std::vector<Lane> lanes_ ABSL_GUARDED_BY(mu_);
  size_t in_turn_ ABSL_GUARDED_BY(mu_) = 0;
  bool spinner_shown_ ABSL_GUARDED_BY(mu_) = false;
  bool stop_ ABSL_GUARDED_BY(mu_) = false;
  std::thread spinner_;
};

}  // namespace machine::cli

#endif  // CLI_OUTPUT_PROGRESS_H_
