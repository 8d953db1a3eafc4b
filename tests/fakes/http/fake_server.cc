#include "tests/fakes/http/fake_server.h"

#include <gtest/gtest.h>
#include <httplib.h>
#include <strings.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace machine::fakes {
namespace {

// A connection that is kept open holds a thread.
constexpr size_t kThreads = 64;

std::vector<std::string> PartsOf(absl::string_view path) { return absl::StrSplit(path, '/'); }

bool IsCapture(absl::string_view part) {
  return absl::StartsWith(part, "{") && absl::EndsWith(part, "}");
}

template <typename Map>
std::string First(const Map& map, const std::string& name) {
  const auto it = map.find(name);
  return it == map.end() ? "" : it->second;
}

void Write(const Response& response, bool lose, httplib::Response& to) {
  to.status = response.status;
  for (const auto& [name, value] : response.headers) to.set_header(name.c_str(), value);
  if (lose) {
    // Announces a body and breaks off within it.
    to.set_content_provider(1000, "application/json",
                            [](size_t, size_t, httplib::DataSink&) { return false; });
    return;
  }
  if (response.body.empty()) return;
  // By a provider, for else the library compresses it as well as it can, which takes long.
  to.set_content_provider(
      response.body.size(), response.content_type.c_str(),
      [body = response.body](size_t offset, size_t length, httplib::DataSink& sink) {
        return sink.write(body.data() + offset, length);
      });
}

}  // namespace

bool HeaderNameLess::operator()(const std::string& a, const std::string& b) const {
  return strcasecmp(a.c_str(), b.c_str()) < 0;
}

std::string Request::Query(const std::string& name) const { return First(query, name); }
std::string Request::Header(const std::string& name) const { return First(headers, name); }

FakeServer::FakeServer()
    : no_route_([](const Request&) { return Response{.status = 404}; }),
      server_(std::make_unique<httplib::Server>()) {}

FakeServer::~FakeServer() { Stop(); }

std::string FakeServer::url() const { return absl::StrCat("http://127.0.0.1:", port_); }

