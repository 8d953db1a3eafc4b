// TCP connections of the command itself.
#ifndef CLI_COMMANDS_DIAL_H_
#define CLI_COMMANDS_DIAL_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/common/process/unique_fd.h"

namespace machine::cli {

/// A connection to TCP port `port` of `host`, a name or an address. Each address of the host may
/// take `timeout`. What is written to it is sent at once (TCP_NODELAY).
/// @return UNAVAILABLE when none answers, with the cause in the system's words.
absl::StatusOr<common::UniqueFd> Dial(absl::string_view host, absl::string_view port,
                                      absl::Duration timeout);

/// Connects as Dial() and hangs up.
/// @return UNAVAILABLE "dial tcp HOST:PORT: …" when none answers.
absl::Status TryConnect(absl::string_view host, absl::string_view port,
                        absl::Duration timeout = absl::Seconds(2));

}  // namespace machine::cli

#endif  // CLI_COMMANDS_DIAL_H_
