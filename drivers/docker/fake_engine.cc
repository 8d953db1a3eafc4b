#include "drivers/docker/fake_engine.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "drivers/docker/machine_container.h"
#include "drivers/sdk/ustar.h"

namespace machine::driver::docker {
namespace {

using Json = nlohmann::json;
using Query = std::map<std::string, std::string>;

EngineResponse Answer(int status, const Json& body) { return {status, body.dump()}; }

EngineResponse Refuse(int status, const std::string& message) {
  return Answer(status, {{"message", message}});
}

std::string Decode(absl::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      decoded += absl::HexStringToBytes(text.substr(i + 1, 2));
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

Query ParseQuery(absl::string_view text) {
  Query query;
  for (const absl::string_view part : absl::StrSplit(text, '&', absl::SkipEmpty())) {
    const std::pair<std::string, std::string> pair = absl::StrSplit(part, absl::MaxSplits('=', 1));
    query[pair.first] = Decode(pair.second);
  }
  return query;
}

bool Matches(const Json& labels, const Query& query) {
  const auto filters = query.find("filters");
  if (filters == query.end()) return true;
  const Json wanted_labels = Json::parse(filters->second).at("label");
  for (const Json& wanted : wanted_labels) {
    const std::pair<std::string, std::string> label =
        absl::StrSplit(wanted.get<std::string>(), absl::MaxSplits('=', 1));
    if (!labels.contains(label.first) || labels.at(label.first) != label.second) return false;
  }
  return true;
}

bool IsMachine(const FakeContainer& container) {
  return container.specification.at("Labels").value(std::string(kRoleLabel), "") == kMachineRole;
}

// The published ports of a running container.
Json PortsOf(const FakeContainer& container) {
  Json ports = Json::array();
  const Json bindings =
      container.specification.at("HostConfig").value("PortBindings", Json::object());
  for (const auto& [inner, outer] : bindings.items()) {
    int32_t inner_port = 0;
    int32_t outer_port = 0;
    const std::string host_port = outer.at(0).at("HostPort").get<std::string>();
    if (absl::SimpleAtoi(absl::StripSuffix(inner, "/tcp"), &inner_port) &&
        absl::SimpleAtoi(host_port, &outer_port)) {
      ports.push_back({{"PrivatePort", inner_port}, {"PublicPort", outer_port}});
    }
  }
  return ports;
}

}  // namespace

EngineTransportFactory FakeEngine::transports() {
  class Transport final : public EngineTransport {
   public:
    explicit Transport(FakeEngine& engine) : engine_(engine) {}
    absl::StatusOr<EngineResponse> Send(const common::CallScope& call,
                                        const EngineRequest& request) override {
      if (absl::Status status = call.Check(); !status.ok()) return status;
      return engine_.Handle(request);
    }

   private:
    FakeEngine& engine_;
  };
  return [this](const Endpoint&) -> absl::StatusOr<std::unique_ptr<EngineTransport>> {
    return std::make_unique<Transport>(*this);
  };
}

absl::StatusOr<EngineResponse> FakeEngine::Handle(const EngineRequest& request) {
  absl::MutexLock lock(&mu_);
  const std::string line = absl::StrCat(request.method, " ", request.target);
  requests.push_back(line);
  const bool lost = accident_.has_value() && accident_->first == answered_;
  ++answered_;
  const absl::Status broken = absl::UnavailableError("connection reset by peer");
  if (lost && accident_->second == Accident::kBeforeTheEffect) return broken;
  for (auto it = ordered_.begin(); it != ordered_.end(); ++it) {
    if (!absl::StrContains(line, it->first)) continue;
    EngineResponse response = it->second;
    ordered_.erase(it);
    return response;
  }
  const std::pair<absl::string_view, absl::string_view> target =
      absl::StrSplit(request.target, absl::MaxSplits('?', 1));
  EngineResponse response = Dispatch(request, target.first, ParseQuery(target.second));
  if (lost) return broken;
  return response;
}

void FakeEngine::LoseAnswer(int number, Accident accident) {
  answered_ = 0;
  accident_ = {number, accident};
}

void FakeEngine::AnswerOnce(absl::string_view part, EngineResponse response) {
  ordered_.emplace_back(part, std::move(response));
}

FakeContainer& FakeEngine::only() {
  const auto first = std::find_if(containers.begin(), containers.end(), IsMachine);
  if (std::count_if(containers.begin(), containers.end(), IsMachine) != 1) {
    std::cerr << "there is not exactly one machine\n";
    std::abort();
  }
  return *first;
}

int FakeEngine::Count(absl::string_view part) const {
  return static_cast<int>(
      std::count_if(requests.begin(), requests.end(),
                    [&](const std::string& line) { return absl::StrContains(line, part); }));
}

EngineResponse FakeEngine::Dispatch(const EngineRequest& request, absl::string_view path,
                                    const Query& query) {
  if (path == "/version") {
    return Answer(200, {{"ApiVersion", api_version}, {"MinAPIVersion", min_api_version}});
  }
  const std::string version = absl::StrCat("/v", api_version);
  if (!absl::ConsumePrefix(&path, version) && !absl::ConsumePrefix(&path, "/v1.44")) {
    return Refuse(400,
                  "client version is too new. Maximum supported API version is " + api_version);
  }
  if (path == "/info") {
    return Answer(200, {{"OSType", os_type},
                        {"MemTotal", int64_t{4} << 30},
                        {"NCPU", 2},
                        {"DriverStatus",
                         Json::array({Json::array({"Backing Filesystem", backing_file_system}),
                                      Json::array({"Supports d_type", "true"})})}});
  }
  if (path == "/containers/json") return List(query);
  if (path == "/containers/create") return Create(query.at("name"), request.body);
  const std::vector<std::string> parts = absl::StrSplit(path, '/');
  if (parts.at(1) == "containers") {
    return OnContainer(request, parts.at(2), parts.size() > 3 ? parts[3] : "", query);
  }
  if (parts.at(1) == "images") {
    return images.count(Decode(parts.at(2))) != 0 ? Answer(200, Json::object())
                                                  : Refuse(404, "no such image");
  }
  if (parts.at(1) == "networks") {
    return networks.count(parts.at(2)) != 0 ? Answer(200, Json::object())
                                            : Refuse(404, "no such network");
  }
  return OnVolume(request, parts.size() > 2 ? parts[2] : "", query);
}

EngineResponse FakeEngine::List(const Query& query) const {
  Json list = Json::array();
  for (const FakeContainer& container : containers) {
    const Json& labels = container.specification.at("Labels");
    if (!Matches(labels, query)) continue;
    const bool up = container.status == "running" || container.status == "paused";
    const Json& host = container.specification.at("HostConfig");
    const std::string network = host.at("NetworkMode").get<std::string>();
    list.push_back({{"Id", container.id},
                    {"Names", Json::array({"/" + container.name})},
                    {"State", container.status},
                    {"Labels", labels},
                    {"Ports", up ? PortsOf(container) : Json::array()},
                    {"HostConfig", {{"NetworkMode", network}}},
                    {"NetworkSettings",
                     {{"Networks", {{network, {{"IPAddress", up ? container.address : ""}}}}}}}});
  }
  return Answer(200, list);
}

EngineResponse FakeEngine::Create(const std::string& name, const std::string& body) {
  for (const FakeContainer& other : containers) {
    if (other.name == name) return Refuse(409, "The container name is already in use");
  }
  FakeContainer container;
  container.specification = Json::parse(body);
  container.id = absl::StrCat("c0ffee00", absl::Hex(++made_, absl::kZeroPad16));
  container.name = name;
  container.address = absl::StrCat("172.17.0.", made_ + 1);
  if (images.count(container.specification.at("Image").get<std::string>()) == 0) {
    return Refuse(404, "No such image");
  }
  containers.push_back(container);
  return Answer(201, {{"Id", container.id}});
}

EngineResponse FakeEngine::Start(FakeContainer& container) {
  if (container.status == "running") return {304, ""};
  if (!IsMachine(container)) {
    container.output = absl::StrCat("CapBnd:\t", bounding_set, "\r\n");
    container.status = "exited";
    return {204, ""};
  }
  if (refuses_privileged && container.specification.at("HostConfig").value("Privileged", false)) {
    return Refuse(
        500,
        "failed to create shim task: OCI runtime create failed: unable to start container "
        "process: unable to apply caps: operation not permitted: unknown");
  }
  for (const Json& port : PortsOf(container)) {
    if (taken_ports.count(port.at("PublicPort").get<int>()) != 0) {
      return Refuse(500,
                    "driver failed programming external connectivity: Bind for 0.0.0.0 "
                    "failed: port is already allocated");
    }
  }
  container.status = status_after_start;
  return {204, ""};
}

EngineResponse FakeEngine::Kill(FakeContainer& container, const std::string& signal) {
  if (container.status != "running" && container.status != "paused") {
    return Refuse(409, "Container is not running");
  }
  const bool heard = signal != "SIGKILL" && signals_missed-- <= 0 && guests_obey;
  if (signal == "SIGKILL" || heard) container.status = "exited";
  return {204, ""};
}

EngineResponse FakeEngine::OnContainer(const EngineRequest& request, const std::string& id,
                                       absl::string_view verb, const Query& query) {
  const auto found = std::find_if(
      containers.begin(), containers.end(),
      [&](const FakeContainer& container) { return container.id == id || container.name == id; });
  if (found == containers.end()) return Refuse(404, "No such container: " + id);
  FakeContainer& container = *found;
  if (request.method == "DELETE") {
    containers.erase(found);
    return {204, ""};
  }
  if (verb == "start") return Start(container);
  if (verb == "kill") return Kill(container, query.at("signal"));
  if (verb == "stop") {
    container.status = "exited";
    return {204, ""};
  }
  if (verb == "unpause") {
    container.status = "running";
    return {204, ""};
  }
  if (verb == "wait") return Answer(200, {{"StatusCode", 0}});
  if (verb == "logs") return {200, container.output};
  if (verb != "archive") return Refuse(404, "page not found");
  if (request.method == "GET") {
    return {200, WriteTar({{.path = "passwd", .mode = 0644, .contents = passwd}})};
  }
  container.archives.push_back(request.body);
  return {200, ""};
}

EngineResponse FakeEngine::OnVolume(const EngineRequest& request, absl::string_view name,
                                    const Query& query) {
  if (name == "create") {
    const Json volume = Json::parse(request.body);
    volumes.emplace(volume.at("Name").get<std::string>(), volume);
    return Answer(201, volume);
  }
  if (request.method == "DELETE") {
    return volumes.erase(std::string(name)) != 0 ? EngineResponse{204, ""}
                                                 : Refuse(404, "no such volume");
  }
  Json list = Json::array();
  for (const auto& [key, volume] : volumes) {
    if (Matches(volume.at("Labels"), query)) list.push_back({{"Name", key}});
  }
  return Answer(200, {{"Volumes", list.empty() ? Json() : list}});
}

}  // namespace machine::driver::docker
