// What a cloud has at first, and what tests change and ask of it.
#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/fakes/openstack/fake_openstack.h"

namespace machine::fakes {
namespace {

using Json = nlohmann::json;

Json Network(absl::string_view id, absl::string_view name, absl::string_view project, bool external,
             bool shared) {
  return {{"id", std::string(id)},
          {"name", std::string(name)},
          {"project_id", std::string(project)},
          {"router:external", external},
          {"shared", shared},
          {"port_security_enabled", true},
          {"subnets", {"30000000-0000-4000-8000-000000000001"}}};
}

Json Image(absl::string_view id, absl::string_view name) {
  return {{"id", std::string(id)},
          {"name", std::string(name)},
          {"status", "active"},
          {"visibility", "public"},
          {"min_disk", 0},
          {"min_ram", 0},
          {"created_at", "2026-01-01T00:00:00Z"}};
}

Json Flavor(absl::string_view id, absl::string_view name, int ram, int disk) {
  return {{"id", std::string(id)},
          {"name", std::string(name)},
          {"ram", ram},
          {"disk", disk},
          {"vcpus", 1},
          {"OS-FLV-DISABLED:disabled", false}};
}

template <typename Map>
std::vector<std::string> NamesIn(const Map& map, const char* key) {
  std::vector<std::string> names;
  for (const auto& [id, each] : map) names.push_back(each[key]);
  return names;
}

}  // namespace

void FakeOpenStack::AddFirst() {
  absl::MutexLock lock(&mu_);
  if (style_ == Style::kDevStack) {
    catalog_ = {{"compute", compute_base_},
                {"network", "/networking"},
                {"image", "/image"},
                {"block-storage", "/volume/v3"},
                {"identity", "/identity"}};
    regions_ = {"RegionOne"};
    flavors_ = {Flavor("1", "m1.tiny", 512, 1), Flavor("c1", "cirros256", 256, 1),
                Flavor("d1", "ds1G", 1024, 10), Flavor("2", "m1.small", 2048, 20)};
  } else {
    microversion_ = "";
    catalog_ = {{"compute", compute_base_}, {"image", "/image/v2"}};
    regions_ = {"DFW", "IAD"};
    flavors_ = {Flavor("2", "512MB Standard Instance", 512, 20),
                Flavor("general1-1", "1 GB General Purpose v1", 1024, 20),
                Flavor("general1-2", "2 GB General Purpose v1", 2048, 40)};
  }
  images_ = {Image("20000000-0000-4000-8000-000000000001", "cirros-0.6.2-x86_64-disk"),
             Image("20000000-0000-4000-8000-000000000002", "Ubuntu 22.04 LTS (Jammy Jellyfish)"),
             Image(kUbuntuImage, "ubuntu-24.04-server-cloudimg-amd64"),
             Image("20000000-0000-4000-8000-000000000004", "Ubuntu 25.10"),
             Image("20000000-0000-4000-8000-000000000005", "Ubuntu 26.04 LTS arm64")};
  networks_ = {Network(kPrivateNetwork, "private", kProjectId, false, false),
               Network(kPublicNetwork, "public", "admin", true, false),
               Network("10000000-0000-4000-8000-000000000009", "shared", "admin", false, true),
               Network(kOpenNetwork, "open", "admin", false, true)};
  networks_.back()["port_security_enabled"] = false;
  const std::string group = NewGroup("default", "Default security group");
  groups_[group]["name"] = "default";
}

void FakeOpenStack::SetLag(int reads) {
  absl::MutexLock lock(&mu_);
  lag_.Set(reads);
}

void FakeOpenStack::SetPace(int reads) {
  absl::MutexLock lock(&mu_);
  pace_ = reads;
}

void FakeOpenStack::SetMicroversion(const std::string& newest) {
  absl::MutexLock lock(&mu_);
  microversion_ = newest;
}

void FakeOpenStack::SetCatalogPath(const std::string& type, const std::string& path) {
  absl::MutexLock lock(&mu_);
  catalog_[type] = path;
}

void FakeOpenStack::AddRegion(const std::string& region) {
  absl::MutexLock lock(&mu_);
  regions_.push_back(region);
}

void FakeOpenStack::RemoveService(const std::string& type) {
  absl::MutexLock lock(&mu_);
  catalog_.erase(type);
}

void FakeOpenStack::SetExpiryFormat(const std::string& format) {
  absl::MutexLock lock(&mu_);
  expiry_format_ = format;
}

void FakeOpenStack::SetTokenLifetime(absl::Duration lifetime) {
  absl::MutexLock lock(&mu_);
  token_lifetime_ = lifetime;
}

void FakeOpenStack::RevokeTokens() {
  absl::MutexLock lock(&mu_);
  tokens_.clear();
}

void FakeOpenStack::IgnoreStop(bool ignore) {
  absl::MutexLock lock(&mu_);
  ignore_stop_ = ignore;
}

void FakeOpenStack::FailNextServer(const std::string& reason) {
  absl::MutexLock lock(&mu_);
  fail_next_ = reason;
}

void FakeOpenStack::SetServerLimit(size_t limit) {
  absl::MutexLock lock(&mu_);
  server_limit_ = limit;
}

void FakeOpenStack::SetPageSize(size_t size) {
  absl::MutexLock lock(&mu_);
  page_size_ = size;
}

void FakeOpenStack::AddNetwork(const std::string& id, const std::string& name, bool own,
                               bool external) {
  absl::MutexLock lock(&mu_);
  networks_.push_back(Network(id, name, own ? kProjectId : "admin", external, !own && !external));
}

void FakeOpenStack::AddFlavor(const std::string& id, const std::string& name, int ram, int disk) {
  absl::MutexLock lock(&mu_);
  flavors_.push_back(Flavor(id, name, ram, disk));
}

void FakeOpenStack::AddImage(const std::string& id, const std::string& name) {
  absl::MutexLock lock(&mu_);
  images_.push_back(Image(id, name));
}

void FakeOpenStack::AddKeyPair(const std::string& name, const std::string& public_key) {
  absl::MutexLock lock(&mu_);
  key_pairs_[name] = public_key;
}

std::string FakeOpenStack::AddGroup(const std::string& name) {
  absl::MutexLock lock(&mu_);
  return NewGroup(name, "mine");
}

std::string FakeOpenStack::AddFreeFloatingIp(const std::string& ip) {
  absl::MutexLock lock(&mu_);
  const std::string id = NewId();
  floating_ips_[id] = {{"id", id},
                       {"floating_ip_address", ip},
                       {"floating_network_id", kPublicNetwork},
                       {"port_id", nullptr},
                       {"description", ""},
                       {"project_id", kProjectId},
                       {"revision_number", 7}};
  return id;
}

void FakeOpenStack::AddServers(int count) {
  absl::MutexLock lock(&mu_);
  for (int i = 0; i < count; ++i) {
    const std::string id = NewId();
    servers_[id].json = {{"id", id},
                         {"name", absl::StrCat("m", i)},
                         {"status", "ACTIVE"},
                         {"OS-EXT-STS:task_state", nullptr},
                         {"created", "2026-01-01T00:00:00Z"},
                         {"flavor", {{"id", "d1"}}},
                         {"image", {{"id", kUbuntuImage}}},
                         {"metadata", {{"machine-uid", absl::StrCat(i)}, {"docker-machine", "m"}}},
                         {"tags", {"docker-machine", absl::StrCat("machine-uid-", i)}},
                         {"wired", {{"private", {{{"addr", "10.9.8.7"}, {"version", 4}}}}}}};
  }
}

std::vector<std::string> FakeOpenStack::ServerNames() const {
  absl::MutexLock lock(&mu_);
  std::vector<std::string> names;
  for (const auto& [id, server] : servers_) {
    if (!server.deleting) names.push_back(server.json["name"]);
  }
  return names;
}

std::vector<std::string> FakeOpenStack::KeyPairNames() const {
  absl::MutexLock lock(&mu_);
  std::vector<std::string> names;
  for (const auto& [name, key] : key_pairs_) names.push_back(name);
  return names;
}

std::vector<std::string> FakeOpenStack::GroupNames() const {
  absl::MutexLock lock(&mu_);
  std::vector<std::string> names = NamesIn(groups_, "name");
  std::erase(names, "default");
  return names;
}

std::vector<std::string> FakeOpenStack::PortNames() const {
  absl::MutexLock lock(&mu_);
  return NamesIn(ports_, "name");
}

std::vector<std::string> FakeOpenStack::VolumeNames() const {
  absl::MutexLock lock(&mu_);
  return NamesIn(volumes_, "name");
}

std::vector<std::string> FakeOpenStack::FloatingIps() const {
  absl::MutexLock lock(&mu_);
  return NamesIn(floating_ips_, "floating_ip_address");
}

std::vector<nlohmann::json> FakeOpenStack::Servers() const {
  absl::MutexLock lock(&mu_);
  std::vector<Json> all;
  for (const auto& [id, server] : servers_) all.push_back(server.json);
  return all;
}

nlohmann::json FakeOpenStack::LastCreate() const {
  absl::MutexLock lock(&mu_);
  return last_create_;
}

nlohmann::json FakeOpenStack::LastAuth() const {
  absl::MutexLock lock(&mu_);
  return last_auth_;
}

nlohmann::json FakeOpenStack::LastPort() const {
  absl::MutexLock lock(&mu_);
  return last_port_;
}

nlohmann::json FakeOpenStack::LastVolume() const {
  absl::MutexLock lock(&mu_);
  return last_volume_;
}

std::set<std::string> FakeOpenStack::RulesOf(const std::string& name) const {
  absl::MutexLock lock(&mu_);
  std::set<std::string> rules;
  for (const auto& [id, group] : groups_) {
    if (group["name"] != name) continue;
    for (const Json& rule : group["security_group_rules"]) {
      if (rule["direction"] != "ingress") continue;
      rules.insert(absl::StrCat(rule["protocol"].get<std::string>(), " ",
                                rule["port_range_min"].get<int>(), " ",
                                rule["remote_ip_prefix"].get<std::string>()));
    }
  }
  return rules;
}

std::string FakeOpenStack::LastMicroversion() const {
  absl::MutexLock lock(&mu_);
  return last_microversion_;
}

void FakeOpenStack::DestroyServers(absl::string_view uid) {
  absl::MutexLock lock(&mu_);
  for (auto it = servers_.begin(); it != servers_.end();) {
    if (it->second.json["metadata"].value("machine-uid", "") != uid) {
      ++it;
      continue;
    }
    LetGo(it->first);
    it = servers_.erase(it);
  }
}

void FakeOpenStack::SetStatus(absl::string_view uid, absl::string_view status,
                              absl::string_view task) {
  absl::MutexLock lock(&mu_);
  for (auto& [id, server] : servers_) {
    if (server.json["metadata"].value("machine-uid", "") != uid) continue;
    server.json["status"] = std::string(status);
    server.json["OS-EXT-STS:task_state"] = task.empty() ? Json() : Json(std::string(task));
    server.next_status.clear();
  }
}

}  // namespace machine::fakes
