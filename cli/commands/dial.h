// Whether something accepts connections.
#ifndef CLI_COMMANDS_DIAL_H_
#define CLI_COMMANDS_DIAL_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace machine::cli {

/// Connects to TCP port `port` of `host`, a name or an address, and hangs up. Each address of the
/// host may take `timeout`.
/// @return UNAVAILABLE "dial tcp HOST:PORT: …" when none answers.
absl::Status TryConnect(absl::string_view host, absl::string_view port,
                        absl::Duration timeout = absl::Seconds(2));

}  // namespace machine::cli

#endif  // CLI_COMMANDS_DIAL_H_
