#include "tests/fakes/digitalocean/fake_digitalocean.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/fakes/digitalocean/more_paths.h"
#include "tests/fakes/openapi/description.h"

namespace machine::fakes {
namespace {

using Json = nlohmann::json;

Response Ok(const Json& body, int status = 200) {
  return {.status = status,
          .body = body.dump(),
          .headers = {{"ratelimit-limit", "5000"}, {"ratelimit-remaining", "4999"}}};
}

Response Refuse(int status, absl::string_view id, absl::string_view message) {
  return {.status = status,
          .body = Json{{"id", std::string(id)}, {"message", std::string(message)}}.dump()};
}

Response NotFound() {
  return Refuse(404, "not_found", "The resource you were accessing could not be found.");
}

Json Region(absl::string_view slug, bool available) {
  return {{"slug", std::string(slug)},
          {"name", absl::StrCat("Region ", slug)},
          {"available", available},
          {"features", {"backups", "ipv6", "metadata"}},
          {"sizes", {"s-1vcpu-512mb-10gb", "s-1vcpu-1gb", "s-2vcpu-4gb"}}};
}

Json Size(absl::string_view slug, int memory, int disk, double price,
          std::vector<std::string> regions) {
  return {{"slug", std::string(slug)},
          {"memory", memory},
          {"vcpus", 1},
          {"disk", disk},
          {"transfer", 1.0},
          {"price_monthly", price * 720},
          {"price_hourly", price},
          {"regions", regions},
          {"available", true},
          {"description", "Basic"}};
}

std::vector<Json> Sizes() {
  const std::vector<std::string> all = {"nyc3", "ams3"};
  return {Size("s-2vcpu-4gb", 4096, 80, 0.0357, all), Size("s-1vcpu-1gb", 1024, 25, 0.00893, all),
          Size("s-1vcpu-1gb-amd", 1024, 25, 0.0104, all),
          Size("s-1vcpu-512mb-10gb", 512, 10, 0.00595, all),
          Size("gpu-h100x1-80gb", 245'760, 720, 3.39, {"nyc3"})};
}

Json Image(int64_t id, const char* slug, absl::string_view name, absl::string_view distribution,
           std::vector<std::string> regions) {
  return {{"id", id},
          {"slug", slug == nullptr ? Json() : Json(slug)},
          {"name", std::string(name)},
          {"distribution", std::string(distribution)},
          {"public", slug != nullptr},
          {"type", slug == nullptr ? "snapshot" : "base"},
          {"regions", regions},
          {"min_disk_size", 7},
          {"created_at", "2026-01-01T00:00:00Z"},
          {"status", "available"}};
}

std::vector<Json> Images() {
  const std::vector<std::string> all = {"nyc3", "ams3"};
  return {Image(1, "ubuntu-25-10-x64", "25.10 x64", "Ubuntu", all),
          Image(2, "ubuntu-22-04-x64", "22.04 (LTS) x64", "Ubuntu", all),
          Image(3, "ubuntu-24-04-x64", "24.04 (LTS) x64", "Ubuntu", all),
          Image(4, "ubuntu-26-04-x64", "26.04 (LTS) x64", "Ubuntu", {"ams3"}),
          Image(5, "debian-12-x64", "12 x64", "Debian", all),
          Image(6, "gpu-h100x1-base", "AI/ML Ready", "Ubuntu", all),
          Image(70, nullptr, "my snapshot", "Ubuntu", {"nyc3"})};
}

std::string BodyOf(const Json& public_key) {
  const std::vector<std::string> words = absl::StrSplit(public_key.get<std::string>(), ' ');
  return words.size() < 2 ? "" : words[1];
}

std::vector<Json> ValuesOf(const auto& map) {
  std::vector<Json> values;
  for (const auto& [key, value] : map) values.push_back(value);
  return values;
}

bool HasTag(const Json& droplet, absl::string_view tag) {
  const Json& tags = droplet.at("tags");
  return std::find(tags.begin(), tags.end(), std::string(tag)) != tags.end();
}

int64_t IdIn(const std::string& text) {
  int64_t id = 0;
  return absl::SimpleAtoi(text, &id) ? id : 0;
}

}  // namespace

FakeDigitalOcean::FakeDigitalOcean() {
  Add("GET", "/v2/account", &FakeDigitalOcean::GetAccount);
  Add("GET", "/v2/regions", &FakeDigitalOcean::ListRegions);
  Add("GET", "/v2/sizes", &FakeDigitalOcean::ListSizes);
  Add("GET", "/v2/images", &FakeDigitalOcean::ListImages);
  Add("GET", "/v2/images/{id}", &FakeDigitalOcean::GetImage);
  Add("GET", "/v2/vpcs", &FakeDigitalOcean::ListVpcs);
  Add("GET", "/v2/account/keys", &FakeDigitalOcean::ListKeys);
  Add("POST", "/v2/account/keys", &FakeDigitalOcean::CreateKey);
  Add("GET", "/v2/account/keys/{id}", &FakeDigitalOcean::GetKey);
  Add("DELETE", "/v2/account/keys/{id}", &FakeDigitalOcean::DeleteKey);
  Add("GET", "/v2/droplets", &FakeDigitalOcean::ListDroplets);
  Add("POST", "/v2/droplets", &FakeDigitalOcean::CreateDroplet);
  Add("GET", "/v2/droplets/{id}", &FakeDigitalOcean::GetDroplet);
  Add("DELETE", "/v2/droplets/{id}", &FakeDigitalOcean::DeleteDroplet);
  Add("POST", "/v2/droplets/{id}/actions", &FakeDigitalOcean::Act);
  Add("GET", "/v2/droplets/{id}/actions/{action}", &FakeDigitalOcean::GetAction);
  Add("POST", "/v2/tags", &FakeDigitalOcean::CreateTag);
  Add("DELETE", "/v2/tags/{tag}", &FakeDigitalOcean::DeleteTag);
  Add("GET", "/v2/firewalls", &FakeDigitalOcean::ListFirewalls);
  Add("POST", "/v2/firewalls", &FakeDigitalOcean::CreateFirewall);
  Add("DELETE", "/v2/firewalls/{id}", &FakeDigitalOcean::DeleteFirewall);
  if (const auto folder = DescriptionsFolder(); folder.has_value()) {
    auto published =
        ApiDescription::Load(absl::StrCat(*folder, "/digitalocean/droplets.openapi3.json"));
    auto more = ApiDescription::Parse(kMoreDigitalOceanPaths);
    EXPECT_TRUE(published.ok()) << published.status();
    EXPECT_TRUE(more.ok()) << more.status();
    checked_ = published.ok() && more.ok();
    if (checked_) CheckRequests(FitsOneOf({*std::move(published), *std::move(more)}));
  }
  Start();
}

FakeDigitalOcean::~FakeDigitalOcean() { Stop(); }

void FakeDigitalOcean::Add(absl::string_view method, absl::string_view pattern,
                           Response (FakeDigitalOcean::*handler)(const Request&)) {
  Route(method, pattern,
        [this, handler](const Request& request) { return Authorized(request, handler); });
}

Response FakeDigitalOcean::Authorized(const Request& request,
                                      Response (FakeDigitalOcean::*handler)(const Request&)) {
  if (request.Header("Authorization") != absl::StrCat("Bearer ", kToken)) {
    return Refuse(401, "unauthorized", "Unable to authenticate you");
  }
  absl::MutexLock lock(&mu_);
  return (this->*handler)(request);
}

Response FakeDigitalOcean::Page(const Request& request, absl::string_view key,
                                const std::vector<Json>& all) const {
  const std::string asked_size = request.Query("per_page");
  const size_t size = asked_size.empty() ? 20 : IdIn(asked_size);
  const size_t page = request.Query("page").empty() ? 1 : IdIn(request.Query("page"));
  Json body = {{std::string(key), Json::array()},
               {"links", Json::object()},
               {"meta", {{"total", all.size()}}}};
  for (size_t i = (page - 1) * size; i < std::min(all.size(), page * size); ++i) {
    body[std::string(key)].push_back(all[i]);
  }
  if (page * size < all.size()) {
    body["links"]["pages"]["next"] = absl::StrCat(url(), request.path, "?page=", page + 1);
  }
  return Ok(body);
}

Response FakeDigitalOcean::GetAccount(const Request&) {
  return Ok({{"account",
              {{"droplet_limit", droplet_limit_},
               {"floating_ip_limit", 3},
               {"email", "sammy@example.com"},
               {"uuid", "b6fr89dbf6d9156cace5f3c78dc9851d957381ef"},
               {"email_verified", true},
               {"status", "active"},
               {"status_message", ""}}}});
}

Response FakeDigitalOcean::ListRegions(const Request& request) {
  return Page(request, "regions",
              {Region("nyc3", true), Region("ams3", true), Region("sfo1", false)});
}

Response FakeDigitalOcean::ListSizes(const Request& request) {
  return Page(request, "sizes", Sizes());
}

Response FakeDigitalOcean::ListImages(const Request& request) {
  std::vector<Json> images = Images();
  if (request.Query("type") == "distribution") {
    images.erase(std::remove_if(images.begin(), images.end(),
                                [](const Json& image) { return image["slug"].is_null(); }),
                 images.end());
  }
  return Page(request, "images", images);
}

Response FakeDigitalOcean::GetImage(const Request& request) {
  for (const Json& image : Images()) {
    if (image["slug"] == request.captures[0] || image["id"] == IdIn(request.captures[0])) {
      return Ok({{"image", image}});
    }
  }
  return NotFound();
}

Response FakeDigitalOcean::ListVpcs(const Request& request) {
  return Page(request, "vpcs",
              {{{"id", "760e09ef-dc84-11e8-981e-3cfdfeaae000"},
                {"name", "default-nyc3"},
                {"region", "nyc3"}},
               {{"id", "860e09ef-dc84-11e8-981e-3cfdfeaae000"},
                {"name", "default-ams3"},
                {"region", "ams3"}}});
}

Response FakeDigitalOcean::ListKeys(const Request& request) {
  return Page(request, "ssh_keys", ValuesOf(keys_));
}

Response FakeDigitalOcean::CreateKey(const Request& request) {
  Json key = Json::parse(request.body);
  for (const auto& [id, other] : keys_) {
    if (BodyOf(other["public_key"]) == BodyOf(key["public_key"])) {
      return Refuse(422, "unprocessable_entity", "SSH Key is already in use on your account");
    }
  }
  key["id"] = ++next_id_;
  key["fingerprint"] = absl::StrCat("aa:bb:", next_id_);
  keys_[next_id_] = key;
  return Ok({{"ssh_key", key}}, 201);
}

Response FakeDigitalOcean::GetKey(const Request& request) {
  for (const auto& [id, key] : keys_) {
    if (id == IdIn(request.captures[0]) || key["fingerprint"] == request.captures[0]) {
      return Ok({{"ssh_key", key}});
    }
  }
  return NotFound();
}

Response FakeDigitalOcean::DeleteKey(const Request& request) {
  return keys_.erase(IdIn(request.captures[0])) == 0 ? NotFound() : Response{.status = 204};
}

void FakeDigitalOcean::Advance(Droplet& droplet) {
  if (droplet.action != 0) Advance(actions_.at(droplet.action));
  if (droplet.json["status"] != "new") return;
  if (droplet.reads_until_active-- > 0) return;
  droplet.json["status"] = "active";
  droplet.json["locked"] = false;
  const int64_t id = droplet.json["id"];
  const std::string tail = absl::StrCat(id / 250 % 250, ".", id % 250 + 1);
  Json v4 = Json::array();
  v4.push_back({{"ip_address", absl::StrCat("10.1.", tail)}, {"type", "private"}});
  if (droplet.json.value("public", true)) {
    v4.push_back({{"ip_address", absl::StrCat("198.51.", tail)}, {"type", "public"}});
  }
  droplet.json["networks"] = {{"v4", v4}, {"v6", Json::array()}};
  if (droplet.json["features"].dump().find("ipv6") != std::string::npos) {
    droplet.json["networks"]["v6"].push_back(
        {{"ip_address", absl::StrCat("2604:a880::", id)}, {"type", "public"}});
  }
}

Response FakeDigitalOcean::ListDroplets(const Request& request) {
  std::vector<Json> seen;
  for (auto& [id, droplet] : droplets_) {
    const std::string tag = request.Query("tag_name");
    if (!tag.empty() && !HasTag(droplet.json, tag)) continue;
    if (!lag_.Read(absl::StrCat(id))) continue;
    Advance(droplet);
    seen.push_back(droplet.json);
  }
  return Page(request, "droplets", seen);
}

int64_t FakeDigitalOcean::NewDroplet(const Json& wanted) {
  const int64_t id = ++next_id_;
  Droplet& droplet = droplets_[id];
  Json features = Json::array();
  for (const char* const feature : {"ipv6", "backups", "monitoring"}) {
    if (wanted.value(feature, false)) features.push_back(feature);
  }
  Json image = {{"id", 3}, {"slug", nullptr}};
  for (const Json& known : Images()) {
    if (known["slug"] == wanted["image"] || known["id"] == wanted["image"]) image = known;
  }
  droplet.json = {{"id", id},
                  {"name", wanted["name"]},
                  {"status", "new"},
                  {"locked", true},
                  {"size_slug", wanted["size"]},
                  {"region", Region(wanted.value("region", "nyc3"), true)},
                  {"image", image},
                  {"features", features},
                  {"networks", {{"v4", Json::array()}, {"v6", Json::array()}}},
                  {"tags", wanted.value("tags", Json::array())},
                  {"public", wanted.value("public_networking", true)},
                  {"vpc_uuid", wanted.value("vpc_uuid", "760e09ef-dc84-11e8-981e-3cfdfeaae000")}};
  droplet.reads_until_active = pace_;
  for (const Json& tag : droplet.json["tags"]) tags_.insert(tag.get<std::string>());
  lag_.Born(absl::StrCat(id));
  return id;
}

Response FakeDigitalOcean::CreateDroplet(const Request& request) {
  const Json wanted = Json::parse(request.body);
  if (static_cast<int>(droplets_.size()) >= droplet_limit_) {
    return Refuse(422, "unprocessable_entity",
                  "creating this/these droplet(s) will exceed your droplet limit");
  }
  for (const Json& key : wanted.value("ssh_keys", Json::array())) {
    const bool known = std::any_of(keys_.begin(), keys_.end(), [&](const auto& entry) {
      return entry.second["id"] == key || entry.second["fingerprint"] == key;
    });
    if (!known) return Refuse(422, "unprocessable_entity", "invalid key identifiers");
  }
  last_create_ = wanted;
  const int64_t id = NewDroplet(wanted);
  return Ok({{"droplet", droplets_[id].json}, {"links", Json::object()}}, 202);
}

FakeDigitalOcean::Droplet* FakeDigitalOcean::FindDroplet(const Request& request) {
  const auto it = droplets_.find(IdIn(request.captures[0]));
  if (it == droplets_.end() || !lag_.Read(request.captures[0])) return nullptr;
  return &it->second;
}

Response FakeDigitalOcean::GetDroplet(const Request& request) {
  Droplet* const droplet = FindDroplet(request);
  if (droplet == nullptr) return NotFound();
  Advance(*droplet);
  return Ok({{"droplet", droplet->json}});
}

Response FakeDigitalOcean::DeleteDroplet(const Request& request) {
  if (FindDroplet(request) == nullptr) return NotFound();
  droplets_.erase(IdIn(request.captures[0]));
  return {.status = 204};
}

Response FakeDigitalOcean::Act(const Request& request) {
  Droplet* const droplet = FindDroplet(request);
  if (droplet == nullptr) return NotFound();
  if (droplet->json["locked"] == true) {
    return Refuse(422, "unprocessable_entity", "Droplet already has a pending event.");
  }
  const std::string type = Json::parse(request.body)["type"];
  const bool on = droplet->json["status"] == "active";
  if (type == "power_on" && on) {
    return Refuse(422, "unprocessable_entity", "Droplet is already powered on");
  }
  if ((type == "power_off" || type == "shutdown") && !on) {
    return Refuse(422, "unprocessable_entity", "Droplet is already powered off");
  }
  const int64_t id = ++next_id_;
  actions_[id] = {.id = id,
                  .droplet = droplet->json["id"],
                  .type = type,
                  .reads_left = pace_,
                  .fails = std::exchange(fail_next_action_, false)};
  droplet->action = id;
  droplet->json["locked"] = true;
  return Ok({{"action", {{"id", id}, {"status", "in-progress"}, {"type", type}}}}, 201);
}

void FakeDigitalOcean::Advance(Action& action) {
  if (action.status == "in-progress" && action.reads_left-- <= 0) Finish(action);
}

void FakeDigitalOcean::Finish(Action& action) {
  action.status = action.fails ? "errored" : "completed";
  const auto it = droplets_.find(action.droplet);
  if (it == droplets_.end()) return;
  Json& droplet = it->second.json;
  droplet["locked"] = false;
  if (action.fails) return;
  if (action.type == "power_on" || action.type == "reboot") droplet["status"] = "active";
  if (action.type == "power_off" || (action.type == "shutdown" && !ignore_shutdown_)) {
    droplet["status"] = "off";
  }
}

Response FakeDigitalOcean::GetAction(const Request& request) {
  const auto it = actions_.find(IdIn(request.captures[1]));
  if (it == actions_.end()) return NotFound();
  Action& action = it->second;
  Advance(action);
  return Ok({{"action", {{"id", action.id}, {"status", action.status}, {"type", action.type}}}});
}

Response FakeDigitalOcean::CreateTag(const Request& request) {
  const Json wanted = Json::parse(request.body);
  tags_.insert(wanted["name"].get<std::string>());
  return Ok({{"tag", wanted}}, 201);
}

Response FakeDigitalOcean::DeleteTag(const Request& request) {
  return tags_.erase(request.captures[0]) == 0 ? NotFound() : Response{.status = 204};
}

Response FakeDigitalOcean::ListFirewalls(const Request& request) {
  return Page(request, "firewalls", ValuesOf(firewalls_));
}

Response FakeDigitalOcean::CreateFirewall(const Request& request) {
  Json firewall = Json::parse(request.body);
  for (const auto& [id, other] : firewalls_) {
    if (other["name"] == firewall["name"]) return Refuse(409, "conflict", "duplicate name");
  }
  for (const Json& tag : firewall.value("tags", Json::array())) {
    if (!tags_.contains(tag)) return Refuse(400, "bad_request", "tag does not exist");
  }
  last_firewall_ = firewall;
  const std::string id = absl::StrCat("bb4b2611-3d72-467b-8602-", ++next_id_);
  firewall["id"] = id;
  firewalls_[id] = firewall;
  return Ok({{"firewall", firewall}}, 202);
}

Response FakeDigitalOcean::DeleteFirewall(const Request& request) {
  return firewalls_.erase(request.captures[0]) == 0 ? NotFound() : Response{.status = 204};
}

void FakeDigitalOcean::SetLag(int reads) {
  absl::MutexLock lock(&mu_);
  lag_.Set(reads);
}

void FakeDigitalOcean::SetPace(int reads) {
  absl::MutexLock lock(&mu_);
  pace_ = reads;
}

void FakeDigitalOcean::IgnoreShutdown(bool ignore) {
  absl::MutexLock lock(&mu_);
  ignore_shutdown_ = ignore;
}

void FakeDigitalOcean::FailNextAction() {
  absl::MutexLock lock(&mu_);
  fail_next_action_ = true;
}

void FakeDigitalOcean::SetDropletLimit(int limit) {
  absl::MutexLock lock(&mu_);
  droplet_limit_ = limit;
}

std::vector<std::string> FakeDigitalOcean::DropletNames() const {
  std::vector<std::string> names;
  for (const Json& droplet : Droplets()) names.push_back(droplet["name"]);
  return names;
}

std::vector<Json> FakeDigitalOcean::Droplets() const {
  absl::MutexLock lock(&mu_);
  std::vector<Json> all;
  for (const auto& [id, droplet] : droplets_) all.push_back(droplet.json);
  return all;
}

Json FakeDigitalOcean::LastCreate() const {
  absl::MutexLock lock(&mu_);
  return last_create_;
}

Json FakeDigitalOcean::LastFirewall() const {
  absl::MutexLock lock(&mu_);
  return last_firewall_;
}

std::vector<std::string> FakeDigitalOcean::KeyNames() const {
  absl::MutexLock lock(&mu_);
  std::vector<std::string> names;
  for (const auto& [id, key] : keys_) names.push_back(key["name"]);
  return names;
}

std::vector<std::string> FakeDigitalOcean::FirewallNames() const {
  absl::MutexLock lock(&mu_);
  std::vector<std::string> names;
  for (const auto& [id, firewall] : firewalls_) names.push_back(firewall["name"]);
  return names;
}

std::set<std::string> FakeDigitalOcean::Tags() const {
  absl::MutexLock lock(&mu_);
  return tags_;
}

void FakeDigitalOcean::DestroyDroplets(absl::string_view tag) {
  absl::MutexLock lock(&mu_);
  std::erase_if(droplets_, [&](const auto& entry) { return HasTag(entry.second.json, tag); });
}

void FakeDigitalOcean::SetStatus(absl::string_view tag, absl::string_view status) {
  absl::MutexLock lock(&mu_);
  for (auto& [id, droplet] : droplets_) {
    if (HasTag(droplet.json, tag)) droplet.json["status"] = std::string(status);
  }
}

int64_t FakeDigitalOcean::AddKey(absl::string_view name, absl::string_view public_key,
                                 absl::string_view fingerprint) {
  absl::MutexLock lock(&mu_);
  const int64_t id = ++next_id_;
  keys_[id] = {{"id", id},
               {"name", std::string(name)},
               {"public_key", std::string(public_key)},
               {"fingerprint", std::string(fingerprint)}};
  return id;
}

void FakeDigitalOcean::AddDroplets(int count, absl::string_view tag, absl::string_view prefix) {
  absl::MutexLock lock(&mu_);
  for (int i = 0; i < count; ++i) {
    const int64_t id = NewDroplet({{"name", absl::StrCat("droplet-", i)},
                                   {"size", "s-1vcpu-1gb"},
                                   {"image", "ubuntu-24-04-x64"},
                                   {"tags", {std::string(tag), absl::StrCat(prefix, i)}}});
    droplets_[id].reads_until_active = 0;
    Advance(droplets_[id]);
  }
}

}  // namespace machine::fakes
