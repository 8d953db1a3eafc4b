// An engine that shakes hands and says "OK" to everything.
#ifndef TESTS_FAKES_ENGINE_TLS_ENGINE_H_
#define TESTS_FAKES_ENGINE_TLS_ENGINE_H_

#include <openssl/ssl.h>

#include <string>
#include <thread>

namespace machine::fakes {

/// Serves TLS on a socket that listens already, to clients with a certificate of its authority, as
/// long as it lives. What connects without speaking TLS is let go. One connection at a time.
class TlsEngine {
 public:
  struct Certificates {
    std::string cert_pem;
    std::string key_pem;
    /// Of clients.
    std::string ca_pem;
  };

  /// `listening_fd` outlives it.
  TlsEngine(int listening_fd, const Certificates& certificates);
  ~TlsEngine();

  TlsEngine(const TlsEngine&) = delete;
  TlsEngine& operator=(const TlsEngine&) = delete;

 private:
  void Serve();
  void Answer(int connection);

  const int listening_fd_;
  SSL_CTX* const context_;
  // A byte to it ends the thread.
  int wake_[2] = {-1, -1};
  std::thread thread_;
};

}  // namespace machine::fakes

#endif  // TESTS_FAKES_ENGINE_TLS_ENGINE_H_
