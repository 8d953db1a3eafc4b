// Servers that tests talk to. Both listen on 127.0.0.1, on a port of the
// system's choice, and stop when they go: after the client, or its idle connections would hold them
// up.
#ifndef SERVICES_COMMON_HTTP_TEST_SERVER_H_
#define SERVICES_COMMON_HTTP_TEST_SERVER_H_

#include <httplib.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "services/common/process/unique_fd.h"

namespace machine::common {

/// A real HTTP server, plain or with TLS.
class TestServer {
 public:
  using Configure = std::function<void(httplib::Server&)>;

  explicit TestServer(const Configure& configure);
  /// `server` is an httplib::SSLServer.
  TestServer(std::unique_ptr<httplib::Server> server, const Configure& configure);
  ~TestServer();

  int port() const { return port_; }
  std::string url(absl::string_view path, absl::string_view scheme = "http") const;

 private:
  std::unique_ptr<httplib::Server> server_;
  int port_;
  std::thread thread_;
};

/// A server that does what no proper server would. For each request on each connection `answer`
/// gets the request's head and says what to send back; an empty answer keeps the client waiting,
/// and one that starts with "!" is sent without it, and the connection then closed.
class RawServer {
 public:
  using Answer = std::function<std::string(const std::string& head)>;

  /// Listens on the Unix socket `path`, or without one on a TCP port.
  explicit RawServer(Answer answer, const std::string& path = "");
  ~RawServer();

  int port() const { return port_; }
  std::string url(absl::string_view path) const;
  int connections() const { return connections_; }

 private:
  void AcceptLoop();
  void Serve(int fd);

  const Answer answer_;
  int port_ = 0;
  UniqueFd listener_;
  std::atomic<int> connections_ = 0;
  absl::Mutex mu_;
  std::vector<int> open_ ABSL_GUARDED_BY(mu_);
  std::vector<std::thread> serving_ ABSL_GUARDED_BY(mu_);
  std::thread accepting_;
};

/// A port of this machine at which nobody listens, as long as the object lives.
class ClosedPort {
 public:
  ClosedPort();
  int port() const { return port_; }

 private:
  int port_ = 0;
  UniqueFd bound_;
};

}  // namespace machine::common

#endif  // SERVICES_COMMON_HTTP_TEST_SERVER_H_
