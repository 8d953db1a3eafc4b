// Real hosts for end-to-end tests; see tests/hosts.
#ifndef TESTS_E2E_BED_H_
#define TESTS_E2E_BED_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tests/integration/world.h"

namespace machine::tests {

/// The private engine and the scripts that deploy/test.sh has prepared.
class Bed {
 public:
  /// False, with the test marked as skipped by its caller, where deploy/test.sh did not prepare
  /// one.
  static bool IsThere();

  /// Address of the engine that the hosts run on.
  static std::string DockerHost();
  /// The private key that logs in to every host.
  static std::string KeyPath();
  /// Writes the tar of a container image with busybox to `path`.
  static bool WriteBusybox(const std::string& path);
  /// Removes the engine's containers with a label, left over from a run that was killed.
  static void RemoveContainers(const std::string& label);
};

/// A bare Debian host, removed at the end. Its root, `deb` (sudo) and `plain` (no sudo) log in with
/// Bed::KeyPath().
class BareHost {
 public:
  /// `image` without an engine, whose packages come from a pool in the image.
  explicit BareHost(const std::string& name, const std::string& image = "machine-host:offline");
  ~BareHost();

  BareHost(const BareHost&) = delete;
  BareHost& operator=(const BareHost&) = delete;

  const std::string& ip() const { return ip_; }
  /// Runs a shell command on the host as root, without ssh.
  Outcome Shell(absl::string_view command) const;

 private:
  std::string name_;
  std::string ip_;
};

/// Runs a program of this machine.
Outcome RunHere(const std::vector<std::string>& argv);

}  // namespace machine::tests

#endif  // TESTS_E2E_BED_H_
