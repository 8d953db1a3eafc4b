#include "tests/fakes/engine/tls_engine.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <memory>

namespace machine::fakes {
namespace {

struct Freer {
  void operator()(BIO* bio) const { BIO_free_all(bio); }
  void operator()(X509* cert) const { X509_free(cert); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

std::unique_ptr<BIO, Freer> Reading(const std::string& text) {
  return std::unique_ptr<BIO, Freer>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::unique_ptr<X509, Freer> CertOf(const std::string& pem) {
  return std::unique_ptr<X509, Freer>(
      PEM_read_bio_X509(Reading(pem).get(), nullptr, nullptr, nullptr));
}

}  // namespace

TlsEngine::TlsEngine(int listening_fd, const Certificates& certificates)
    : listening_fd_(listening_fd), context_(SSL_CTX_new(TLS_server_method())) {
  std::signal(SIGPIPE, SIG_IGN);
  const std::unique_ptr<EVP_PKEY, Freer> key(
      PEM_read_bio_PrivateKey(Reading(certificates.key_pem).get(), nullptr, nullptr, nullptr));
  if (SSL_CTX_use_certificate(context_, CertOf(certificates.cert_pem).get()) != 1 ||
      SSL_CTX_use_PrivateKey(context_, key.get()) != 1 ||
      X509_STORE_add_cert(SSL_CTX_get_cert_store(context_), CertOf(certificates.ca_pem).get()) !=
          1 ||
      pipe(wake_) != 0) {
    std::abort();
  }
  SSL_CTX_set_verify(context_, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  thread_ = std::thread([this] { Serve(); });
}

TlsEngine::~TlsEngine() {
  if (write(wake_[1], "x", 1) != 1) std::abort();
  thread_.join();
  close(wake_[0]);
  close(wake_[1]);
  SSL_CTX_free(context_);
}

void TlsEngine::Serve() {
  pollfd waiting[] = {{.fd = listening_fd_, .events = POLLIN, .revents = 0},
                      {.fd = wake_[0], .events = POLLIN, .revents = 0}};
  for (;;) {
    if (poll(waiting, 2, -1) <= 0) continue;
    if (waiting[1].revents != 0) return;
    const int connection = accept4(listening_fd_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return;
    Answer(connection);
    close(connection);
  }
}

void TlsEngine::Answer(int connection) {
  const timeval limit = {.tv_sec = 10, .tv_usec = 0};
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  const std::unique_ptr<SSL, Freer> ssl(SSL_new(context_));
  SSL_set_fd(ssl.get(), connection);
  char request[1024];
  if (SSL_accept(ssl.get()) == 1 && SSL_read(ssl.get(), request, sizeof request) > 0) {
    constexpr char kAnswer[] = "HTTP/1.0 200 OK\r\n\r\nOK";
    SSL_write(ssl.get(), kAnswer, sizeof kAnswer - 1);
    SSL_shutdown(ssl.get());
  }
  ERR_clear_error();
}

}  // namespace machine::fakes
