#include "cli/connect/server_chain.h"

#include <netdb.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/common/crypto/certificates.h"
#include "services/common/process/unique_fd.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

constexpr timeval kTimeout = {.tv_sec = 10, .tv_usec = 0};
// gRPC's servers speak nothing else.
constexpr unsigned char kAlpn[] = {2, 'h', '2'};

struct Freer {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(BIO* bio) const { BIO_free_all(bio); }
};

absl::Status Unreachable(absl::string_view address, absl::string_view why) {
  return absl::UnavailableError(
      absl::StrCat("cannot reach the orchestrator at ", address, ": ", why));
}

absl::StatusOr<common::UniqueFd> ConnectTo(absl::string_view address) {
  const size_t colon = address.rfind(':');
  absl::string_view host = address.substr(0, colon);
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failure = getaddrinfo(std::string(host).c_str(),
                                  std::string(address.substr(colon + 1)).c_str(), &hints, &found);
  if (failure != 0) return Unreachable(address, gai_strerror(failure));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, freeaddrinfo);
  int error = EHOSTUNREACH;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    common::UniqueFd fd(socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd.valid()) return Unreachable(address, common::ErrnoText(errno));
    // Also bounds connect().
    setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kTimeout, sizeof kTimeout);
    setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kTimeout, sizeof kTimeout);
    if (connect(fd.get(), at->ai_addr, at->ai_addrlen) == 0) return fd;
    error = errno == EINPROGRESS ? ETIMEDOUT : errno;
  }
  return Unreachable(address, common::ErrnoText(error));
}

absl::StatusOr<std::string> PemOf(X509* cert) {
  const std::unique_ptr<BIO, Freer> bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(bio.get(), cert) != 1) {
    return absl::InternalError("a certificate cannot be written");
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);  // NOLINT(google-runtime-int)
  return std::string(data, static_cast<size_t>(size));
}

}  // namespace

absl::StatusOr<std::string> FetchAuthority(absl::string_view address,
                                           absl::string_view fingerprint) {
  DM_ASSIGN_OR_RETURN(const common::UniqueFd fd, ConnectTo(address));
  const std::unique_ptr<SSL_CTX, Freer> context(SSL_CTX_new(TLS_client_method()));
  const std::unique_ptr<SSL, Freer> ssl(context == nullptr ? nullptr : SSL_new(context.get()));
  if (ssl == nullptr) return absl::InternalError("no TLS");
  SSL_set_verify(ssl.get(), SSL_VERIFY_NONE, nullptr);
  SSL_set_alpn_protos(ssl.get(), kAlpn, sizeof kAlpn);
  SSL_set_fd(ssl.get(), fd.get());
  if (SSL_connect(ssl.get()) != 1) {
    ERR_clear_error();
    return Unreachable(address, "what listens there does not speak TLS");
  }
  STACK_OF(X509)* const chain = SSL_get_peer_cert_chain(ssl.get());
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    DM_ASSIGN_OR_RETURN(std::string pem, PemOf(sk_X509_value(chain, i)));
    const absl::StatusOr<common::CertInfo> info = common::CertInfo::Parse(pem);
    if (info.ok() && info->fingerprint == fingerprint) return pem;
  }
  return common::Error(
      absl::StatusCode::kUnauthenticated, machine::v1::ERROR_REASON_SERVER_NOT_TRUSTED,
      absl::StrCat("the orchestrator at ", address,
                   " is not the one that the token is for; the token was not sent to it. Check the "
                   "address, or ask for a new token"));
}

}  // namespace machine::cli
