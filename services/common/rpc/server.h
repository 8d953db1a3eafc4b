// A gRPC server as every service of the suite runs one: health, reflection, channelz, metrics.
#ifndef SERVICES_COMMON_RPC_SERVER_H_
#define SERVICES_COMMON_RPC_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/common/metrics/metrics.h"

namespace machine::common {

/// Decides on calls before any handler sees them, and follows them. Thread-safe; must not block.
class CallGuard {
 public:
  virtual ~CallGuard() = default;

  /// For each call that came over TLS, also of methods that do not exist; `method` is
  /// "/package.Service/Method". An error is the call's answer, without its details.
  virtual absl::Status Admit(absl::string_view method, const grpc::AuthContext& context) = 0;

  /// For each call that was admitted, wherever it came from; may be null. Outlived by the guard.
  virtual std::unique_ptr<grpc::experimental::Interceptor> Follow(
      grpc::experimental::ServerRpcInfo& info) = 0;
};

/// A place to listen on where clients show certificates. The files are PEM; they are read again
/// within a few seconds after they have changed.
struct RpcServerTls {
  /// "HOST:PORT".
  std::string address;
  /// The server's certificate, then those of the authorities that signed it.
  std::string cert_path;
  std::string key_path;
  /// Authorities of clients. A client may show no certificate, but no other one.
  std::string client_ca_path;
};

struct RpcServerOptions {
  /// "unix:/path" (at most 107 bytes of path) or, for tests, "127.0.0.1:0". Empty where `tls` is
  /// the only place.
  std::string address;
  /// Calls on a Unix socket must carry it; empty accepts all. The socket's folder is the first
  /// guard: it must have mode 0700.
  std::string cookie;
  /// For "127.0.0.1:port" without TLS.
  bool insecure_loopback = false;
  /// A second place to listen on; needs a guard.
  std::optional<RpcServerTls> tls;
  /// A third one for callers on this host, "127.0.0.1:port", without TLS or cookie; empty for none.
  std::string plaintext_address;
  /// Outlives the server; may be null where there is no `tls`.
  CallGuard* guard = nullptr;
  std::vector<grpc::Service*> services;
  /// May be null.
  Metrics* metrics = nullptr;
};

/// A running server. Health is SERVING from the start until Shutdown.
class RpcServer {
 public:
  /// Listens. Errors: INVALID_ARGUMENT for an address that is too long or not local;
  /// UNAVAILABLE when one cannot be bound.
  static absl::StatusOr<std::unique_ptr<RpcServer>> Start(const RpcServerOptions& options);
  ~RpcServer();

  /// Health NOT_SERVING, no new calls; waits up to `grace` for running ones, then cancels them.
  /// Streams that are held open must have been ended before. May be called twice.
  void Shutdown(absl::Duration grace);

  /// Where it listens, with the port that was chosen for port 0.
  const std::string& address() const { return address_; }
  /// The same of options.tls and options.plaintext_address; empty where there is none.
  const std::string& tls_address() const { return tls_address_; }
  const std::string& plaintext_address() const { return plaintext_address_; }

  grpc::Server& grpc() { return *server_; }

 private:
  RpcServer() = default;

  std::string address_;
  std::string tls_address_;
  std::string plaintext_address_;
  std::unique_ptr<grpc::Server> server_;
  bool stopped_ = false;
};

}  // namespace machine::common

#endif  // SERVICES_COMMON_RPC_SERVER_H_
