// What doubles of HTTP APIs are made of: routes, faults to order, a record of every request.
#ifndef TESTS_FAKES_HTTP_FAKE_SERVER_H_
#define TESTS_FAKES_HTTP_FAKE_SERVER_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace httplib {
class Server;
struct Request;
struct Response;
}  // namespace httplib

namespace machine::fakes {

/// Without regard to case.
struct HeaderNameLess {
  bool operator()(const std::string& a, const std::string& b) const;
};

/// A request as it came.
struct Request {
  std::string method;
  /// Without the query, decoded.
  std::string path;
  std::multimap<std::string, std::string> query;
  std::multimap<std::string, std::string, HeaderNameLess> headers;
  std::string body;
  /// The pattern of the route that took it, as "POST /v2/droplets/{id}"; empty for none.
  std::string route;
  /// The texts in the place of the pattern's {…}, in order.
  std::vector<std::string> captures;

  /// The first value; empty where there is none.
  std::string Query(const std::string& name) const;
  std::string Header(const std::string& name) const;
};

struct Response {
  int status = 200;
  std::string body;
  std::map<std::string, std::string> headers = {};
  std::string content_type = "application/json";
};

/// Something that goes wrong.
struct Fault {
  enum class Kind {
    /// 429 with Retry-After; not carried out.
    kThrottle,
    /// `status`; not carried out.
    kStatus,
    /// 200 with a body that is not JSON; not carried out.
    kGarbage,
    /// Carried out, and the connection is broken in the middle of the answer.
    kLoseReply,
    /// Carried out, and answered with `status` all the same.
    kStatusAfterEffect,
    /// Held until Release() or the end of the server, then carried out.
    kHold,
  };

  Kind kind = Kind::kStatus;
  /// As in Route(): "POST /v2/droplets"; empty for every route.
  std::string route;
  /// This many requests pass before it begins.
  int after = 0;
  /// This many requests meet it.
  int times = 1;
  int status = 500;
  int retry_after_seconds = 0;
};

/// A server on 127.0.0.1 at a port of the system's choice. Derive a provider from it: routes in the
/// constructor, Start() at its end, Stop() in the destructor, and one lock around its state.
/// Thread-safe once started.
class FakeServer {
 public:
  using Handler = std::function<Response(const Request&)>;
  /// OK, or what is wrong with a request.
  using Checker = std::function<absl::Status(const Request&)>;

  FakeServer();
  virtual ~FakeServer();

  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  /// "http://127.0.0.1:PORT".
  std::string url() const;

  void Order(const Fault& fault);
  void Release();
  /// Faults that were ordered and have not all happened.
  int pending_faults() const;

  /// Every request so far, also those that met a fault.
  std::vector<Request> requests() const;
  /// How many came by `route`; by any for an empty one.
  int CountOf(absl::string_view route) const;
  void ForgetRequests();

 protected:
  /// `pattern` is a path with {…} for a part between slashes; the first route that fits takes it.
  void Route(absl::string_view method, absl::string_view pattern, Handler handler);
  /// Every request is put to it; a wrong one fails the running test and is answered with 400.
  void CheckRequests(Checker checker);
  /// For APIs with one path for everything: what `part` says of a request comes after the path in
  /// the name of its route, as "POST / RunInstances". Set it before Start().
  void SplitRoutesBy(std::function<std::string(const Request&)> part) {
    route_part_ = std::move(part);
  }
  /// How the provider refuses what comes too often, and fails; default: 429, and what the fault
  /// says, with a body of JSON.
  void Throttle(std::function<Response(const Fault&)> answer) { throttle_ = std::move(answer); }
  void Fail(std::function<Response(const Fault&)> answer) { fail_ = std::move(answer); }
  /// The answer where no route fits; default: 404 without a body.
  void NoRoute(Handler handler) { no_route_ = std::move(handler); }
  void Start();
  void Stop();

 private:
  struct RouteEntry {
    std::string name;
    std::string method;
    std::vector<std::string> parts;
    Handler handler;
  };

  void Serve(const httplib::Request& from, httplib::Response& to);
  Response Answer(const Request& request, const Handler& handler, bool& lose);
  const RouteEntry* Find(Request& request) const;
  std::optional<Fault> TakeFault(const Request& request);

  std::vector<RouteEntry> routes_;
  Handler no_route_;
  std::function<std::string(const Request&)> route_part_;
  std::function<Response(const Fault&)> throttle_;
  std::function<Response(const Fault&)> fail_;
  Checker checker_;
  std::unique_ptr<httplib::Server> server_;
  int port_ = 0;
  std::thread thread_;
  mutable absl::Mutex mu_;
  std::vector<Request> requests_ ABSL_GUARDED_BY(mu_);
  std::vector<Fault> faults_ ABSL_GUARDED_BY(mu_);
  int released_ ABSL_GUARDED_BY(mu_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
};

/// Objects that exist before reads show them. Not thread-safe.
class Lag {
 public:
  /// Each object made from now on stays unseen in its first `reads` reads.
  void Set(int reads) { reads_ = reads; }
  void Born(const std::string& id) { unseen_[id] = reads_; }
  /// One read of the object; whether it shows.
  bool Read(const std::string& id);

 private:
  int reads_ = 0;
  std::map<std::string, int> unseen_;
};

}  // namespace machine::fakes

#endif  // TESTS_FAKES_HTTP_FAKE_SERVER_H_
