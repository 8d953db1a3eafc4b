#include "services/common/rpc/server.h"

#include <grpcpp/ext/channelz_service_plugin.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/auth_metadata_processor.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <mutex>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/common/rpc/channel.h"
#include "services/common/status/grpc_status.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

constexpr size_t kMaxSocketPath = sizeof(sockaddr_un{}.sun_path) - 1;
constexpr int kMaxReceiveBytes = 4 << 20;
constexpr unsigned kTlsRefreshSeconds = 2;

// Refuses calls without the cookie before any handler sees them.
class CookieCheck final : public grpc::AuthMetadataProcessor {
 public:
  explicit CookieCheck(std::string cookie) : cookie_(std::move(cookie)) {}

  bool IsBlocking() const override { return false; }

  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext*, OutputMetadata* consumed,
                       OutputMetadata*) override {
    const auto it = metadata.find(kCookieKey);
    const bool right = it != metadata.end() && it->second.size() == cookie_.size() &&
                       CRYPTO_memcmp(it->second.data(), cookie_.data(), cookie_.size()) == 0;
    if (!right) return {grpc::StatusCode::UNAUTHENTICATED, "the cookie is missing or wrong"};
    consumed->insert({kCookieKey, cookie_});
    return grpc::Status::OK;
  }

 private:
  const std::string cookie_;
};

// Asks the guard before any handler sees a call.
class GuardCheck final : public grpc::AuthMetadataProcessor {
 public:
  explicit GuardCheck(CallGuard& guard) : guard_(guard) {}

  bool IsBlocking() const override { return false; }

  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext* context, OutputMetadata*,
                       OutputMetadata*) override {
    const auto path = metadata.find(":path");
    const absl::string_view method =
        path == metadata.end() ? absl::string_view()
                               : absl::string_view(path->second.data(), path->second.size());
    return ToGrpcStatus(guard_.Admit(method, *context));
  }

 private:
  CallGuard& guard_;
};

class GuardInterceptorFactory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit GuardInterceptorFactory(CallGuard& guard) : guard_(guard) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override {
    return guard_.Follow(*info).release();  // gRPC owns it.
  }

 private:
  CallGuard& guard_;
};

// Counts each call by method and status, with its duration.
class MetricsInterceptor final : public grpc::experimental::Interceptor {
 public:
  MetricsInterceptor(RpcMetrics& metrics, const char* method)
      : metrics_(metrics), method_(method), start_(std::chrono::steady_clock::now()) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(
            grpc::experimental::InterceptionHookPoints::PRE_SEND_STATUS)) {
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start_;
      metrics_.Observe(method_, static_cast<int>(methods->GetSendStatus().error_code()),
                       seconds.count());
    }
    methods->Proceed();
  }

 private:
  RpcMetrics& metrics_;
  const char* const method_;
  const std::chrono::steady_clock::time_point start_;
};

class MetricsInterceptorFactory final
    : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit MetricsInterceptorFactory(RpcMetrics& metrics) : metrics_(metrics) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override {
    return new MetricsInterceptor(metrics_, info->method());  // gRPC owns it.
  }

 private:
  RpcMetrics& metrics_;
};

// Tells channels that an UNAVAILABLE of ours is an answer, which their retries must leave alone
// (gRPC proposal A6, server pushback). Without it a host that nobody reaches would be tried four
// times over.
class AnswerInterceptor final : public grpc::experimental::Interceptor {
 public:
  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(
            grpc::experimental::InterceptionHookPoints::PRE_SEND_STATUS) &&
        methods->GetSendStatus().error_code() == grpc::StatusCode::UNAVAILABLE) {
      methods->GetSendTrailingMetadata()->insert({"grpc-retry-pushback-ms", "-1"});
    }
    methods->Proceed();
  }
};

class AnswerInterceptorFactory final
    : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo*) override {
    return new AnswerInterceptor;  // gRPC owns it.
  }
};

// Plugins are process-wide in gRPC and must be set before the first server is built.
void InitPluginsOnce() {
  static std::once_flag once;
  std::call_once(once, [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::channelz::experimental::InitChannelzService();
  });
}

