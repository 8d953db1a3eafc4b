#include "services/common/rpc/channel.h"

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

// A list of 10,000 machines is read in a few large pages.
constexpr int kMaxReceiveBytes = 64 << 20;

// Only UNAVAILABLE may be repeated blindly (AIP-194): the server has not seen such a call. One that
// our servers answer so is not repeated; see AnswerInterceptor in server.cc.
constexpr char kRetryPolicy[] = R"({"methodConfig": [{"name": [{}], "retryPolicy": {
  "maxAttempts": 4, "initialBackoff": "0.2s", "maxBackoff": "10s", "backoffMultiplier": 2,
  "retryableStatusCodes": ["UNAVAILABLE"]}}]})";

grpc::ChannelArguments Arguments() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxReceiveBytes);
  // The deadline bounds the retries; streams are not retried once they have answered.
  arguments.SetServiceConfigJSON(kRetryPolicy);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  return arguments;
}

}  // namespace

Channel::Channel(std::string address, std::shared_ptr<grpc::Channel> channel, std::string cookie)
    : address_(std::move(address)), channel_(std::move(channel)), cookie_(std::move(cookie)) {}

Channel Channel::Local(absl::string_view address, absl::string_view cookie) {
  grpc::ChannelArguments arguments = Arguments();
  // A channel of its own for each connection: a child that was restarted on the same path must not
  // meet the back-off of the one before.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return {std::string(address),
          grpc::CreateCustomChannel(std::string(address), grpc::experimental::LocalCredentials(UDS),
                                    arguments),
          std::string(cookie)};
}

Channel Channel::Tls(absl::string_view address, const ChannelTls& tls) {
  grpc::ChannelArguments arguments = Arguments();
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 20'000);
  if (!tls.server_name.empty()) arguments.SetSslTargetNameOverride(tls.server_name);
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = tls.ca_pem;
  options.pem_cert_chain = tls.client_cert_pem;
  options.pem_private_key = tls.client_key_pem;
  return {std::string(address),
          grpc::CreateCustomChannel(std::string(address), grpc::SslCredentials(options), arguments),
          ""};
}

absl::StatusOr<Channel> Channel::InsecureLoopback(absl::string_view address) {
  if (!absl::StartsWith(address, "127.") && !absl::StartsWith(address, "localhost:") &&
      !absl::StartsWith(address, "[::1]:")) {
    return InvalidField("address", absl::StrCat("plain TCP is for loopback only, not ", address));
  }
  return Channel(std::string(address),
                 grpc::CreateCustomChannel(std::string(address), grpc::InsecureChannelCredentials(),
                                           Arguments()),
                 "");
}

void Channel::Prepare(grpc::ClientContext& context, absl::Duration timeout) const {
  if (timeout < absl::InfiniteDuration()) {
    context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoNanoseconds(timeout));
  }
  if (!cookie_.empty()) context.AddMetadata(kCookieKey, cookie_);
}

absl::Status Channel::WaitUntilReady(absl::Duration timeout) const {
  const auto deadline = std::chrono::system_clock::now() + absl::ToChronoNanoseconds(timeout);
  if (channel_->WaitForConnected(deadline)) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("no answer from ", address_));
}

}  // namespace machine::common
