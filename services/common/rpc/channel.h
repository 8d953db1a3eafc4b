// Connections to other processes of the suite.
#ifndef SERVICES_COMMON_RPC_CHANNEL_H_
#define SERVICES_COMMON_RPC_CHANNEL_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace machine::common {

/// Metadata key of the cookie that local processes share.
inline constexpr char kCookieKey[] = "x-machine-cookie";

/// Credentials for TCP with TLS both ways.
struct ChannelTls {
  std::string ca_pem;
  std::string client_cert_pem;
  std::string client_key_pem;
  /// Name to expect in the server's certificate; empty means the address's host.
  std::string server_name;
};

/// A connection and what each call on it must carry. Copyable; copies share the connection.
class Channel {
 public:
  /// "unix:/path" with a cookie that the server was given.
  static Channel Local(absl::string_view address, absl::string_view cookie);
  /// "host:port" with TLS both ways.
  static Channel Tls(absl::string_view address, const ChannelTls& tls);
  /// "host:port" of a server in this process or test, without TLS. Loopback only.
  static absl::StatusOr<Channel> InsecureLoopback(absl::string_view address);

  /// Sets deadline and cookie of a call. `timeout` may be infinite.
  void Prepare(grpc::ClientContext& context, absl::Duration timeout) const;

  /// Waits until connected; UNAVAILABLE with the address when that takes longer than `timeout`.
  absl::Status WaitUntilReady(absl::Duration timeout) const;

  const std::shared_ptr<grpc::Channel>& grpc() const { return channel_; }
  const std::string& address() const { return address_; }

 private:
  Channel(std::string address, std::shared_ptr<grpc::Channel> channel, std::string cookie);

  std::string address_;
  std::shared_ptr<grpc::Channel> channel_;
  std::string cookie_;
};

}  // namespace machine::common

#endif  // SERVICES_COMMON_RPC_CHANNEL_H_
