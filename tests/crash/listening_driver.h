// A driver as a process of its own that listens for an orchestrator, with TLS both ways.
#ifndef TESTS_CRASH_LISTENING_DRIVER_H_
#define TESTS_CRASH_LISTENING_DRIVER_H_

#include <map>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "services/common/crypto/certificates.h"
#include "services/common/process/process.h"
#include "tests/integration/world.h"

namespace machine::tests {

/// Certificates for drivers on this host and for the orchestrator that calls them, as files of
/// `world`, which outlives it.
class DriverCertificates {
 public:
  explicit DriverCertificates(const World& world);

  /// Replaces one of the files: ca.pem, server.pem, server-key.pem.
  void Write(const std::string& name, absl::string_view contents) const;
  /// What an orchestrator shows: PREFIXcert.pem and PREFIXkey.pem.
  void WriteClient(const std::string& prefix, const common::CertAuthority& authority) const;
  /// The command that makes the driver at `port` known as `name`.
  std::string RegisterLine(absl::string_view name, int port, absl::string_view client = "") const;

 private:
  const World& world_;
};

/// Not thread-safe.
class ListeningDriver {
 public:
  /// Starts `program`, with a folder for its machines' files and `variables` beside those of
  /// `world`, and waits until it listens.
  ListeningDriver(const World& world, const std::string& program, const std::string& data_dir,
                  const std::map<std::string, std::string>& variables = {});

  /// Of 127.0.0.1; 0 when it does not listen, which has failed the test.
  int port() const { return port_; }
  /// Ends it by SIGKILL.
  void Kill();

 private:
  std::optional<common::Process> process_;
  int port_ = 0;
};

}  // namespace machine::tests

#endif  // TESTS_CRASH_LISTENING_DRIVER_H_
