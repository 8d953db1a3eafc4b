// Nova.
#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/fakes/openstack/fake_openstack.h"

namespace machine::fakes {
namespace {

using Json = nlohmann::json;

constexpr char kVersionHeader[] = "X-OpenStack-Nova-API-Version";
constexpr int kKeyTypes = 2;
constexpr int kTags = 26;
constexpr int kNetworksRequired = 37;
constexpr int kFlavorEmbedded = 47;
constexpr int kTagsAtCreate = 52;

int MinorIn(const std::string& version) {
  const std::vector<std::string> parts = absl::StrSplit(version, '.');
  int minor = 0;
  return parts.size() == 2 && absl::SimpleAtoi(parts[1], &minor) ? minor : 0;
}

bool HasTags(const Json& server, const std::string& wanted) {
  const Json& tags = server["tags"];
  for (const absl::string_view tag : absl::StrSplit(wanted, ',')) {
    if (std::find(tags.begin(), tags.end(), std::string(tag)) == tags.end()) return false;
  }
  return true;
}

const Json* ById(const std::vector<Json>& all, const Json& id) {
  const auto it =
      std::find_if(all.begin(), all.end(), [&](const Json& e) { return e["id"] == id; });
  return it == all.end() ? nullptr : &*it;
}

}  // namespace

Response FakeOpenStack::ComputeVersions(const Request& request) {
  const bool old = style_ == Style::kRackspace;
  const std::string id = old ? "v2.0" : "v2.1";
  const Json version = {{"id", id},
                        {"status", "CURRENT"},
                        {"version", microversion_},
                        {"min_version", microversion_.empty() ? "" : "2.1"},
                        {"links", {{{"rel", "self"}, {"href", "http://10.0.0.5/compute/v2.1/"}}}}};
  if (request.path != "/compute/") return {.body = Json{{"version", version}}.dump()};
  const Json v2 = {{"id", "v2.0"}, {"status", "SUPPORTED"}, {"version", ""}, {"min_version", ""}};
  return {.body = Json{{"versions", {v2, version}}}.dump()};
}

int FakeOpenStack::MinorOf(const Request& request) const {
  return std::min(MinorIn(request.Header(kVersionHeader)), MinorIn(microversion_));
}

FakeOpenStack::Json FakeOpenStack::Shown(const Server& server, int minor) const {
  Json json = server.json;
  Json addresses = Json::object();
  if (json["status"] != "BUILD") {
    for (const auto& [id, port] : ports_) {
      if (port["device_id"] != json["id"]) continue;
      const Json* const network = ById(networks_, port["network_id"]);
      const std::string name = (*network)["name"];
      for (const Json& fixed : port["fixed_ips"]) {
        const std::string ip = fixed["ip_address"];
        addresses[name].push_back({{"addr", ip},
                                   {"version", ip.find(':') == std::string::npos ? 4 : 6},
                                   {"OS-EXT-IPS:type", "fixed"}});
      }
      for (const auto& [floating_id, floating] : floating_ips_) {
        if (floating["port_id"] != id) continue;
        addresses[name].push_back({{"addr", floating["floating_ip_address"]},
                                   {"version", 4},
                                   {"OS-EXT-IPS:type", "floating"}});
      }
    }
    if (json.contains("wired")) addresses = json["wired"];
  }
  json.erase("wired");
  json["addresses"] = addresses;
  const Json* const flavor = ById(flavors_, json["flavor"]["id"]);
  if (minor >= kFlavorEmbedded && flavor != nullptr) {
    json["flavor"] = {{"original_name", (*flavor)["name"]}, {"ram", (*flavor)["ram"]}};
  }
  if (minor < kTags) json.erase("tags");
  return json;
}

void FakeOpenStack::LetGo(const std::string& server_id) {
  for (auto& [id, port] : ports_) {
    if (port["device_id"] == server_id) port["device_id"] = "";
  }
  std::erase_if(volumes_, [&](const auto& entry) { return entry.second["server"] == server_id; });
}

bool FakeOpenStack::Advance(const std::string& id, Server& server) {
  if (server.next_status.empty() || server.reads_left-- > 0) return true;
  if (server.deleting) {
    LetGo(id);
    return false;
  }
  server.json["status"] = server.next_status;
  server.json["OS-EXT-STS:task_state"] = nullptr;
  server.next_status.clear();
  return true;
}

Response FakeOpenStack::ListServers(const Request& request) {
  const int minor = MinorOf(request);
  const std::string tags = request.Query("tags");
  // Nova knows no filter "tags" before, and passes over what it does not know.
  std::vector<Json> seen;
  for (auto it = servers_.begin(); it != servers_.end();) {
    Server& server = it->second;
    const bool wanted = tags.empty() || minor < kTags || HasTags(server.json, tags);
    if (!wanted || !lag_.Read(it->first)) {
      ++it;
      continue;
    }
    if (!Advance(it->first, server)) {
      it = servers_.erase(it);
      continue;
    }
    seen.push_back(Shown(server, minor));
    ++it;
  }
  return Page(request, "servers", seen);
}

Response FakeOpenStack::RefuseCreate(const Json& wanted, int minor) {
  if (servers_.size() >= server_limit_) {
    return RefuseOpenStack(403, absl::StrCat("Quota exceeded for instances: Requested 1, but "
                                             "already used ",
                                             servers_.size(), " of ", server_limit_, " instances"));
  }
  if (wanted.contains("tags") && minor < kTagsAtCreate) {
    return RefuseOpenStack(400, "Additional properties are not allowed ('tags' was unexpected)");
  }
  if (!wanted.contains("networks") && minor >= kNetworksRequired) {
    return RefuseOpenStack(400, "'networks' is a required property");
  }
  if (wanted.value("networks", Json()).is_string() && minor < kNetworksRequired) {
    return RefuseOpenStack(400, "Invalid input for field/attribute networks. Value: auto");
  }
  if (ById(flavors_, wanted["flavorRef"]) == nullptr) {
    return RefuseOpenStack(400, "Flavor could not be found.");
  }
  const bool from_image = wanted.contains("imageRef");
  if (from_image == wanted.contains("block_device_mapping_v2")) {
    return RefuseOpenStack(400, "Block Device Mapping is Invalid: Boot sequence for the instance");
  }
  if (from_image && ById(images_, wanted["imageRef"]) == nullptr) {
    return RefuseOpenStack(400, "Image could not be found.");
  }
  if (wanted.contains("key_name") && !key_pairs_.contains(wanted["key_name"])) {
    return RefuseOpenStack(400, "Invalid key_name provided.");
  }
  for (const Json& network : wanted.value("networks", Json::array())) {
    if (!network.is_object()) continue;
    const auto port = ports_.find(network["port"]);
    if (port == ports_.end()) return RefuseOpenStack(400, "Port could not be found.");
    if (port->second["device_id"] != "") {
      return RefuseOpenStack(409, absl::StrCat("Port ", port->first, " is still in use."));
    }
  }
  for (const Json& device : wanted.value("block_device_mapping_v2", Json::array())) {
    const auto volume = volumes_.find(device["uuid"]);
    if (volume == volumes_.end() || volume->second["status"] != "available") {
      return RefuseOpenStack(400, "Block Device Mapping is Invalid: failed to get volume.");
    }
  }
  return {.status = 202};
}

Response FakeOpenStack::CreateServer(const Request& request) {
  const int minor = MinorOf(request);
  last_microversion_ = request.Header(kVersionHeader);
  const Json wanted = Json::parse(request.body)["server"];
  Response response = RefuseCreate(wanted, minor);
  if (response.status != 202) return response;
  last_create_ = wanted;
  const std::string id = NewId();
  Server& server = servers_[id];
  const std::string fault = std::exchange(fail_next_, "");
  server.json = {
      {"id", id},
      {"name", wanted["name"]},
      {"status", "BUILD"},
      {"OS-EXT-STS:task_state", "spawning"},
      {"OS-EXT-AZ:availability_zone", wanted.value("availability_zone", "nova")},
      {"created", absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", absl::Now(), absl::UTCTimeZone())},
      {"flavor", {{"id", wanted["flavorRef"]}}},
      {"image", ""},
      {"metadata", wanted.value("metadata", Json::object())},
      {"tags", wanted.value("tags", Json::array())},
      {"key_name", wanted.value("key_name", "")}};
  if (wanted.contains("imageRef")) server.json["image"] = {{"id", wanted["imageRef"]}};
  if (style_ == Style::kRackspace) {
    server.json["wired"] = {
        {"public",
         {{{"addr", "2001:db8::7"}, {"version", 6}},
          {{"addr", absl::StrCat("198.51.100.", next_id_ % 250)}, {"version", 4}}}},
        {"private", {{{"addr", absl::StrCat("10.1.2.", next_id_ % 250)}, {"version", 4}}}}};
  }
  for (const Json& network : wanted.value("networks", Json::array())) {
    if (network.is_object()) ports_[network["port"]]["device_id"] = id;
  }
  for (const Json& device : wanted.value("block_device_mapping_v2", Json::array())) {
    volumes_[device["uuid"]]["status"] = "in-use";
    volumes_[device["uuid"]]["server"] = id;
  }
  server.reads_left = pace_;
  server.next_status = fault.empty() ? "ACTIVE" : "ERROR";
  if (!fault.empty()) server.json["fault"] = {{"code", 500}, {"message", fault}};
  lag_.Born(id);
  response.body =
      Json{{"server", {{"id", id}, {"adminPass", "x"}, {"OS-DCF:diskConfig", "MANUAL"}}}}.dump();
  return response;
}

FakeOpenStack::Server* FakeOpenStack::FindServer(const Request& request) {
  const std::string& id = request.captures[0];
  const auto it = servers_.find(id);
  if (it == servers_.end() || !lag_.Read(id)) return nullptr;
  if (Advance(id, it->second)) return &it->second;
  servers_.erase(it);
  return nullptr;
}

Response FakeOpenStack::GetServer(const Request& request) {
  const Server* const server = FindServer(request);
  if (server == nullptr) return RefuseOpenStack(404, "Instance could not be found.");
  return {.body = Json{{"server", Shown(*server, MinorOf(request))}}.dump()};
}

Response FakeOpenStack::DeleteServer(const Request& request) {
  Server* const server = FindServer(request);
  if (server == nullptr) return RefuseOpenStack(404, "Instance could not be found.");
  server->json["OS-EXT-STS:task_state"] = "deleting";
  server->deleting = true;
  server->next_status = "DELETED";
  server->reads_left = pace_;
  return {.status = 204};
}

Response FakeOpenStack::ActOnServer(const Request& request) {
  Server* const server = FindServer(request);
  if (server == nullptr) return RefuseOpenStack(404, "Instance could not be found.");
  const Json body = Json::parse(request.body);
  const std::string action = body.begin().key();
  struct Change {
    std::set<std::string> from;
    std::string task;
    std::string to;
  };
  static const std::map<std::string, Change> kChanges = {
      {"os-start", {{"SHUTOFF"}, "powering-on", "ACTIVE"}},
      {"os-stop", {{"ACTIVE", "ERROR"}, "powering-off", "SHUTOFF"}},
      {"unpause", {{"PAUSED"}, "unpausing", "ACTIVE"}},
      {"resume", {{"SUSPENDED"}, "resuming", "ACTIVE"}},
      {"unshelve", {{"SHELVED", "SHELVED_OFFLOADED"}, "unshelving", "ACTIVE"}},
      {"reboot", {{"ACTIVE"}, "rebooting", "ACTIVE"}}};
  const Change& change = kChanges.at(action);
  const std::string status = server->json["status"];
  const Json& task = server->json["OS-EXT-STS:task_state"];
  if (!change.from.contains(status) || !task.is_null()) {
    return RefuseOpenStack(409, absl::StrCat("Cannot '", action, "' instance while it is in ",
                                             task.is_null() ? absl::StrCat("vm_state ", status)
                                                            : "task_state " + task.dump()));
  }
  if (action == "os-stop" && ignore_stop_) return {.status = 202};
  server->json["OS-EXT-STS:task_state"] = change.task;
  if (action == "reboot") server->json["status"] = "REBOOT";
  server->next_status = change.to;
  server->reads_left = pace_;
  return {.status = 202};
}

Response FakeOpenStack::ListFlavors(const Request& request) {
  return Page(request, "flavors", flavors_);
}

Response FakeOpenStack::GetLimits(const Request&) {
  const Json absolute = {{"maxTotalInstances", server_limit_},
                         {"totalInstancesUsed", servers_.size()}};
  return {.body = Json{{"limits", {{"rate", Json::array()}, {"absolute", absolute}}}}.dump()};
}

Response FakeOpenStack::ListZones(const Request&) {
  return {.body = R"({"availabilityZoneInfo": [
    {"zoneName": "nova", "zoneState": {"available": true}, "hosts": null},
    {"zoneName": "closed", "zoneState": {"available": false}, "hosts": null}]})"};
}

