#include "drivers/vmwarevsphere/server_certificate.h"

#include <netdb.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <array>
#include <memory>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/common/process/unique_fd.h"
#include "services/common/status/status.h"

namespace machine::driver::vmwarevsphere {
namespace {

constexpr size_t kSha1Digits = 40;

absl::Status Down(const Credentials& credentials, absl::string_view what) {
  return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN,
                       absl::StrCat(credentials.host, ":", credentials.port, " ", what));
}

absl::StatusOr<common::UniqueFd> Connect(const Credentials& credentials, absl::Duration timeout) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed =
      getaddrinfo(credentials.host.c_str(), absl::StrCat(credentials.port).c_str(), &hints, &found);
  if (failed != 0) return Down(credentials, gai_strerror(failed));
  const absl::Cleanup free = [found] { freeaddrinfo(found); };
  const timeval limit = absl::ToTimeval(timeout);
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    common::UniqueFd fd(socket(each->ai_family, each->ai_socktype | SOCK_CLOEXEC, 0));
    if (fd.get() < 0) continue;
    // Linux applies the limit of sending to connecting, too.
    setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (connect(fd.get(), each->ai_addr, each->ai_addrlen) == 0) return fd;
  }
  return Down(credentials, "does not answer");
}

std::string Digest(X509* certificate, const EVP_MD* kind) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest = {};
  unsigned int size = 0;
  if (X509_digest(certificate, kind, digest.data(), &size) != 1) return "";
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest.data()), size));
}

}  // namespace

absl::StatusOr<std::string> CertificateByThumbprint(const Credentials& credentials,
                                                    absl::Duration timeout) {
  DM_ASSIGN_OR_RETURN(const common::UniqueFd fd, Connect(credentials, timeout));
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                                  SSL_CTX_free);
  // What it shows is compared below, and nothing is sent before that.
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  const std::unique_ptr<SSL, decltype(&SSL_free)> tls(SSL_new(context.get()), SSL_free);
  SSL_set_fd(tls.get(), fd.get());
  SSL_set_tlsext_host_name(tls.get(), credentials.host.c_str());
  if (SSL_connect(tls.get()) != 1) return Down(credentials, "does not speak TLS");
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      SSL_get1_peer_certificate(tls.get()), X509_free);
  if (certificate == nullptr) return Down(credentials, "shows no certificate");
  const bool sha1 = credentials.thumbprint.size() == kSha1Digits;
  const std::string thumbprint = Digest(certificate.get(), sha1 ? EVP_sha1() : EVP_sha256());
  if (thumbprint.empty() || thumbprint != credentials.thumbprint) {
    return common::Error(absl::StatusCode::kUnauthenticated,
                         machine::v1::ERROR_REASON_SERVER_NOT_TRUSTED,
                         absl::StrCat("the certificate of ", credentials.host,
                                      " has another thumbprint: ", thumbprint));
  }
  const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_X509(memory.get(), certificate.get());
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &text);  // NOLINT: OpenSSL's type.
  return std::string(text, static_cast<size_t>(size));
}

}  // namespace machine::driver::vmwarevsphere
