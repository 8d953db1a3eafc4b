#include "tests/fakes/softlayer/fake_softlayer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/fakes/openapi/description.h"
#include "tests/fakes/softlayer/method_table.h"
#include "tests/fakes/softlayer/more_methods.h"

namespace machine::fakes {
namespace {

using Json = nlohmann::json;

Response Ok(const Json& body) { return {.body = body.dump()}; }

Response Refuse(int status, absl::string_view code, absl::string_view error) {
  return {.status = status,
          .body = Json{{"error", std::string(error)}, {"code", std::string(code)}}.dump()};
}

Response NotFound() {
  return Refuse(404, "SoftLayer_Exception_ObjectNotFound", "Unable to find object.");
}

Json ParameterOf(const Request& request) { return Json::parse(request.body)["parameters"][0]; }

int64_t IdOf(const Request& request) {
  int64_t id = 0;
  return absl::SimpleAtoi(request.captures[0], &id) ? id : 0;
}

std::vector<Json> ValuesOf(const std::map<int64_t, Json>& objects) {
  std::vector<Json> values;
  for (const auto& [id, object] : objects) values.push_back(object);
  return values;
}

std::vector<std::string> TextsOf(const std::map<int64_t, Json>& objects, const char* key) {
  std::vector<std::string> texts;
  for (const auto& [id, object] : objects) texts.push_back(object.at(key));
  return texts;
}

// Whether `mark` is in the guest's user data.
bool HasMark(const Json& guest, absl::string_view mark) {
  return absl::StrContains(guest.at("userData").dump(), mark);
}

Json Transaction(const char* name) { return {{"transactionStatus", {{"name", name}}}}; }

FakeServer::Checker FitsOneOf(MethodTable published, MethodTable more) {
  const auto both = std::make_shared<const std::pair<MethodTable, MethodTable>>(
      std::move(published), std::move(more));
  return [both](const Request& request) {
    return both->first.Knows(request) ? both->first.Check(request) : both->second.Check(request);
  };
}

}  // namespace

FakeSoftLayer::FakeSoftLayer() {
  Add("GET", "SoftLayer_Virtual_Guest/getCreateObjectOptions", &FakeSoftLayer::GetOptions);
  Add("GET", "SoftLayer_Account/getNetworkVlans", &FakeSoftLayer::ListVlans);
  Add("GET", "SoftLayer_Account/getSshKeys", &FakeSoftLayer::ListKeys);
  Add("POST", "SoftLayer_Security_Ssh_Key/createObject", &FakeSoftLayer::CreateKey);
  Add("GET", "SoftLayer_Security_Ssh_Key/{id}/deleteObject", &FakeSoftLayer::DeleteKey);
  Add("GET", "SoftLayer_Account/getSecurityGroups", &FakeSoftLayer::ListGroups);
  Add("POST", "SoftLayer_Network_SecurityGroup/createObject", &FakeSoftLayer::CreateGroup);
  Add("POST", "SoftLayer_Network_SecurityGroup/{id}/addRules", &FakeSoftLayer::AddRules);
  Add("GET", "SoftLayer_Network_SecurityGroup/{id}/deleteObject", &FakeSoftLayer::DeleteGroup);
  Add("POST", "SoftLayer_Virtual_Guest/generateOrderTemplate", &FakeSoftLayer::CheckOrder);
  Add("POST", "SoftLayer_Virtual_Guest/createObject", &FakeSoftLayer::CreateGuest);
  Add("GET", "SoftLayer_Account/getVirtualGuests", &FakeSoftLayer::ListGuests);
  Add("POST", "SoftLayer_Virtual_Guest/{id}/setTags", &FakeSoftLayer::SetTags);
  Add("GET", "SoftLayer_Virtual_Guest/{id}/{method}", &FakeSoftLayer::CallGuest);
  if (const auto folder = DescriptionsFolder(); folder.has_value()) {
    auto published = MethodTable::Load(absl::StrCat(*folder, "/softlayer/methods.json"));
    auto more = MethodTable::Parse(kMoreSoftLayerMethods);
    EXPECT_TRUE(published.ok()) << published.status();
    EXPECT_TRUE(more.ok()) << more.status();
    checked_ = published.ok() && more.ok();
    if (checked_) CheckRequests(FitsOneOf(*std::move(published), *std::move(more)));
  }
  Start();
}

FakeSoftLayer::~FakeSoftLayer() { Stop(); }

std::string FakeSoftLayer::endpoint() const { return absl::StrCat(url(), "/rest/v3.1"); }

void FakeSoftLayer::Add(absl::string_view method, absl::string_view path, Handler handler) {
  Route(method, absl::StrCat("/rest/v3.1/", path),
        [this, handler](const Request& request) { return Authorized(request, handler); });
}

Response FakeSoftLayer::Authorized(const Request& request, Handler handler) {
  const std::string basic = absl::Base64Escape(absl::StrCat(kUser, ":", kApiKey));
  if (request.Header("Authorization") != absl::StrCat("Basic ", basic)) {
    return Refuse(401, "SoftLayer_Exception_Public", "Invalid API token.");
  }
  absl::MutexLock lock(&mu_);
  return (this->*handler)(request);
}

Response FakeSoftLayer::Page(const Request& request, const std::vector<Json>& all) {
  const std::vector<std::string> limit = absl::StrSplit(request.Query("resultLimit"), ',');
  size_t begin = 0;
  size_t count = all.size();
  if (limit.size() == 2) {
    EXPECT_TRUE(absl::SimpleAtoi(limit[0], &begin));
    EXPECT_TRUE(absl::SimpleAtoi(limit[1], &count));
  }
  Json page = Json::array();
  for (size_t i = begin; i < std::min(begin + count, all.size()); ++i) page.push_back(all[i]);
  return Ok(omit_brackets_ && page.size() == 1 ? page[0] : page);
}

Response FakeSoftLayer::GetOptions(const Request&) {
  Json options;
  const auto add = [&](const char* key, const Json& value) {
    options[key].push_back({{"template", value}});
  };
  for (const std::string& name : datacenters_)
    add("datacenters", {{"datacenter", {{"name", name}}}});
  for (const char* const code : {"DEBIAN_12_64", "UBUNTU_20_64", "UBUNTU_24_64", "UBUNTU_22_64"}) {
    add("operatingSystems", {{"operatingSystemReferenceCode", code}});
  }
  for (const int cpus : {1, 2, 4}) add("processors", {{"startCpus", cpus}});
  for (const int memory : {1024, 2048, 4096}) add("memory", {{"maxMemory", memory}});
  for (const int size : {25, 100}) {
    for (const bool local : {false, true}) {
      add("blockDevices",
          {{"localDiskFlag", local},
           {"blockDevices",
            Json::array(
                {{{"device", "0"}, {"diskImage", {{"capacity", size + (local ? 1 : 0)}}}}})}});
    }
  }
  return Ok(options);
}

Response FakeSoftLayer::ListVlans(const Request& request) {
  return Page(request, {{{"id", 501}}, {{"id", 502}}});
}

Response FakeSoftLayer::ListKeys(const Request& request) { return Page(request, ValuesOf(keys_)); }

Response FakeSoftLayer::CreateKey(const Request& request) {
  Json key = ParameterOf(request);
  key["id"] = ++last_id_;
  keys_[last_id_] = key;
  return Ok(key);
}

Response FakeSoftLayer::DeleteKey(const Request& request) {
  return keys_.erase(IdOf(request)) == 0 ? NotFound() : Ok(true);
}

Response FakeSoftLayer::ListGroups(const Request& request) {
  return Page(request, ValuesOf(groups_));
}

Response FakeSoftLayer::CreateGroup(const Request& request) {
  Json group = ParameterOf(request);
  group["id"] = ++last_id_;
  group["rules"] = Json::array();
  groups_[last_id_] = group;
  return Ok(group);
}

Response FakeSoftLayer::AddRules(const Request& request) {
  const auto it = groups_.find(IdOf(request));
  if (it == groups_.end()) return NotFound();
  for (const Json& rule : ParameterOf(request)) it->second["rules"].push_back(rule);
  return Ok({{"requestId", "r"}});
}

Response FakeSoftLayer::DeleteGroup(const Request& request) {
  return groups_.erase(IdOf(request)) == 0 ? NotFound() : Ok(true);
}

Response FakeSoftLayer::CheckOrder(const Request& request) {
  if (!refusal_.is_null()) return {.status = refusal_status_, .body = refusal_.dump()};
  const Json wanted = ParameterOf(request);
  const std::string place = wanted["datacenter"]["name"];
  if (std::find(datacenters_.begin(), datacenters_.end(), place) == datacenters_.end()) {
    return Refuse(500, "SoftLayer_Exception_Order_Location_Invalid", "The location is invalid.");
  }
  return Ok({{"packageId", 46}});
}

Json FakeSoftLayer::NewGuest(const Json& wanted) {
  const int64_t id = ++last_id_;
  Json guest = {{"id", id},
                {"hostname", wanted["hostname"]},
                {"startCpus", wanted["startCpus"]},
                {"maxMemory", wanted["maxMemory"]},
                {"datacenter", wanted["datacenter"]},
                {"userData", wanted.value("userData", Json::array())},
                {"private", wanted.value("privateNetworkOnlyFlag", false)},
                {"powerState", {{"keyName", "HALTED"}}},
                {"activeTransaction", Transaction("CLOUD_CREATE_SERVER")}};
  guests_[id] = guest;
  lag_.Born(absl::StrCat(id));
  return guest;
}

Response FakeSoftLayer::CreateGuest(const Request& request) {
  Response refused = CheckOrder(request);
  if (refused.status != 200 || !refusal_.is_null()) return refused;
  last_create_ = ParameterOf(request);
  // The answer shows less than the list.
  return Ok({{"id", NewGuest(last_create_)["id"]}});
}

Json FakeSoftLayer::Read(int64_t id) {
  const auto it = guests_.find(id);
  if (it == guests_.end() || !lag_.Read(absl::StrCat(id))) return nullptr;
  Json& guest = it->second;
  Json shown = guest;
  if (!guest.contains("activeTransaction")) return shown;
  const std::string name = guest["activeTransaction"]["transactionStatus"]["name"];
  guest.erase("activeTransaction");
  if (name == "CLOUD_CREATE_SERVER") {
    guest["provisionDate"] = "2026-01-01T00:00:00+00:00";
    guest["powerState"]["keyName"] = "RUNNING";
    guest["primaryBackendIpAddress"] = absl::StrCat("10.", id / 250 % 250, ".0.", id % 250 + 1);
    if (!guest["private"]) {
      guest["primaryIpAddress"] = absl::StrCat("198.51.", id / 250 % 250, ".", id % 250 + 1);
    }
  } else if (name == "POWER_OFF") {
    guest["powerState"]["keyName"] = "HALTED";
  } else if (name == "POWER_ON") {
    guest["powerState"]["keyName"] = "RUNNING";
  } else if (name == "CLOUD_RECLAIM_PREP") {
    guests_.erase(it);
  }
  return shown;
}

Response FakeSoftLayer::ListGuests(const Request& request) {
  std::vector<Json> seen;
  for (const Json& each : ValuesOf(guests_)) {
    Json shown = Read(each["id"]);
    if (!shown.is_null()) seen.push_back(std::move(shown));
  }
  return Page(request, seen);
}

Response FakeSoftLayer::CallGuest(const Request& request) {
  const int64_t id = IdOf(request);
  const std::string& method = request.captures[1];
  if (method == "getObject") {
    const Json shown = Read(id);
    return shown.is_null() ? NotFound() : Ok(shown);
  }
  const auto it = guests_.find(id);
  if (it == guests_.end()) return NotFound();
  if (const std::string failure = std::exchange(next_failure_, ""); !failure.empty()) {
    return Refuse(200, "SoftLayer_Exception_Public", failure);
  }
  Json& guest = it->second;
  if (guest.contains("activeTransaction")) {
    return Refuse(500, "SoftLayer_Exception_Public", "There is currently an active transaction.");
  }
  const std::string power = guest["powerState"]["keyName"];
  if (method == "deleteObject") {
    guest["activeTransaction"] = Transaction("CLOUD_RECLAIM_PREP");
  } else if (method == "powerOff" || (method == "powerOffSoft" && !ignore_stop_)) {
    if (power == "RUNNING") guest["activeTransaction"] = Transaction("POWER_OFF");
  } else if (method == "powerOn") {
    if (power == "HALTED") guest["activeTransaction"] = Transaction("POWER_ON");
  } else if (method == "resume") {
    guest["powerState"]["keyName"] = "RUNNING";
  } else if (method != "rebootSoft" && method != "powerOffSoft") {
    return NotFound();
  }
  return Ok(true);
}

Response FakeSoftLayer::SetTags(const Request& request) {
  if (!guests_.contains(IdOf(request))) return NotFound();
  last_tags_ = ParameterOf(request).get<std::string>();
  return Ok(true);
}

void FakeSoftLayer::SetLag(int reads) {
  absl::MutexLock lock(&mu_);
  lag_.Set(reads);
}

void FakeSoftLayer::IgnoreStop(bool ignore) {
  absl::MutexLock lock(&mu_);
  ignore_stop_ = ignore;
}

void FakeSoftLayer::RefuseOrders(absl::string_view code, absl::string_view error, int status) {
  absl::MutexLock lock(&mu_);
  refusal_status_ = status;
  refusal_ = {{"code", std::string(code)}, {"error", std::string(error)}};
}

void FakeSoftLayer::FailNextChange(absl::string_view error) {
  absl::MutexLock lock(&mu_);
  next_failure_ = std::string(error);
}

void FakeSoftLayer::OmitBrackets() {
  absl::MutexLock lock(&mu_);
  omit_brackets_ = true;
}

void FakeSoftLayer::CloseDatacenter(absl::string_view name) {
  absl::MutexLock lock(&mu_);
  std::erase(datacenters_, std::string(name));
}

int64_t FakeSoftLayer::AddSshKey(absl::string_view label, absl::string_view key) {
  absl::MutexLock lock(&mu_);
  const int64_t id = ++last_id_;
  keys_[id] = {{"id", id}, {"label", std::string(label)}, {"key", std::string(key)}};
  return id;
}

std::vector<std::string> FakeSoftLayer::GuestNames() const {
  absl::MutexLock lock(&mu_);
  Objects live = guests_;
  std::erase_if(live, [](const auto& entry) {
    return absl::StrContains(entry.second.dump(), "CLOUD_RECLAIM_PREP");
  });
  return TextsOf(live, "hostname");
}

std::vector<std::string> FakeSoftLayer::KeyLabels() const {
  absl::MutexLock lock(&mu_);
  return TextsOf(keys_, "label");
}

std::vector<std::string> FakeSoftLayer::SecurityGroupNames() const {
  absl::MutexLock lock(&mu_);
  return TextsOf(groups_, "name");
}

std::vector<std::string> FakeSoftLayer::Rules() const {
  absl::MutexLock lock(&mu_);
  std::vector<std::string> rules;
  for (const auto& [id, group] : groups_) {
    for (const Json& rule : group["rules"]) {
      rules.push_back(absl::StrCat(rule["direction"].get<std::string>(), " ",
                                   rule.value("portRangeMin", 0), " ",
                                   rule.value("remoteIp", std::string("any"))));
    }
  }
  return rules;
}

Json FakeSoftLayer::LastCreate() const {
  absl::MutexLock lock(&mu_);
  return last_create_;
}

std::string FakeSoftLayer::LastTags() const {
  absl::MutexLock lock(&mu_);
  return last_tags_;
}

void FakeSoftLayer::DestroyGuests(absl::string_view mark) {
  absl::MutexLock lock(&mu_);
  std::erase_if(guests_, [&](const auto& entry) { return HasMark(entry.second, mark); });
}

void FakeSoftLayer::SetPower(absl::string_view mark, absl::string_view power) {
  absl::MutexLock lock(&mu_);
  for (auto& [id, guest] : guests_) {
    if (HasMark(guest, mark)) guest["powerState"]["keyName"] = std::string(power);
  }
}

void FakeSoftLayer::AddGuests(int count, absl::string_view prefix, absl::string_view suffix) {
  absl::MutexLock lock(&mu_);
  for (int i = 0; i < count; ++i) {
    const Json made =
        NewGuest({{"hostname", absl::StrCat("guest-", i)},
                  {"startCpus", 1},
                  {"maxMemory", 1024},
                  {"datacenter", {{"name", "dal01"}}},
                  {"userData", Json::array({{{"value", absl::StrCat(prefix, i, suffix)}}})}});
    Read(made["id"]);
  }
}

int64_t FakeSoftLayer::StripMarks() {
  absl::MutexLock lock(&mu_);
  for (auto& [id, guest] : guests_) guest["userData"] = Json::array();
  return guests_.empty() ? 0 : guests_.rbegin()->first;
}

}  // namespace machine::fakes