void FakeServer::Start() {
  server_->new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  server_->set_tcp_nodelay(true);
  server_->set_keep_alive_timeout(1);
  server_->set_keep_alive_max_count(100'000);
  const auto serve = [this](const httplib::Request& from, httplib::Response& to) {
    Serve(from, to);
  };
  server_->Get(".*", serve).Post(".*", serve).Put(".*", serve).Patch(".*", serve);
  server_->Delete(".*", serve);
  port_ = server_->bind_to_any_port("127.0.0.1");
  thread_ = std::thread([this] { server_->listen_after_bind(); });
}

void FakeServer::Stop() {
  if (!thread_.joinable()) return;
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  // Before it runs, stop() would do nothing.
  while (!server_->is_running()) std::this_thread::yield();
  server_->stop();
  thread_.join();
}

void FakeServer::Route(absl::string_view method, absl::string_view pattern, Handler handler) {
  routes_.push_back({absl::StrCat(method, " ", pattern), std::string(method), PartsOf(pattern),
                     std::move(handler)});
}

void FakeServer::CheckRequests(Checker checker) { checker_ = std::move(checker); }

void FakeServer::Order(const Fault& fault) {
  absl::MutexLock lock(&mu_);
  faults_.push_back(fault);
}

void FakeServer::Release() {
  absl::MutexLock lock(&mu_);
  ++released_;
}

int FakeServer::pending_faults() const {
  absl::MutexLock lock(&mu_);
  return static_cast<int>(faults_.size());
}

std::vector<Request> FakeServer::requests() const {
  absl::MutexLock lock(&mu_);
  return requests_;
}

int FakeServer::CountOf(absl::string_view route) const {
  absl::MutexLock lock(&mu_);
  int count = 0;
  for (const Request& request : requests_) {
    if (route.empty() || request.route == route) ++count;
  }
  return count;
}

void FakeServer::ForgetRequests() {
  absl::MutexLock lock(&mu_);
  requests_.clear();
}

const FakeServer::RouteEntry* FakeServer::Find(Request& request) const {
  const std::vector<std::string> parts = PartsOf(request.path);
  for (const RouteEntry& route : routes_) {
    if (route.method != request.method || route.parts.size() != parts.size()) continue;
    std::vector<std::string> captures;
    bool fits = true;
    for (size_t i = 0; i < parts.size() && fits; ++i) {
      if (IsCapture(route.parts[i])) {
        captures.push_back(parts[i]);
        fits = !parts[i].empty();
      } else {
        fits = route.parts[i] == parts[i];
      }
    }
    if (!fits) continue;
    request.route = route.name;
    request.captures = std::move(captures);
    return &route;
  }
  return nullptr;
}

std::optional<Fault> FakeServer::TakeFault(const Request& request) {
  absl::MutexLock lock(&mu_);
  for (auto fault = faults_.begin(); fault != faults_.end(); ++fault) {
    if (!fault->route.empty() && fault->route != request.route) continue;
    if (fault->after > 0) {
      --fault->after;
      continue;
    }
    const Fault taken = *fault;
    if (--fault->times == 0) faults_.erase(fault);
    return taken;
  }
  return std::nullopt;
}

void FakeServer::Serve(const httplib::Request& from, httplib::Response& to) {
  Request request;
  request.method = from.method;
  request.path = from.path;
  request.query.insert(from.params.begin(), from.params.end());
  request.headers.insert(from.headers.begin(), from.headers.end());
  request.body = from.body;
  const RouteEntry* const route = Find(request);
  if (route_part_) absl::StrAppend(&request.route, " ", route_part_(request));
  {
    absl::MutexLock lock(&mu_);
    requests_.push_back(request);
  }
  if (checker_) {
    if (const absl::Status status = checker_(request); !status.ok()) {
      ADD_FAILURE() << "a request does not fit the API's description: " << status.message();
      return Write({.status = 400, .body = std::string(status.message())}, false, to);
    }
  }
  bool lose = false;
  const Response response = Answer(request, route == nullptr ? no_route_ : route->handler, lose);
  Write(response, lose, to);
}

Response FakeServer::Answer(const Request& request, const Handler& handler, bool& lose) {
  const std::optional<Fault> fault = TakeFault(request);
  if (!fault.has_value()) return handler(request);
  switch (fault->kind) {
    case Fault::Kind::kThrottle:
      if (throttle_) return throttle_(*fault);
      return {.status = 429,
              .body = R"({"id":"too_many_requests","message":"API rate limit exceeded"})",
              .headers = {{"Retry-After", absl::StrCat(fault->retry_after_seconds)}}};
    case Fault::Kind::kStatus:
      if (fail_) return fail_(*fault);
      return {.status = fault->status, .body = R"({"id":"server_error","message":"oops"})"};
    case Fault::Kind::kGarbage:
      return {.body = "<html>\x01 not what you want", .content_type = "text/html"};
    case Fault::Kind::kLoseReply:
      lose = true;
      return handler(request);
    case Fault::Kind::kStatusAfterEffect: {
      Response response = handler(request);
      if (fail_) return fail_(*fault);
      response.status = fault->status;
      response.body = R"({"id":"server_error","message":"oops"})";
      return response;
    }
    case Fault::Kind::kHold:
      break;
  }
  {
    absl::MutexLock lock(&mu_);
    const auto go = [this]()
                        ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return released_ > 0 || stopping_; };
    mu_.Await(absl::Condition(&go));
    if (released_ > 0) --released_;
  }
  return handler(request);
}

bool Lag::Read(const std::string& id) {
  const auto it = unseen_.find(id);
  if (it == unseen_.end() || it->second == 0) return true;
  --it->second;
  return false;
}

}  // namespace machine::fakes