// A socket that nobody answers on is left over from a process that was killed.
absl::Status PrepareSocketPath(absl::string_view path) {
  if (path.size() > kMaxSocketPath) {
    return InvalidField("address", absl::StrCat("the socket path ", path, " has ", path.size(),
                                                " bytes; ", kMaxSocketPath, " are possible"));
  }
  struct stat info {};
  if (lstat(std::string(path).c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) {
    unlink(std::string(path).c_str());
  }
  return absl::OkStatus();
}

bool IsLoopback(absl::string_view address) {
  return absl::StartsWith(address, "127.") || absl::StartsWith(address, "[::1]:");
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MainCredentials(
    const RpcServerOptions& options) {
  absl::string_view path = options.address;
  if (absl::ConsumePrefix(&path, "unix:")) {
    DM_RETURN_IF_ERROR(PrepareSocketPath(path));
    std::shared_ptr<grpc::ServerCredentials> credentials =
        grpc::experimental::LocalServerCredentials(UDS);
    if (!options.cookie.empty()) {
      credentials->SetAuthMetadataProcessor(std::make_shared<CookieCheck>(options.cookie));
    }
    return credentials;
  }
  if (options.insecure_loopback && IsLoopback(options.address)) {
    return grpc::InsecureServerCredentials();
  }
  return InvalidField("address", absl::StrCat("cannot listen on ", options.address,
                                              ": only unix:PATH is supported without TLS"));
}

std::shared_ptr<grpc::ServerCredentials> TlsCredentials(const RpcServerTls& tls, CallGuard& guard) {
  grpc::experimental::TlsServerCredentialsOptions options(
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
          tls.key_path, tls.cert_path, tls.client_ca_path, kTlsRefreshSeconds));
  options.watch_identity_key_cert_pairs();
  options.watch_root_certs();
  // Verified where there is one: who has none yet may still join.
  options.set_cert_request_type(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
  auto credentials = grpc::experimental::TlsServerCredentials(options);
  credentials->SetAuthMetadataProcessor(std::make_shared<GuardCheck>(guard));
  return credentials;
}

// "host:0" with the port that was chosen.
std::string WithPort(absl::string_view address, int port) {
  if (!absl::EndsWith(address, ":0")) return std::string(address);
  return absl::StrCat(absl::StripSuffix(address, ":0"), ":", port);
}

std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> Interceptors(
    const RpcServerOptions& options) {
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> creators;
  // The guard comes first: what it makes of an answer is what the others see.
  if (options.guard != nullptr) {
    creators.push_back(std::make_unique<GuardInterceptorFactory>(*options.guard));
  }
  creators.push_back(std::make_unique<AnswerInterceptorFactory>());
  if (options.metrics != nullptr) {
    creators.push_back(std::make_unique<MetricsInterceptorFactory>(options.metrics->rpc()));
  }
  return creators;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RpcServer>> RpcServer::Start(const RpcServerOptions& options) {
  InitPluginsOnce();
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(kMaxReceiveBytes);
  builder.SetMaxSendMessageSize(64 << 20);
  // Clients that poll and clients that were killed must not pile up half-open connections.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 20'000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5'000);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);

  int port = 0;
  int tls_port = 0;
  int plaintext_port = 0;
  const bool tls_only = options.address.empty() && options.tls.has_value();
  if (!tls_only) {
    DM_ASSIGN_OR_RETURN(const auto credentials, MainCredentials(options));
    builder.AddListeningPort(options.address, credentials, &port);
  }
  if (options.tls.has_value()) {
    builder.AddListeningPort(options.tls->address, TlsCredentials(*options.tls, *options.guard),
                             &tls_port);
  }
  if (!options.plaintext_address.empty()) {
    if (!IsLoopback(options.plaintext_address)) {
      return InvalidField("plaintext_address",
                          absl::StrCat("cannot listen on ", options.plaintext_address,
                                       ": without TLS only 127.0.0.1 and [::1] are possible"));
    }
    builder.AddListeningPort(options.plaintext_address,
                             grpc::experimental::LocalServerCredentials(LOCAL_TCP),
                             &plaintext_port);
  }
  for (grpc::Service* service : options.services) builder.RegisterService(service);
  builder.experimental().SetInterceptorCreators(Interceptors(options));

  auto server = std::unique_ptr<RpcServer>(new RpcServer);
  server->server_ = builder.BuildAndStart();
  const auto refused = [](absl::string_view address) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", address));
  };
  if (options.tls.has_value() && tls_port == 0) return refused(options.tls->address);
  if (!options.plaintext_address.empty() && plaintext_port == 0) {
    return refused(options.plaintext_address);
  }
  if (server->server_ == nullptr || (port == 0 && !tls_only)) return refused(options.address);
  server->address_ = WithPort(options.address, port);
  if (options.tls.has_value()) server->tls_address_ = WithPort(options.tls->address, tls_port);
  server->plaintext_address_ = WithPort(options.plaintext_address, plaintext_port);
  server->server_->GetHealthCheckService()->SetServingStatus(true);
  return server;
}

RpcServer::~RpcServer() { Shutdown(absl::ZeroDuration()); }

void RpcServer::Shutdown(absl::Duration grace) {
  if (stopped_ || server_ == nullptr) return;
  stopped_ = true;
  server_->GetHealthCheckService()->SetServingStatus(false);
  // Open reactors do not end by themselves: the deadline cancels them.
  server_->Shutdown(std::chrono::system_clock::now() + absl::ToChronoNanoseconds(grace));
  server_->Wait();
}

}  // namespace machine::common
