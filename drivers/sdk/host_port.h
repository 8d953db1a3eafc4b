// Hosts and ports as people write them.
#ifndef DRIVERS_SDK_HOST_PORT_H_
#define DRIVERS_SDK_HOST_PORT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/sdk/tcp_prober.h"

namespace machine::driver {

/// "host:port", "1.2.3.4:port" or "[::1]:port"; the brackets are left out of the result.
/// INVALID_ARGUMENT saying what is wrong with it.
absl::StatusOr<TcpAddress> ParseHostPort(absl::string_view text);

/// The reverse, with brackets around an IPv6 address.
std::string HostPort(absl::string_view host, int port);

/// INVALID_ARGUMENT unless `host` is an IP address (IPv6 without brackets) or could be a host name
/// by RFC 1123.
absl::Status CheckHost(absl::string_view host);

}  // namespace machine::driver

#endif  // DRIVERS_SDK_HOST_PORT_H_
