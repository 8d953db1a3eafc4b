#include "tests/fakes/template/fake_template.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tests/fakes/openapi/description.h"
#include "tests/fakes/template/description.h"

namespace machine::fakes {
namespace {

using Json = nlohmann::json;

Response Ok(const Json& body, int status = 200) { return {.status = status, .body = body.dump()}; }

Response Refuse(int status, absl::string_view code, absl::string_view message) {
  return {
      .status = status,
      .body =
          Json{{"error", {{"code", std::string(code)}, {"message", std::string(message)}}}}.dump()};
}

Response NotFound() { return Refuse(404, "not_found", "There is no such thing."); }

bool HasTag(const Json& instance, absl::string_view tag) {
  const Json& tags = instance.at("tags");
  return std::find(tags.begin(), tags.end(), std::string(tag)) != tags.end();
}

}  // namespace

FakeTemplate::FakeTemplate() {
  Add("GET", "/v1/regions", &FakeTemplate::ListRegions);
  Add("GET", "/v1/sizes", &FakeTemplate::ListSizes);
  Add("GET", "/v1/images", &FakeTemplate::ListImages);
  Add("GET", "/v1/instances", &FakeTemplate::ListInstances);
  Add("POST", "/v1/instances", &FakeTemplate::CreateInstance);
  Add("GET", "/v1/instances/{id}", &FakeTemplate::GetInstance);
  Add("DELETE", "/v1/instances/{id}", &FakeTemplate::DeleteInstance);
  Add("POST", "/v1/instances/{id}/{verb}", &FakeTemplate::Act);
  auto description = ApiDescription::Parse(kTemplateDescription);
  EXPECT_TRUE(description.ok()) << description.status();
  if (description.ok()) CheckRequests(FitsOneOf({*std::move(description)}));
  Start();
}

FakeTemplate::~FakeTemplate() { Stop(); }

void FakeTemplate::Add(absl::string_view method, absl::string_view pattern, Handler handler) {
  Route(method, pattern,
        [this, handler](const Request& request) { return Authorized(request, handler); });
}

Response FakeTemplate::Authorized(const Request& request, Handler handler) {
  if (request.Header("Authorization") != absl::StrCat("Bearer ", kToken)) {
    return Refuse(401, "unauthorized", "The token is wrong.");
  }
  absl::MutexLock lock(&mu_);
  return (this->*handler)(request);
}

Response FakeTemplate::Page(const Request& request, absl::string_view key,
                            const std::vector<Json>& all) const {
  int64_t size = 20;
  int64_t begin = 0;
  if (!request.Query("limit").empty()) {
    EXPECT_TRUE(absl::SimpleAtoi(request.Query("limit"), &size));
  }
  if (!request.Query("page").empty()) {
    EXPECT_TRUE(absl::SimpleAtoi(request.Query("page"), &begin));
  }
  const int64_t count = static_cast<int64_t>(all.size());
  const int64_t end = std::min(begin + size, count);
  Json body = {{std::string(key), Json::array()}};
  for (int64_t i = begin; i < end; ++i) body[std::string(key)].push_back(all[i]);
  if (end < count) body["next"] = absl::StrCat(end);
  return Ok(body);
}

Response FakeTemplate::ListRegions(const Request& request) {
  return Page(request, "regions", {{{"name", "north"}}, {{"name", "south"}}});
}

Response FakeTemplate::ListSizes(const Request& request) {
  const Json all = {"north", "south"};
  return Page(request, "sizes",
              {{{"name", "large"}, {"memory_mib", 4096}, {"regions", all}},
               {{"name", "small"}, {"memory_mib", 1024}, {"regions", all}},
               {{"name", "tiny"}, {"memory_mib", 512}, {"regions", all}},
               {{"name", "huge"}, {"memory_mib", 65536}, {"regions", {"south"}}}});
}

Response FakeTemplate::ListImages(const Request& request) {
  return Page(request, "images",
              {{{"name", "ubuntu-22.04"}, {"family", "ubuntu-lts"}},
               {{"name", "ubuntu-24.04"}, {"family", "ubuntu-lts"}},
               {{"name", "debian-12"}, {"family", "debian"}}});
}

void FakeTemplate::Advance(Json& instance) {
  if (instance["status"] == "building") {
    instance["status"] = "running";
    const int64_t number = instance["number"];
    instance["addresses"] = {absl::StrCat("198.51.", number / 250 % 250, ".", number % 250 + 1)};
  } else if (instance["status"] == "stopping") {
    instance["status"] = "stopped";
  }
}

Response FakeTemplate::ListInstances(const Request& request) {
  std::vector<Json> seen;
  const std::string tag = request.Query("tag");
  for (auto& [id, instance] : instances_) {
    if ((!tag.empty() && !HasTag(instance, tag)) || !lag_.Read(id)) continue;
    seen.push_back(instance);
    Advance(instance);
  }
  return Page(request, "instances", seen);
}

Json FakeTemplate::NewInstance(const Json& wanted) {
  const std::string id = absl::StrCat("i-", ++next_id_);
  Json instance = {{"id", id},
                   {"number", next_id_},
                   {"name", wanted["name"]},
                   {"status", "building"},
                   {"region", wanted["region"]},
                   {"size", wanted["size"]},
                   {"image", wanted["image"]},
                   {"tags", wanted.value("tags", Json::array())},
                   {"addresses", Json::array()}};
  instances_[id] = instance;
  lag_.Born(id);
  return instance;
}

Response FakeTemplate::CreateInstance(const Request& request) {
  if (static_cast<int>(instances_.size()) >= limit_) {
    return Refuse(403, "quota_exceeded", "This account may have no more instances.");
  }
  last_create_ = Json::parse(request.body);
  return Ok(NewInstance(last_create_), 201);
}

Response FakeTemplate::GetInstance(const Request& request) {
  const auto it = instances_.find(request.captures[0]);
  if (it == instances_.end() || !lag_.Read(it->first)) return NotFound();
  const Json shown = it->second;
  Advance(it->second);
  return Ok(shown);
}

Response FakeTemplate::DeleteInstance(const Request& request) {
  return instances_.erase(request.captures[0]) == 0 ? NotFound() : Response{.status = 204};
}

Response FakeTemplate::Act(const Request& request) {
  const auto it = instances_.find(request.captures[0]);
  if (it == instances_.end()) return NotFound();
  Json& instance = it->second;
  const std::string& verb = request.captures[1];
  if (instance["status"] == "stopping") {
    return Refuse(409, "busy", "Another action is under way.");
  }
  if (verb == "kill" || (verb == "stop" && !ignore_stop_)) {
    if (instance["status"] != "stopped") instance["status"] = "stopping";
  } else if (verb != "stop" && instance["status"] == "stopped") {
    instance["status"] = "building";
  }
  return {.status = 202};
}

void FakeTemplate::SetLag(int reads) {
  absl::MutexLock lock(&mu_);
  lag_.Set(reads);
}

void FakeTemplate::IgnoreStop(bool ignore) {
  absl::MutexLock lock(&mu_);
  ignore_stop_ = ignore;
}

void FakeTemplate::SetLimit(int instances) {
  absl::MutexLock lock(&mu_);
  limit_ = instances;
}

std::vector<std::string> FakeTemplate::InstanceNames() const {
  absl::MutexLock lock(&mu_);
  std::vector<std::string> names;
  for (const auto& [id, instance] : instances_) names.push_back(instance["name"]);
  return names;
}

Json FakeTemplate::LastCreate() const {
  absl::MutexLock lock(&mu_);
  return last_create_;
}

void FakeTemplate::DestroyInstances(absl::string_view tag) {
  absl::MutexLock lock(&mu_);
  std::erase_if(instances_, [&](const auto& entry) { return HasTag(entry.second, tag); });
}

void FakeTemplate::SetStatus(absl::string_view tag, absl::string_view status) {
  absl::MutexLock lock(&mu_);
  for (auto& [id, instance] : instances_) {
    if (HasTag(instance, tag)) instance["status"] = std::string(status);
  }
}

void FakeTemplate::AddInstances(int count, absl::string_view tag, absl::string_view prefix) {
  absl::MutexLock lock(&mu_);
  for (int i = 0; i < count; ++i) {
    const Json made = NewInstance({{"name", absl::StrCat("instance-", i)},
                                   {"region", "north"},
                                   {"size", "small"},
                                   {"image", "ubuntu-24.04"},
                                   {"tags", {std::string(tag), absl::StrCat(prefix, i)}}});
    Advance(instances_[made["id"]]);
  }
}

}  // namespace machine::fakes
