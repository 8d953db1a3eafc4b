// Where a Docker Engine listens.
#ifndef DRIVERS_DOCKER_ENDPOINT_H_
#define DRIVERS_DOCKER_ENDPOINT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace machine::driver::docker {

/// Address of an engine and what to prove and to check there.
struct Endpoint {
  /// Path of a Unix socket; empty for TCP.
  std::string socket_path;
  /// Host name or address, without brackets; empty for a Unix socket.
  std::string host;
  int port = 0;
  /// PEM texts. With a CA the connection is TLS; certificate and key are given both or not at all.
  std::string ca_pem;
  std::string cert_pem;
  /// Secret.
  std::string key_pem;

  bool local() const { return !socket_path.empty(); }
  bool tls() const { return !ca_pem.empty(); }
  /// "unix:///var/run/docker.sock" or "tcp://host:port".
  std::string ToString() const;
  /// What requests are sent to: "https://host:port", without a slash at the end.
  std::string BaseUrl() const;

  bool operator==(const Endpoint& other) const = default;
};

/// Reads "unix:///path", "tcp://host[:port]" or "https://host[:port]"; the port is 2376 when
/// absent. The PEM texts are left empty. Errors: INVALID_ARGUMENT saying what is wrong.
absl::StatusOr<Endpoint> ParseEndpoint(absl::string_view text);

/// Whether `host` is a name or an address of this very host.
bool IsLoopback(absl::string_view host);

/// The endpoint to use when none is asked for: `docker_host`, the variable DOCKER_HOST of this
/// process, where it names a Unix socket, else the system's. An address there is most often a
/// machine of our own, put there by `docker-machine env`, and no place to make more of them.
std::string DefaultEndpoint(absl::string_view docker_host);

}  // namespace machine::driver::docker

#endif  // DRIVERS_DOCKER_ENDPOINT_H_
