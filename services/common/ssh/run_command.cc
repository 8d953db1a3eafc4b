#include "services/common/ssh/run_command.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "services/common/ssh/call_limits.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

// What the loop's callbacks write and the calling thread waits for.
struct Progress {
  absl::Mutex mu;
  absl::CondVar changed;
  CommandResult result ABSL_GUARDED_BY(mu);
  std::string fresh ABSL_GUARDED_BY(mu);  // Standard output that has not been split into lines.
  bool has_exited ABSL_GUARDED_BY(mu) = false;
  absl::Status failure ABSL_GUARDED_BY(mu);

  bool ended() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) { return has_exited || !failure.ok(); }
};

void AppendUpTo(size_t max, absl::string_view bytes, std::string& to, bool& truncated) {
  const size_t room = max - std::min(max, to.size());
  truncated = truncated || bytes.size() > room;
  to.append(bytes.data(), std::min(room, bytes.size()));
}

SessionCallbacks CollectInto(const std::shared_ptr<Progress>& progress, size_t max_bytes,
                             bool wants_lines) {
  SessionCallbacks callbacks;
  callbacks.on_stdout = [progress, max_bytes, wants_lines](absl::string_view bytes) {
    absl::MutexLock lock(&progress->mu);
    AppendUpTo(max_bytes, bytes, progress->result.stdout_data, progress->result.truncated);
    if (!wants_lines) return;
    progress->fresh.append(bytes.data(), bytes.size());
    progress->changed.Signal();
  };
  callbacks.on_stderr = [progress, max_bytes](absl::string_view bytes) {
    absl::MutexLock lock(&progress->mu);
    AppendUpTo(max_bytes, bytes, progress->result.stderr_data, progress->result.truncated);
  };
  callbacks.on_exit = [progress](int exit_code, absl::string_view signal) {
    absl::MutexLock lock(&progress->mu);
    progress->result.exit_code = exit_code;
    progress->result.signal = std::string(signal);
    progress->has_exited = true;
    progress->changed.Signal();
  };
  callbacks.on_error = [progress](const absl::Status& status) {
    absl::MutexLock lock(&progress->mu);
    progress->failure = status;
    progress->changed.Signal();
  };
  return callbacks;
}

// Hands out whole lines, and the last one without an end when the output is over.
class LineSplitter final {
 public:
  explicit LineSplitter(const CommandOptions& options) : on_line_(options.on_stdout_line) {}

  void Add(absl::string_view bytes) {
    rest_.append(bytes.data(), bytes.size());
    size_t begin = 0;
    for (size_t end = 0; (end = rest_.find('\n', begin)) != std::string::npos; begin = end + 1) {
      Say(absl::string_view(rest_).substr(begin, end - begin));
    }
    rest_.erase(0, begin);
  }

  void Finish() {
    if (!rest_.empty()) Say(std::exchange(rest_, ""));
  }

 private:
  void Say(absl::string_view line) const {
    absl::ConsumeSuffix(&line, "\r");
    on_line_(line);
  }

  const std::function<void(absl::string_view)>& on_line_;
  std::string rest_;
};

}  // namespace

absl::StatusOr<CommandResult> RunToEnd(const OpenSession& open, const CommandOptions& options) {
  DM_RETURN_IF_ERROR(CheckLimits(options.limits, "the command"));
  const bool wants_lines = options.on_stdout_line != nullptr;
  const auto progress = std::make_shared<Progress>();
  DM_ASSIGN_OR_RETURN(const std::shared_ptr<SshSession> session,
                      open(CollectInto(progress, options.max_output_bytes, wants_lines)));
  if (!options.stdin_data.empty()) session->Write(options.stdin_data);
  session->SendEof();

  LineSplitter lines(options);
  bool ended = false;
  while (!ended) {
    std::string fresh;
    {
      absl::MutexLock lock(&progress->mu);
      if (progress->fresh.empty() && !progress->ended()) {
        progress->changed.WaitWithTimeout(&progress->mu, WaitSlice(options.limits));
      }
      fresh.swap(progress->fresh);
      ended = progress->ended();
    }
    if (!fresh.empty()) {
      session->PauseReading();  // Whatever the callback takes, the host waits, not our memory.
      lines.Add(fresh);
      session->ResumeReading();
    }
    if (ended) break;
    if (absl::Status limit = CheckLimits(options.limits, "the command"); !limit.ok()) {
      session->Signal("TERM");
      session->Close();
      return limit;
    }
  }
  if (wants_lines) lines.Finish();
  absl::MutexLock lock(&progress->mu);
  if (!progress->failure.ok()) return progress->failure;
  return std::move(progress->result);
}

std::string WithEnv(absl::string_view command, const std::map<std::string, std::string>& env) {
  std::string text;
  for (const auto& [name, value] : env) {
    absl::StrAppend(&text, "export ", name, "=", ShellQuote(value), "; ");
  }
  return absl::StrCat(text, command);
}

}  // namespace machine::common
