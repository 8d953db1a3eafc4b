#include "cli/commands/engine_check.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/args/flags.h"
#include "cli/commands/dial.h"
#include "services/common/process/broken_pipe.h"
#include "services/common/process/unique_fd.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

constexpr absl::string_view kPing = "GET /_ping HTTP/1.0\r\n\r\n";

struct Freer {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

std::string Address(const EngineDoor& door) {
  const bool v6 = absl::StrContains(door.host, ':');
  return absl::StrCat(v6 ? "[" : "", door.host, v6 ? "]" : "", ":", door.port);
}

// The original's three lines, which it also has for an engine that it does not reach.
std::string Unusable(const EngineDoor& door, absl::string_view why) {
  return absl::StrCat(
      "Error checking and/or regenerating the certs: There was an error validating certificates "
      "for host ",
      GoQuote(Address(door)), ": ", why,
      "\nYou can attempt to regenerate them using 'docker-machine regenerate-certs [name]'.\nBe "
      "advised that this will trigger a Docker daemon restart which might stop running "
      "containers.");
}

absl::Status Refused(const EngineDoor& door, absl::string_view why) {
  return absl::FailedPreconditionError(Unusable(door, why));
}

absl::Status Unreached(const EngineDoor& door, absl::string_view why) {
  return absl::UnavailableError(Unusable(door, why));
}

std::string LastReason(absl::string_view otherwise) {
  const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return reason == nullptr ? std::string(otherwise) : std::string(reason);
}

// Why a handshake or a read has failed.
absl::Status Failure(const EngineDoor& door, SSL* ssl, int result) {
  const int saved_errno = errno;
  if (const auto verified = SSL_get_verify_result(ssl); verified != X509_V_OK) {
    ERR_clear_error();
    return Refused(door, X509_verify_cert_error_string(verified));
  }
  const int kind = SSL_get_error(ssl, result);
  if (kind == SSL_ERROR_SSL) return Refused(door, LastReason("no TLS"));
  const bool timed_out = kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE ||
                         saved_errno == EAGAIN || saved_errno == EWOULDBLOCK;
  return Unreached(door, timed_out ? "the engine does not answer" : "the engine hangs up");
}

absl::StatusOr<std::unique_ptr<SSL_CTX, Freer>> ClientOf(const EngineDoor& door) {
  std::unique_ptr<SSL_CTX, Freer> context(SSL_CTX_new(TLS_client_method()));
  if (context == nullptr) return absl::InternalError("no TLS");
  const auto in = [&](const char* name) { return absl::StrCat(door.folder, "/", name); };
  if (SSL_CTX_load_verify_locations(context.get(), in("ca.pem").c_str(), nullptr) != 1 ||
      SSL_CTX_use_certificate_chain_file(context.get(), in("cert.pem").c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context.get(), in("key.pem").c_str(), SSL_FILETYPE_PEM) != 1) {
    return Refused(door, absl::StrCat("the certificates in ", door.folder,
                                      " cannot be used: ", LastReason("unknown cause")));
  }
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  return context;
}

bool ExpectName(SSL* ssl, const std::string& host) {
  in6_addr address = {};
  const bool is_address = inet_pton(AF_INET, host.c_str(), &address) == 1 ||
                          inet_pton(AF_INET6, host.c_str(), &address) == 1;
  if (is_address) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1;
  SSL_set_tlsext_host_name(ssl, host.c_str());
  return SSL_set1_host(ssl, host.c_str()) == 1;
}

}  // namespace

absl::Status CheckEngine(const EngineDoor& door, absl::Duration timeout) {
  const absl::StatusOr<common::UniqueFd> fd = Dial(door.host, door.port, timeout);
  if (!fd.ok()) {
    return Unreached(door, absl::StrCat("dial tcp ", Address(door), ": ",
                                        absl::AsciiStrToLower(fd.status().message())));
  }
  const timeval limit = absl::ToTimeval(timeout);
  setsockopt(fd->get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd->get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  DM_ASSIGN_OR_RETURN(const auto context, ClientOf(door));
  const std::unique_ptr<SSL, Freer> ssl(SSL_new(context.get()));
  if (ssl == nullptr || !ExpectName(ssl.get(), door.host)) return absl::InternalError("no TLS");
  SSL_set_fd(ssl.get(), fd->get());
  ERR_clear_error();  // What is left there would be taken for this connection's.
  // A side that refuses the other hangs up, perhaps before it is written to.
  const common::BrokenPipeGuard guard;
  int result = SSL_connect(ssl.get());
  if (result != 1) return Failure(door, ssl.get(), result);
  // Whether it was written, the answer tells, or why there is none.
  SSL_write(ssl.get(), kPing.data(), static_cast<int>(kPing.size()));
  ERR_clear_error();
  char first = 0;
  result = SSL_read(ssl.get(), &first, 1);
  return result == 1 ? absl::OkStatus() : Failure(door, ssl.get(), result);
}

}  // namespace machine::cli