Response FakeOpenStack::ListKeyPairs(const Request& request) {
  std::vector<Json> all;
  for (const auto& [name, key] : key_pairs_) {
    all.push_back({{"keypair", {{"name", name}, {"public_key", key}, {"fingerprint", "aa"}}}});
  }
  return Page(request, "keypairs", all);
}

Response FakeOpenStack::CreateKeyPair(const Request& request) {
  const Json wanted = Json::parse(request.body)["keypair"];
  const std::string name = wanted["name"];
  if (wanted.contains("type") != (MinorOf(request) >= kKeyTypes)) {
    return RefuseOpenStack(400, "Additional properties are not allowed ('type' was unexpected)");
  }
  if (key_pairs_.contains(name)) {
    return RefuseOpenStack(409, absl::StrCat("Key pair '", name, "' already exists."));
  }
  key_pairs_[name] = wanted["public_key"];
  return {.status = 201, .body = Json{{"keypair", wanted}}.dump()};
}

Response FakeOpenStack::GetKeyPair(const Request& request) {
  const auto key = key_pairs_.find(request.captures[0]);
  if (key == key_pairs_.end()) return RefuseOpenStack(404, "Keypair not found.");
  return {.body = Json{{"keypair", {{"name", key->first}, {"public_key", key->second}}}}.dump()};
}

Response FakeOpenStack::DeleteKeyPair(const Request& request) {
  if (key_pairs_.erase(request.captures[0]) == 0) return RefuseOpenStack(404, "Keypair not found.");
  return {.status = 204};
}

}  // namespace machine::fakes
