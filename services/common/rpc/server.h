// A gRPC server as every service of the suite runs one: health, reflection, channelz, metrics.
#ifndef SERVICES_COMMON_RPC_SERVER_H_
#define SERVICES_COMMON_RPC_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/common/metrics/metrics.h"

namespace machine::common {

struct RpcServerOptions {
  /// "unix:/path" (at most 107 bytes of path) or, for tests, "127.0.0.1:0".
  std::string address;
  /// Calls on a Unix socket must carry it; empty accepts all. The socket's folder is the first
  /// guard: it must have mode 0700.
  std::string cookie;
  /// For "host:port" with TLS both ways; see ServerTls.
  bool insecure_loopback = false;
  std::vector<grpc::Service*> services;
  /// May be null.
  Metrics* metrics = nullptr;
};

/// A running server. Health is SERVING from the start until Shutdown.
class RpcServer {
 public:
  /// Listens. Errors: INVALID_ARGUMENT for an address that is too long or not local;
  /// UNAVAILABLE when it cannot be bound.
  static absl::StatusOr<std::unique_ptr<RpcServer>> Start(const RpcServerOptions& options);
  ~RpcServer();

  /// Health NOT_SERVING, no new calls; waits up to `grace` for running ones, then cancels them.
  /// Streams that are held open must have been ended before. May be called twice.
  void Shutdown(absl::Duration grace);

  /// Where it listens, with the port that was chosen for port 0.
  const std::string& address() const { return address_; }

  grpc::Server& grpc() { return *server_; }

 private:
  RpcServer() = default;

  std::string address_;
  std::unique_ptr<grpc::Server> server_;
  bool stopped_ = false;
};

}  // namespace machine::common

#endif  // SERVICES_COMMON_RPC_SERVER_H_
