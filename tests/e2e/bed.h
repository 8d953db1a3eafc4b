// The engine and the hosts of the end-to-end tests, as deploy/test.sh prepares them.
#ifndef TESTS_E2E_BED_H_
#define TESTS_E2E_BED_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tests/integration/world.h"

namespace machine::tests {

/// Why a test is skipped where !Bed::Ready().
inline constexpr char kNoBed[] = "no test hosts: run deploy/test.sh, or see tests/e2e/README.md";

/// A private Docker Engine on this machine, which runs the hosts. Taken from the environment.
class Bed {
 public:
  /// Whether deploy/test.sh, or somebody by hand, has prepared it; see README.md.
  static bool Ready();

  Bed();

  /// Address of the engine, for docker's --host and the driver's --docker-endpoint.
  const std::string& engine() const { return engine_; }
  /// Private key of root, deb and plain on the hosts.
  std::string key() const { return folder_ + "/id_ed25519"; }
  /// Runs tests/hosts/`script`.
  Outcome Script(absl::string_view script, const std::vector<std::string>& words) const;
  /// Runs docker against the engine of the bed.
  Outcome Docker(std::vector<std::string> words) const;
  /// An address in the hosts' network that nobody has.
  std::string NobodysAddress() const;

 private:
  std::string folder_;
  std::string engine_;
  std::string scripts_;
};

/// The image of hosts that have a Docker Engine.
inline constexpr char kEngineImage[] = "machine-host:bookworm";

/// A Debian 12 host: systemd, sshd, and no engine unless `image` has one. Removed with its volumes
/// when it goes.
class BareHost {
 public:
  BareHost(const Bed& bed, const std::string& name, const std::string& image = "");
  ~BareHost();

  BareHost(const BareHost&) = delete;
  BareHost& operator=(const BareHost&) = delete;

  const std::string& name() const { return name_; }
  /// Empty when it did not come up, which is an error of the test already.
  const std::string& ip() const { return ip_; }
  /// Runs a shell script on it as root, not by ssh. Its standard output, without the last newline.
  std::string Sh(absl::string_view script) const;
  /// As `stop`, `freeze` … of tests/hosts/host.sh.
  void Do(absl::string_view verb) const;

  /// Has sshd note each login and session from now on.
  void CountSsh() const;
  /// Logins since CountSsh().
  int SshConnections() const;
  /// Commands and subsystems since CountSsh().
  int SshSessions() const;

 private:
  const Bed& bed_;
  const std::string name_;
  std::string ip_;
};

/// `text` without the line feed at its end.
std::string Line(absl::string_view text);

}  // namespace machine::tests

#endif  // TESTS_E2E_BED_H_
