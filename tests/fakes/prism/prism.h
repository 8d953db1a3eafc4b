// Prism, a mock server that answers by a provider's API description and refuses what does not fit
// it. https://github.com/stoplightio/prism
#ifndef TESTS_FAKES_PRISM_PRISM_H_
#define TESTS_FAKES_PRISM_PRISM_H_

#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "services/common/process/process.h"

namespace machine::fakes {

/// A running prism on 127.0.0.1, at a port of the system's choice; it ends with this object. Its
/// answers are the description's examples: it has no state.
class Prism {
 public:
  /// Where the program is (environment MACHINE_PRISM, set by deploy/test.sh); no value where it is
  /// not installed.
  static std::optional<std::string> Program();

  /// Starts it on the description at `path` and waits until it listens. Errors: what it said.
  static absl::StatusOr<std::unique_ptr<Prism>> Start(const std::string& program,
                                                      const std::string& path);
  ~Prism();

  const std::string& url() const { return url_; }

 private:
  explicit Prism(common::Process process);
  /// Reads all that it prints, or it would stop when the pipe is full.
  void ReadOutput();

  common::Process process_;
  absl::Mutex mu_;
  std::string output_ ABSL_GUARDED_BY(mu_);
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  std::string url_;
  std::thread reader_;
};

}  // namespace machine::fakes

#endif  // TESTS_FAKES_PRISM_PRISM_H_
