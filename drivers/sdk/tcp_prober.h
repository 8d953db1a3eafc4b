// Which of many addresses take a TCP connection, asked all at once.
#ifndef DRIVERS_SDK_TCP_PROBER_H_
#define DRIVERS_SDK_TCP_PROBER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "services/common/rpc/call_scope.h"
#include "services/common/rpc/executor.h"

namespace machine::driver {

/// Host name or address (IPv6 without brackets), and port.
struct TcpAddress {
  std::string host;
  int port = 0;
};

/// Opens and closes connections, without sending a byte. One poll() loop on the caller's thread
/// serves a whole batch, so that 500 silent hosts take no longer than one. Thread-safe.
class TcpProber {
 public:
  /// For each address, whether a connection could be opened within `timeout`, which covers looking
  /// up names too. Blocks; ends early, with false for the rest, when `call` is over.
  std::vector<bool> Probe(const common::CallScope& call, absl::Span<const TcpAddress> addresses,
                          absl::Duration timeout);

 private:
  // Names are looked up on threads, because the C library can only block.
  common::Executor resolvers_{16};
};

}  // namespace machine::driver

#endif  // DRIVERS_SDK_TCP_PROBER_H_
