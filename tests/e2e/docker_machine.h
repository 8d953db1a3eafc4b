// A machine of the `docker` driver on the engine of the bed.
#ifndef TESTS_E2E_DOCKER_MACHINE_H_
#define TESTS_E2E_DOCKER_MACHINE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tests/e2e/bed.h"

namespace machine::tests {

/// A name for one, that no other process uses. What is left of it on the engine goes with this.
class DockerMachine {
 public:
  explicit DockerMachine(const Bed& bed);
  ~DockerMachine();

  DockerMachine(const DockerMachine&) = delete;
  DockerMachine& operator=(const DockerMachine&) = delete;

  const std::string& name() const { return name_; }
  /// The command that creates it, with `more` words.
  std::string CreateLine(absl::string_view more = "") const;
  /// Ids of its containers: one, or there is something wrong.
  std::vector<std::string> Containers() const;
  /// Names of its volumes.
  std::vector<std::string> Volumes() const;
  /// `pause`, `kill`, `rm -f` …: what somebody may do to its container by docker.
  void DoBehindItsBack(absl::string_view verb) const;

 private:
  const Bed& bed_;
  const std::string name_;
};

}  // namespace machine::tests

#endif  // TESTS_E2E_DOCKER_MACHINE_H_
