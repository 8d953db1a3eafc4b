#include "tests/fakes/exoscale/fake_exoscale.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "services/common/crypto/digest.h"
#include "tests/fakes/exoscale/more_paths.h"
#include "tests/fakes/openapi/description.h"

namespace machine::fakes {
namespace {

using Json = nlohmann::json;

Response Ok(const Json& body) { return {.body = body.dump()}; }

Response Refuse(int status, absl::string_view message) {
  return {.status = status, .body = Json{{"message", std::string(message)}}.dump()};
}

Response NotFound() { return Refuse(404, "Resource not found."); }

Json ListOf(const char* key, const std::map<std::string, Json>& objects) {
  Json list = Json::array();
  for (const auto& [id, object] : objects) list.push_back(object);
  return {{key, list}};
}

std::vector<std::string> NamesOf(const std::map<std::string, Json>& objects) {
  std::vector<std::string> names;
  for (const auto& [id, object] : objects) names.push_back(object.at("name"));
  return names;
}

bool HasName(const std::map<std::string, Json>& objects, const Json& name) {
  return std::any_of(objects.begin(), objects.end(),
                     [&](const auto& entry) { return entry.second.at("name") == name; });
}

std::string UidOf(const Json& instance) {
  return instance.at("labels").value("machine-uid", std::string());
}

}  // namespace

FakeExoscale::FakeExoscale() {
  Add("GET", "/v2/zone", &FakeExoscale::ListZones);
  Add("GET", "/v2/instance-type", &FakeExoscale::ListTypes);
  Add("GET", "/v2/template", &FakeExoscale::ListTemplates);
  Add("GET", "/v2/ssh-key", &FakeExoscale::ListKeys);
  Add("POST", "/v2/ssh-key", &FakeExoscale::CreateKey);
  Add("DELETE", "/v2/ssh-key/{name}", &FakeExoscale::DeleteKey);
  Add("GET", "/v2/security-group", &FakeExoscale::ListGroups);
  Add("POST", "/v2/security-group", &FakeExoscale::CreateGroup);
  Add("GET", "/v2/security-group/{id}", &FakeExoscale::GetGroup);
  Add("DELETE", "/v2/security-group/{id}", &FakeExoscale::DeleteGroup);
  Add("POST", "/v2/security-group/{id}/rules", &FakeExoscale::AddRule);
  Add("GET", "/v2/anti-affinity-group", &FakeExoscale::ListAffinity);
  Add("POST", "/v2/anti-affinity-group", &FakeExoscale::CreateAffinity);
  Add("DELETE", "/v2/anti-affinity-group/{id}", &FakeExoscale::DeleteAffinity);
  Add("GET", "/v2/private-network", &FakeExoscale::ListNetworks);
  Add("GET", "/v2/private-network/{id}", &FakeExoscale::GetNetwork);
  Add("PUT", "/v2/private-network/{id}", &FakeExoscale::Attach);
  Add("GET", "/v2/instance", &FakeExoscale::ListInstances);
  Add("POST", "/v2/instance", &FakeExoscale::CreateInstance);
  Add("GET", "/v2/instance/{id}", &FakeExoscale::GetInstance);
  Add("DELETE", "/v2/instance/{id}", &FakeExoscale::DeleteInstance);
  Add("PUT", "/v2/instance/{id}", &FakeExoscale::Act);
  Add("GET", "/v2/operation/{id}", &FakeExoscale::GetOperation);
  AddCatalog();
  if (const auto folder = DescriptionsFolder(); folder.has_value()) {
    auto published =
        ApiDescription::Load(absl::StrCat(*folder, "/exoscale/exoscale-v2.openapi3.subset.json"));
    auto more = ApiDescription::Parse(kMoreExoscalePaths);
    EXPECT_TRUE(published.ok()) << published.status();
    EXPECT_TRUE(more.ok()) << more.status();
    checked_ = published.ok() && more.ok();
    if (checked_) CheckRequests(FitsOneOf({*std::move(published), *std::move(more)}));
  }
  Start();
}

FakeExoscale::~FakeExoscale() { Stop(); }

void FakeExoscale::AddCatalog() {
  absl::MutexLock lock(&mu_);
  constexpr int64_t kGib = int64_t{1} << 30;
  const auto type = [&](const char* family, const char* size, int64_t gib, bool authorized,
                        const std::vector<std::string>& zones) {
    const std::string id = NewId();
    types_[id] = {{"id", id},      {"family", family},     {"size", size},
                  {"cpus", 1},     {"memory", gib * kGib}, {"authorized", authorized},
                  {"zones", zones}};
  };
  type("standard", "small", 2, true, {"ch-gva-2", "de-fra-1"});
  type("standard", "medium", 4, true, {"ch-gva-2", "de-fra-1"});
  type("standard", "huge", 32, true, {"de-fra-1"});
  type("gpu2", "small", 56, false, {"ch-gva-2"});
  type("memory", "large", 16, true, {"ch-gva-2"});
  const auto add = [&](const char* name, const char* user, const char* created, int64_t gib) {
    const std::string id = NewId();
    templates_[id] = {{"id", id},
                      {"name", name},
                      {"default-user", user},
                      {"created-at", created},
                      {"size", gib * kGib},
                      {"visibility", "public"}};
  };
  add("Linux Ubuntu 22.04 LTS 64-bit", "ubuntu", "2026-03-01T00:00:00Z", 10);
  add("Linux Ubuntu 24.04 LTS 64-bit", "ubuntu", "2026-02-01T00:00:00Z", 10);
  add("Linux Ubuntu 24.04 LTS 64-bit", "ubuntu", "2026-01-01T00:00:00Z", 10);
  add("Linux Ubuntu 25.04 64-bit", "ubuntu", "2026-04-01T00:00:00Z", 10);
  add("Linux Debian 12 (Bookworm) 64-bit", "debian", "2026-01-01T00:00:00Z", 10);
  add("Windows Server 2022", "Administrator", "2026-01-01T00:00:00Z", 100);
}

void FakeExoscale::Add(absl::string_view method, absl::string_view pattern, Handler handler) {
  Route(method, pattern,
        [this, handler](const Request& request) { return Authorized(request, handler); });
}

bool FakeExoscale::IsSigned(const Request& request) const {
  const std::string given = request.Header("Authorization");
  std::vector<std::string> names;
  std::string values;
  for (const auto& [name, value] : request.query) {
    names.push_back(name);
    values += value;
  }
  int64_t expires = 0;
  std::string expected = absl::StrCat("EXO2-HMAC-SHA256 credential=", kKey);
  if (!names.empty()) absl::StrAppend(&expected, ",signed-query-args=", absl::StrJoin(names, ";"));
  for (const absl::string_view part : absl::StrSplit(given, ',')) {
    const std::vector<absl::string_view> words = absl::StrSplit(part, absl::MaxSplits('=', 1));
    if (words[0] == "expires" && words.size() == 2 && !absl::SimpleAtoi(words[1], &expires)) {
      return false;
    }
  }
  const std::string signature =
      common::HmacSha256(kSecret, absl::StrCat(request.method, " ", request.path, "\n",
                                               request.body, "\n", values, "\n\n", expires));
  absl::StrAppend(&expected, ",expires=", expires, ",signature=", absl::Base64Escape(signature));
  return given == expected && absl::FromUnixSeconds(expires) > absl::Now();
}

Response FakeExoscale::Authorized(const Request& request, Handler handler) {
  if (!IsSigned(request)) return Refuse(401, "Invalid signature.");
  absl::MutexLock lock(&mu_);
  return (this->*handler)(request);
}

std::string FakeExoscale::NewId() {
  return absl::StrFormat("11111111-2222-4333-8444-%012d", ++last_id_);
}

Response FakeExoscale::Begin(const std::string& reference) {
  const std::string id = NewId();
  operations_[id] = {{"id", id}, {"state", "pending"}, {"reference", {{"id", reference}}}};
  return Ok(operations_[id]);
}

Response FakeExoscale::GetOperation(const Request& request) {
  const auto it = operations_.find(request.captures[0]);
  if (it == operations_.end()) return NotFound();
  const Json shown = it->second;
  if (it->second["state"] == "pending") it->second["state"] = "success";
  return Ok(shown);
}

Response FakeExoscale::ListZones(const Request&) {
  return Ok({{"zones", {{{"name", "ch-gva-2"}}, {{"name", "de-fra-1"}}}}});
}

Response FakeExoscale::ListTypes(const Request&) { return Ok(ListOf("instance-types", types_)); }

Response FakeExoscale::ListTemplates(const Request& request) {
  std::string visibility = request.Query("visibility");
  if (visibility.empty()) visibility = "public";
  Json list = Json::array();
  for (const auto& [id, each] : templates_) {
    if (each["visibility"] == visibility) list.push_back(each);
  }
  return Ok({{"templates", list}});
}

Response FakeExoscale::ListKeys(const Request&) { return Ok(ListOf("ssh-keys", keys_)); }

Response FakeExoscale::CreateKey(const Request& request) {
  const Json wanted = Json::parse(request.body);
  const std::string name = wanted["name"];
  if (keys_.contains(name)) return Refuse(409, "A key of this name exists.");
  keys_[name] = {{"name", name}, {"fingerprint", "00:11"}};
  return Begin(NewId());
}

Response FakeExoscale::DeleteKey(const Request& request) {
  return keys_.erase(request.captures[0]) == 0 ? NotFound() : Begin(NewId());
}

Response FakeExoscale::CreateNamed(const Request& request, Objects& objects) {
  const Json wanted = Json::parse(request.body);
  if (HasName(objects, wanted["name"])) return Refuse(409, "The name is taken.");
  const std::string id = NewId();
  objects[id] = {
      {"id", id}, {"name", wanted["name"]}, {"description", wanted.value("description", "")}};
  return Begin(id);
}

bool FakeExoscale::InUse(const std::string& key, const std::string& id) const {
  return std::any_of(instances_.begin(), instances_.end(), [&](const auto& entry) {
    const Json& refs = entry.second.at(key);
    return std::any_of(refs.begin(), refs.end(), [&](const Json& ref) { return ref["id"] == id; });
  });
}

Response FakeExoscale::ListGroups(const Request&) { return Ok(ListOf("security-groups", groups_)); }

Response FakeExoscale::GetGroup(const Request& request) {
  const auto it = groups_.find(request.captures[0]);
  return it == groups_.end() ? NotFound() : Ok(it->second);
}

Response FakeExoscale::CreateGroup(const Request& request) { return CreateNamed(request, groups_); }

Response FakeExoscale::AddRule(const Request& request) {
  const auto it = groups_.find(request.captures[0]);
  if (it == groups_.end()) return NotFound();
  Json rule = Json::parse(request.body);
  Json& rules = it->second["rules"];
  for (const Json& each : rules) {
    if (each["start-port"] == rule["start-port"] && each["network"] == rule["network"]) {
      return Refuse(409, "The rule exists.");
    }
  }
  rule["id"] = NewId();
  rules.push_back(rule);
  return Begin(it->first);
}

Response FakeExoscale::DeleteGroup(const Request& request) {
  const auto it = groups_.find(request.captures[0]);
  if (it == groups_.end()) return NotFound();
  if (InUse("security-groups", it->first)) return Refuse(409, "The security group is in use.");
  groups_.erase(it);
  return Begin(request.captures[0]);
}

Response FakeExoscale::ListAffinity(const Request&) {
  return Ok(ListOf("anti-affinity-groups", affinity_));
}

Response FakeExoscale::CreateAffinity(const Request& request) {
  return CreateNamed(request, affinity_);
}

Response FakeExoscale::DeleteAffinity(const Request& request) {
  const auto it = affinity_.find(request.captures[0]);
  if (it == affinity_.end()) return NotFound();
  if (InUse("anti-affinity-groups", it->first)) return Refuse(409, "The group is in use.");
  affinity_.erase(it);
  return Begin(request.captures[0]);
}

Response FakeExoscale::ListNetworks(const Request&) {
  return Ok(ListOf("private-networks", networks_));
}

Response FakeExoscale::GetNetwork(const Request& request) {
  const auto it = networks_.find(request.captures[0]);
  return it == networks_.end() ? NotFound() : Ok(it->second);
}

Response FakeExoscale::Attach(const Request& request) {
  const std::vector<std::string> target = absl::StrSplit(request.captures[0], ':');
  const auto it = networks_.find(target[0]);
  if (it == networks_.end() || target.size() != 2 || target[1] != "attach") return NotFound();
  const std::string instance = Json::parse(request.body)["instance"]["id"];
  if (!instances_.contains(instance)) return NotFound();
  Json& leases = it->second["leases"];
  for (const Json& lease : leases) {
    if (lease["instance-id"] == instance) return Refuse(409, "The instance is attached.");
  }
  leases.push_back({{"instance-id", instance}, {"ip", absl::StrCat("10.0.0.", leases.size() + 2)}});
  return Begin(it->first);
}

bool FakeExoscale::Advance(Json& instance) {
  const std::string state = instance["state"];
  if (state == "starting") {
    instance["state"] = "running";
    const int64_t number = instance["number"];
    if (instance["public-ip-assignment"] != "none") {
      instance["public-ip"] = absl::StrCat("198.51.", number / 250 % 250, ".", number % 250 + 1);
    }
    if (instance["public-ip-assignment"] == "dual") {
      instance["ipv6-address"] = absl::StrCat("2001:db8::", number);
    }
  } else if (state == "stopping") {
    instance["state"] = "stopped";
  } else if (state == "destroying") {
    instance["state"] = "expunging";
  }
  return state != "expunging";
}

Response FakeExoscale::ListInstances(const Request&) {
  Json list = Json::array();
  for (auto it = instances_.begin(); it != instances_.end();) {
    if (!lag_.Read(it->first)) {
      ++it;
      continue;
    }
    Json shown = it->second;
    shown.erase("number");
    shown.erase("anti-affinity-groups");
    list.push_back(std::move(shown));
    it = Advance(it->second) ? std::next(it) : instances_.erase(it);
  }
  return Ok({{"instances", list}});
}

Json FakeExoscale::NewInstance(const Json& wanted) {
  const std::string id = NewId();
  Json instance = {{"id", id},
                   {"number", last_id_},
                   {"name", wanted["name"]},
                   {"state", "starting"},
                   {"instance-type", wanted["instance-type"]},
                   {"template", wanted["template"]},
                   {"labels", wanted.value("labels", Json::object())},
                   {"public-ip-assignment", wanted.value("public-ip-assignment", "inet4")},
                   {"security-groups", wanted.value("security-groups", Json::array())},
                   {"anti-affinity-groups", wanted.value("anti-affinity-groups", Json::array())}};
  instances_[id] = instance;
  lag_.Born(id);
  return instance;
}

Response FakeExoscale::CreateInstance(const Request& request) {
  if (static_cast<int>(instances_.size()) >= limit_) {
    return Refuse(403, "Resource limit exceeded: instances.");
  }
  last_create_ = Json::parse(request.body);
  if (!types_.contains(last_create_["instance-type"]["id"]) ||
      !templates_.contains(last_create_["template"]["id"])) {
    return NotFound();
  }
  for (const Json& group : last_create_.value("security-groups", Json::array())) {
    if (!groups_.contains(group["id"])) return Refuse(404, "Security group not found.");
  }
  for (const Json& key : last_create_.value("ssh-keys", Json::array())) {
    if (!keys_.contains(key["name"])) return Refuse(404, "SSH key not found.");
  }
  if (!failure_.is_null()) {
    const std::string id = NewId();
    failure_["id"] = id;
    failure_["reference"] = {{"id", NewId()}};
    operations_[id] = std::exchange(failure_, nullptr);
    Json answer = operations_[id];
    answer["state"] = "pending";
    return Ok(answer);
  }
  return Begin(NewInstance(last_create_)["id"]);
}

Response FakeExoscale::GetInstance(const Request& request) {
  const auto it = instances_.find(request.captures[0]);
  if (it == instances_.end() || !lag_.Read(it->first)) return NotFound();
  const Json shown = it->second;
  if (!Advance(it->second)) instances_.erase(it);
  return Ok(shown);
}

Response FakeExoscale::DeleteInstance(const Request& request) {
  const auto it = instances_.find(request.captures[0]);
  if (it == instances_.end()) return NotFound();
  if (it->second["state"] == "stopping") return Refuse(409, "Another operation is under way.");
  it->second["state"] = "destroying";
  return Begin(it->first);
}

Response FakeExoscale::Act(const Request& request) {
  const std::vector<std::string> target = absl::StrSplit(request.captures[0], ':');
  const auto it = instances_.find(target[0]);
  if (it == instances_.end() || target.size() != 2) return NotFound();
  Json& state = it->second["state"];
  if (state == "stopping" || state == "starting") {
    return Refuse(409, "Another operation is under way.");
  }
  if (target[1] == "stop") {
    if (!ignore_stop_ && state == "running") state = "stopping";
  } else if (target[1] == "start") {
    if (state == "stopped") state = "starting";
  } else if (target[1] != "reboot" || state != "running") {
    return Refuse(409, "The instance does not run.");
  }
  return Begin(it->first);
}

void FakeExoscale::SetLag(int reads) {
  absl::MutexLock lock(&mu_);
  lag_.Set(reads);
}

void FakeExoscale::IgnoreStop(bool ignore) {
  absl::MutexLock lock(&mu_);
  ignore_stop_ = ignore;
}

void FakeExoscale::SetLimit(int instances) {
  absl::MutexLock lock(&mu_);
  limit_ = instances;
}

void FakeExoscale::FailNextInstance(absl::string_view reason, absl::string_view message) {
  absl::MutexLock lock(&mu_);
  failure_ = {
      {"state", "failure"}, {"reason", std::string(reason)}, {"message", std::string(message)}};
}

void FakeExoscale::AddSecurityGroup(absl::string_view name) {
  absl::MutexLock lock(&mu_);
  const std::string id = NewId();
  groups_[id] = {{"id", id}, {"name", std::string(name)}};
}

void FakeExoscale::AddPrivateNetwork(absl::string_view name) {
  absl::MutexLock lock(&mu_);
  const std::string id = NewId();
  networks_[id] = {{"id", id}, {"name", std::string(name)}};
}

void FakeExoscale::AddSshKey(absl::string_view name) {
  absl::MutexLock lock(&mu_);
  keys_[std::string(name)] = {{"name", std::string(name)}};
}

void FakeExoscale::AddTemplate(absl::string_view name) {
  absl::MutexLock lock(&mu_);
  const std::string id = NewId();
  templates_[id] = {{"id", id}, {"name", std::string(name)}, {"visibility", "private"}};
}

std::vector<std::string> FakeExoscale::InstanceNames() const {
  absl::MutexLock lock(&mu_);
  Objects live = instances_;
  std::erase_if(live, [](const auto& entry) {
    return entry.second["state"] == "expunging" || entry.second["state"] == "destroying";
  });
  return NamesOf(live);
}

std::vector<std::string> FakeExoscale::KeyNames() const {
  absl::MutexLock lock(&mu_);
  return NamesOf(keys_);
}

std::vector<std::string> FakeExoscale::SecurityGroupNames() const {
  absl::MutexLock lock(&mu_);
  return NamesOf(groups_);
}

std::vector<std::string> FakeExoscale::AffinityGroupNames() const {
  absl::MutexLock lock(&mu_);
  return NamesOf(affinity_);
}

std::vector<std::string> FakeExoscale::RulesOf(absl::string_view group) const {
  absl::MutexLock lock(&mu_);
  std::vector<std::string> rules;
  for (const auto& [id, each] : groups_) {
    if (each["name"] != std::string(group)) continue;
    for (const Json& rule : each.value("rules", Json::array())) {
      rules.push_back(
          absl::StrCat(rule["start-port"].get<int64_t>(), " ", rule["network"].get<std::string>()));
    }
  }
  std::sort(rules.begin(), rules.end());
  return rules;
}

Json FakeExoscale::LastCreate() const {
  absl::MutexLock lock(&mu_);
  return last_create_;
}

std::string FakeExoscale::NameOf(const std::string& id) const {
  absl::MutexLock lock(&mu_);
  for (const Objects* objects : {&templates_, &groups_, &affinity_, &networks_, &instances_}) {
    const auto it = objects->find(id);
    if (it != objects->end()) return it->second["name"];
  }
  const auto type = types_.find(id);
  if (type == types_.end()) return "";
  return absl::StrCat(type->second["family"].get<std::string>(), ".",
                      type->second["size"].get<std::string>());
}

void FakeExoscale::DestroyInstances(absl::string_view uid) {
  absl::MutexLock lock(&mu_);
  std::erase_if(instances_, [&](const auto& entry) { return UidOf(entry.second) == uid; });
}

void FakeExoscale::SetState(absl::string_view uid, absl::string_view state) {
  absl::MutexLock lock(&mu_);
  for (auto& [id, instance] : instances_) {
    if (UidOf(instance) == uid) instance["state"] = std::string(state);
  }
}

void FakeExoscale::AddInstances(int count) {
  absl::MutexLock lock(&mu_);
  for (int i = 0; i < count; ++i) {
    const Json made = NewInstance({{"name", absl::StrCat("instance-", i)},
                                   {"instance-type", {{"id", types_.begin()->first}}},
                                   {"template", {{"id", templates_.begin()->first}}},
                                   {"labels", {{"machine-uid", absl::StrCat(i)}}}});
    Advance(instances_[made["id"]]);
  }
}

std::string FakeExoscale::StripLabels() {
  absl::MutexLock lock(&mu_);
  std::string last;
  for (auto& [id, instance] : instances_) {
    instance["labels"] = Json::object();
    last = id;
  }
  return last;
}

}  // namespace machine::fakes
