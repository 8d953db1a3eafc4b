// Whether an engine answers its clients over TLS.
#ifndef CLI_COMMANDS_ENGINE_CHECK_H_
#define CLI_COMMANDS_ENGINE_CHECK_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace machine::cli {

/// An engine, and the certificates that its clients use.
struct EngineDoor {
  std::string host;
  std::string port;
  /// With ca.pem, cert.pem and key.pem.
  std::string folder;
};

/// Connects as a client of the engine does, and asks for its "/_ping": only an answer shows that
/// both sides take each other's certificate. Blocks for at most `timeout` at each step.
/// @return OK; UNAVAILABLE when it cannot be reached, hangs up or is silent; FAILED_PRECONDITION
/// when one side refuses the other's certificate, or a file cannot be used: all in the original's
/// three lines, the cause at the end of the first.
absl::Status CheckEngine(const EngineDoor& door, absl::Duration timeout);

}  // namespace machine::cli

#endif  // CLI_COMMANDS_ENGINE_CHECK_H_
