#include "tests/fakes/simcloud/simcloud.h"

#include <httplib.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/time/clock.h"

namespace machine::fakes {
namespace {

using Json = nlohmann::json;

// A connection that is kept open holds a thread.
constexpr size_t kThreads = 128;
constexpr absl::Duration kDelay = absl::Milliseconds(30);
constexpr absl::string_view kKinds[] = {"instances", "keys", "rules", "disks", "ips"};

void Reply(int status, const Json& body, httplib::Response& response) {
  response.status = status;
  std::string text = body.dump();
  const size_t bytes = text.size();
  // By a provider, for else the library compresses it as well as it can, which takes long.
  response.set_content_provider(
      bytes, "application/json",
      [text = std::move(text)](size_t offset, size_t length, httplib::DataSink& sink) {
        return sink.write(text.data() + offset, length);
      });
}

void Fail(int status, const char* message, httplib::Response& response) {
  Reply(status, {{"message", message}}, response);
}

Json BodyOf(const httplib::Request& request) {
  return Json::parse(request.body, nullptr, /*allow_exceptions=*/false);
}

}  // namespace

SimCloud::SimCloud(Ledger ledger, uint64_t seed)
    : server_(std::make_unique<httplib::Server>()), ledger_(std::move(ledger)), random_(seed) {
  server_->new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  server_->set_tcp_nodelay(true);
  server_->set_keep_alive_max_count(1'000'000);
  const auto answer = [this](const httplib::Request& request, httplib::Response& response) {
    Answer(request, response);
  };
  server_->Get("/v1/.*", answer).Post("/v1/.*", answer).Delete("/v1/.*", answer);
  server_->Get("/ledger", [this](const httplib::Request&, httplib::Response& response) {
    ShowLedger(response);
  });
  server_->Put("/behaviour", [this](const httplib::Request& request, httplib::Response& response) {
    Behave(request, response);
  });
}

SimCloud::~SimCloud() = default;

int SimCloud::Bind() { return server_->bind_to_any_port("127.0.0.1"); }

void SimCloud::Serve() { server_->listen_after_bind(); }

SimCloud::Fault SimCloud::Draw() {
  constexpr Fault kFaults[] = {Fault::kThrottle,
                               Fault::kRefuse,
                               Fault::kFailAfterEffect,
                               Fault::kGarbageAfterEffect,
                               Fault::kLoseReply,
                               Fault::kDelay,
                               Fault::kHalf};
  absl::MutexLock lock(&mu_);
  if (behaviour_.down) return Fault::kRefuse;
  if (!std::bernoulli_distribution(behaviour_.fault_rate)(random_)) return Fault::kNone;
  return kFaults[std::uniform_int_distribution<size_t>(0, std::size(kFaults) - 1)(random_)];
}

void SimCloud::Answer(const httplib::Request& request, httplib::Response& response) {
  const Fault fault = Draw();
  if (fault == Fault::kThrottle) {
    response.set_header("Retry-After", "0");
    return Fail(429, "too many requests", response);
  }
  if (fault == Fault::kRefuse) return Fail(500, "out of order", response);
  if (fault == Fault::kDelay) absl::SleepFor(kDelay);
  httplib::Response carried_out;
  CarryOut(request, fault == Fault::kHalf, carried_out);
  switch (fault) {
    case Fault::kFailAfterEffect:
    case Fault::kHalf:
      return Fail(500, "something went wrong", response);
    case Fault::kGarbageAfterEffect:
      response.set_content("<html>\x01 not what you want", "text/html");
      return;
    case Fault::kLoseReply:
      // Announces a body and breaks off within it.
      response.set_content_provider(1000, "application/json",
                                    [](size_t, size_t, httplib::DataSink&) { return false; });
      return;
    default:
      response = std::move(carried_out);
  }
}

void SimCloud::CarryOut(const httplib::Request& request, bool half, httplib::Response& response) {
  const std::vector<std::string> parts = absl::StrSplit(request.path.substr(4), '/');
  absl::MutexLock lock(&mu_);
  if (request.path == "/v1/search" || request.path == "/v1/owned") {
    return Search(request, response);
  }
  if (std::find(std::begin(kKinds), std::end(kKinds), parts[0]) == std::end(kKinds)) {
    return Fail(404, "no such path", response);
  }
  if (parts.size() == 1 && request.method == "POST") return Create(request, response);
  if (parts.size() == 1) {
    Json list = Json::array();
    for (const SimObject* const object : ledger_.OfTag(request.get_param_value("tag"))) {
      if (object->kind == parts[0] && Shows(*object)) list.push_back(Describe(*object));
    }
    return Reply(200, {{"objects", list}}, response);
  }
  const SimObject* const object = ledger_.Find(parts[1]);
  if (object == nullptr || object->kind != parts[0]) return Fail(404, "no such object", response);
  if (request.method == "GET") return Reply(200, Describe(*object), response);
  const absl::Status status =
      request.method == "DELETE" ? Delete(*object, half)
                                 : ledger_.SetPower(object->id, BodyOf(request).value("on", false));
  if (!status.ok()) return Fail(500, "the ledger cannot be written", response);
  Reply(200, Json::object(), response);
}

void SimCloud::Create(const httplib::Request& request, httplib::Response& response) {
  const Json body = BodyOf(request);
  if (!body.is_object() || body.value("tag", "").empty() || body.value("owner", "").empty()) {
    return Fail(400, "an object needs a tag and an owner", response);
  }
  const absl::StatusOr<SimObject> object = ledger_.Create({.id = "",
                                                           .kind = request.path.substr(4),
                                                           .tag = body.value("tag", ""),
                                                           .owner = body.value("owner", ""),
                                                           .size = body.value("size", ""),
                                                           .created = {}});
  if (!object.ok()) return Fail(500, "the ledger cannot be written", response);
  Reply(201, Describe(*object), response);
}

void SimCloud::Search(const httplib::Request& request, httplib::Response& response) {
  Json list = Json::array();
  const auto add = [&](absl::string_view tag, absl::string_view owner) {
    for (const SimObject* const object : ledger_.OfTag(tag)) {
      if (object->kind == "instances" && (owner.empty() || object->owner == owner)) {
        if (Shows(*object)) list.push_back(Describe(*object));
      }
    }
  };
  if (request.method == "GET") {
    add("", request.get_param_value("owner"));
  } else {
    for (const Json& tag : BodyOf(request).value("tags", Json::array())) {
      if (tag.is_string() && !tag.get<std::string>().empty()) add(tag.get<std::string>(), "");
    }
  }
  Reply(200, {{"objects", list}}, response);
}

absl::Status SimCloud::Delete(const SimObject& object, bool half) {
  const std::string id = object.id;
  if (object.kind == "instances" && !half) {
    std::vector<std::string> attached;
    for (const SimObject* const other : ledger_.OfTag(object.tag)) {
      if (other->kind == "disks" || other->kind == "ips") attached.push_back(other->id);
    }
    for (const std::string& other : attached) {
      if (const absl::Status status = ledger_.Delete(other); !status.ok()) return status;
    }
  }
  return ledger_.Delete(id);
}

void SimCloud::ShowLedger(httplib::Response& response) {
  absl::MutexLock lock(&mu_);
  Json objects = Json::array();
  for (const SimObject* const object : ledger_.OfTag("")) objects.push_back(Describe(*object));
  Json created = Json::object();
  for (const absl::string_view kind : kKinds) {
    created[std::string(kind)] = ledger_.created(std::string(kind));
  }
  Reply(200, {{"objects", objects}, {"created", created}}, response);
}

void SimCloud::Behave(const httplib::Request& request, httplib::Response& response) {
  const Json body = BodyOf(request);
  if (!body.is_object()) return Fail(400, "not an object", response);
  absl::MutexLock lock(&mu_);
  behaviour_.down = body.value("down", behaviour_.down);
  behaviour_.fault_rate = body.value("fault_rate", behaviour_.fault_rate);
  behaviour_.lag =
      absl::Milliseconds(body.value("lag_ms", absl::ToInt64Milliseconds(behaviour_.lag)));
  behaviour_.latency =
      absl::Milliseconds(body.value("latency_ms", absl::ToInt64Milliseconds(behaviour_.latency)));
  Reply(200, Json::object(), response);
}

bool SimCloud::Shows(const SimObject& object) const {
  return absl::Now() - object.created >= behaviour_.lag;
}

Json SimCloud::Describe(const SimObject& object) const {
  const bool building = absl::Now() - object.created < behaviour_.latency;
  return {{"id", object.id},     {"kind", object.kind},
          {"tag", object.tag},   {"owner", object.owner},
          {"size", object.size}, {"state", building ? "building" : object.on ? "active" : "off"}};
}

}  // namespace machine::fakes
