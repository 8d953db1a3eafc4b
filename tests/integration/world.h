// A world of its own for a test: the real programs in a prefix, an empty store, a home folder.
#ifndef TESTS_INTEGRATION_WORLD_H_
#define TESTS_INTEGRATION_WORLD_H_

#include <gtest/gtest.h>
#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/common/process/process.h"

namespace machine::tests {

/// How one run of a program ended, and what it printed.
struct Outcome {
  /// 0 to 255; -1 when a signal ended it or it could not be run, which `err` then says.
  int exit_code = -1;
  std::string out;
  std::string err;
};
std::ostream& operator<<(std::ostream& stream, const Outcome& outcome);

/// Looks again and again until `condition` holds; false when it does not within `limit`.
bool Eventually(absl::Duration limit, absl::FunctionRef<bool()> condition);

/// Runs `work(0)` … `work(count - 1)` on a thread each, as far as possible at the same moment.
std::vector<Outcome> AllAtOnce(int count, absl::FunctionRef<Outcome(int)> work);

/// A process by number and start time, which no other process can have.
struct ProcessName {
  pid_t pid = 0;
  int64_t start_time = 0;
};

/// A program that runs. Killed when it was not waited for.
class RunningCommand {
 public:
  /// Starts `argv`; what it prints goes to files of its own in `folder`.
  RunningCommand(const std::vector<std::string>& argv, std::vector<std::string> environment,
                 const std::string& folder);

  pid_t pid() const { return process_.pid(); }
  void Signal(int signal) { process_.Signal(signal).IgnoreError(); }
  /// What it has printed so far.
  std::string OutSoFar() const;
  std::string ErrSoFar() const;
  /// Waits until it has ended.
  Outcome Wait();

 private:
  std::string out_path_;
  std::string err_path_;
  common::Process process_;
};

/// Runs programs in a store of its own. Run() and its like may be called from several threads at
/// once; everything else from one.
class World {
 public:
  World();
  /// Ends what still runs, by force, and removes the folders. See End().
  ~World();

  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// `leaf` in the folder that everything of this world is below.
  std::string Path(absl::string_view leaf) const;
  const std::string& storage() const { return storage_; }
  /// The folder of the private orchestrator's files.
  std::string server_dir() const { return storage_ + "/server"; }
  std::string machine_folder(absl::string_view name) const;
  /// Where the orchestrator and the drivers are.
  std::string libexec() const { return folder_ + "/prefix/libexec/docker-machine"; }

  /// Sets a variable for all programs that are run from now on.
  void SetEnv(const std::string& name, const std::string& value) { environment_[name] = value; }
  std::vector<std::string> Environment(const std::map<std::string, std::string>& more = {}) const;

  /// Runs docker-machine with the words of `line`, which are separated by blanks.
  Outcome Run(absl::string_view line) const;
  /// The same with variables of its own.
  Outcome Run(absl::string_view line, const std::map<std::string, std::string>& variables) const;
  /// For arguments that hold blanks.
  Outcome RunWords(const std::vector<std::string>& words, absl::string_view stdin_data = "") const;
  /// Any other program, with this world's docker-machine in PATH.
  Outcome RunOther(const std::vector<std::string>& argv, absl::string_view stdin_data = "") const;
  /// Starts docker-machine and lets it run.
  RunningCommand Begin(absl::string_view line) const;
  /// Starts an orchestrator by hand, as a private one of this world, with more options.
  RunningCommand BeginOrchestrator(absl::string_view options) const;
  /// The same, and waits until it is the one that commands find: a command that came before it
  /// would start one of its own, without the options, and keep this one off the store.
  RunningCommand StartOrchestrator(absl::string_view options) const;

  /// What server.json says of the orchestrator, which may have ended.
  std::optional<ProcessName> Orchestrator() const;
  /// The processes of this world that run; all, or those of `program` ("machine-driver-none").
  std::vector<ProcessName> Processes(absl::string_view program = "") const;
  /// Sends a signal to every process of `program` and, for SIGKILL, waits until they are gone.
  /// Their number.
  size_t SignalAll(absl::string_view program, int signal) const;

  /// Ends the orchestrator as the system would, by SIGTERM, and waits for it. False when it does
  /// not end.
  bool StopOrchestrator() const;
  /// StopOrchestrator(), and an error of the test for each process that is left. On a failed test
  /// the end of the orchestrator's log is printed.
  void End();

 private:
  std::string folder_;
  std::string storage_;
  std::map<std::string, std::string> environment_;
};

/// A test in a world of its own, at whose end nothing may be left running.
class WorldTest : public testing::Test {
 protected:
  void TearDown() override { world_.End(); }

  Outcome Run(absl::string_view line) const { return world_.Run(line); }

  World world_;
};

}  // namespace machine::tests

#endif  // TESTS_INTEGRATION_WORLD_H_
