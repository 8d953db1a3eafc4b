#include "tests/fakes/google/fake_google.h"

#include <gtest/gtest.h>
#include <re2/re2.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/fakes/google/catalog.h"
#include "tests/fakes/google/more_paths.h"
#include "tests/fakes/openapi/description.h"

namespace machine::fakes {
namespace {

using google_catalog::Url;
using Json = nlohmann::json;

constexpr char kRoot[] = "/compute/v1/projects/{project}";

Response Ok(const Json& body) { return {.body = body.dump()}; }

Response Refuse(int status, absl::string_view reason, absl::string_view message) {
  const Json error = {
      {"domain", "global"}, {"reason", std::string(reason)}, {"message", std::string(message)}};
  return {.status = status,
          .body = Json{{"error",
                        {{"code", status},
                         {"message", std::string(message)},
                         {"errors", Json::array({error})}}}}
                      .dump()};
}

Response NotFound(const Request& request) {
  return Refuse(404, "notFound", absl::StrCat("The resource '", request.path, "' was not found"));
}

std::string LastPart(const std::string& url) { return url.substr(url.rfind('/') + 1); }

Json BodyOf(const Request& request) { return Json::parse(request.body); }

const Json* Named(const std::vector<Json>& all, const std::string& name) {
  const auto it =
      std::find_if(all.begin(), all.end(), [&](const Json& each) { return each["name"] == name; });
  return it == all.end() ? nullptr : &*it;
}

std::vector<Json> ValuesOf(const std::map<std::string, Json>& things) {
  std::vector<Json> values;
  for (const auto& [key, thing] : things) values.push_back(thing);
  return values;
}

// The part of the filter language that the driver uses: labels.KEY="VALUE".
bool Passes(const Json& instance, const std::string& filter) {
  std::string key;
  std::string value;
  if (!RE2::FullMatch(filter, R"re(labels\.([a-z0-9_-]+)="([^"]*)")re", &key, &value)) {
    ADD_FAILURE() << "the fake does not know the filter " << filter;
    return false;
  }
  return instance.value("labels", Json::object()).value(key, "") == value;
}

}  // namespace

FakeGoogle::FakeGoogle() {
  AddRoutes();
  NoRoute(NotFound);
  if (const auto folder = DescriptionsFolder(); folder.has_value()) {
    auto published =
        ApiDescription::Load(absl::StrCat(*folder, "/google/compute-v1.openapi3.json"));
    auto more = ApiDescription::Parse(kMoreGooglePaths);
    EXPECT_TRUE(published.ok()) << published.status();
    EXPECT_TRUE(more.ok()) << more.status();
    checked_ = published.ok() && more.ok();
    if (checked_) CheckRequests(FitsOneOf({*std::move(published), *std::move(more)}));
  }
  Start();
}

FakeGoogle::~FakeGoogle() { Stop(); }

void FakeGoogle::AddRoutes() {
  Add("GET", "", &FakeGoogle::GetProject);
  Add("GET", "/zones", &FakeGoogle::ListZones);
  Add("GET", "/zones/{zone}/machineTypes", &FakeGoogle::ListMachineTypes);
  Add("GET", "/zones/{zone}/diskTypes", &FakeGoogle::ListDiskTypes);
  Add("GET", "/global/images/family/{family}", &FakeGoogle::GetFamily);
  Add("GET", "/global/images/{image}", &FakeGoogle::GetImage);
  Add("GET", "/global/images", &FakeGoogle::ListImages);
  Add("GET", "/global/networks/{network}", &FakeGoogle::GetNetwork);
  Add("GET", "/global/networks", &FakeGoogle::ListNetworks);
  Add("GET", "/regions/{region}/subnetworks/{subnetwork}", &FakeGoogle::GetSubnetwork);
  Add("GET", "/regions/{region}/addresses", &FakeGoogle::ListAddresses);
  Add("POST", "/regions/{region}/addresses", &FakeGoogle::CreateAddress);
  Add("GET", "/regions/{region}/addresses/{address}", &FakeGoogle::GetAddress);
  Add("DELETE", "/regions/{region}/addresses/{address}", &FakeGoogle::DeleteAddress);
  Add("POST", "/global/firewalls", &FakeGoogle::CreateFirewall);
  Add("GET", "/global/firewalls/{firewall}", &FakeGoogle::GetFirewall);
  Add("DELETE", "/global/firewalls/{firewall}", &FakeGoogle::DeleteFirewall);
  Add("GET", "/aggregated/instances", &FakeGoogle::AggregatedList);
  Add("GET", "/zones/{zone}/instances", &FakeGoogle::ListInstances);
  Add("POST", "/zones/{zone}/instances", &FakeGoogle::CreateInstance);
  Add("GET", "/zones/{zone}/instances/{instance}", &FakeGoogle::GetInstance);
  Add("DELETE", "/zones/{zone}/instances/{instance}", &FakeGoogle::DeleteInstance);
  for (const char* const verb :
       {"start", "stop", "reset", "resume", "setLabels", "setMetadata", "setTags"}) {
    Add("POST", absl::StrCat("/zones/{zone}/instances/{instance}/", verb), &FakeGoogle::Act);
  }
  Add("GET", "/zones/{zone}/disks/{disk}", &FakeGoogle::GetDisk);
  Add("DELETE", "/zones/{zone}/disks/{disk}", &FakeGoogle::DeleteDisk);
  Add("GET", "/zones/{zone}/operations/{operation}", &FakeGoogle::GetOperation);
  Add("GET", "/regions/{region}/operations/{operation}", &FakeGoogle::GetOperation);
  Add("GET", "/global/operations/{operation}", &FakeGoogle::GetOperation);
}

void FakeGoogle::Add(absl::string_view method, absl::string_view pattern, Handler handler) {
  Route(method, absl::StrCat(kRoot, pattern),
        [this, handler](const Request& request) { return Authorized(request, handler); });
}

Response FakeGoogle::Authorized(const Request& request, Handler handler) {
  absl::MutexLock lock(&mu_);
  if (request.Header("Authorization") != absl::StrCat("Bearer ", token_)) {
    return Refuse(401, "authError", "Request had invalid authentication credentials.");
  }
  if (request.method == "GET") {
    Tick();
    return (this->*handler)(request);
  }
  const std::string id = request.Query("requestId");
  if (!RE2::FullMatch(id, "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")) {
    ADD_FAILURE() << request.method << " " << request.path << " has requestId \"" << id << "\"";
    return Refuse(400, "invalid", "requestId");
  }
  if (const auto known = request_ids_.find(id); known != request_ids_.end()) {
    return Ok(operations_.at(known->second).json);
  }
  if (refusals_left_ > 0) {
    --refusals_left_;
    return Refuse(403, refusal_, absl::StrCat("refused: ", refusal_));
  }
  return (this->*handler)(request);
}

void FakeGoogle::Tick() {
  for (auto& [name, operation] : operations_) {
    if (operation.json["status"] == "DONE" || operation.reads_left-- > 0) continue;
    operation.json["status"] = "DONE";
    operation.json["progress"] = 100;
    if (operation.json.contains("error")) {
      if (operation.fail) operation.fail();
    } else {
      operation.finish();
    }
  }
}

Response FakeGoogle::Begin(const Request& request, absl::string_view scope,
                           std::function<void()> finish, std::function<void()> fail) {
  const std::string name = absl::StrCat("operation-", ++next_id_);
  Pending& operation = operations_[name];
  operation.json = {{"kind", "compute#operation"},
                    {"id", absl::StrCat(next_id_)},
                    {"name", name},
                    {"status", "RUNNING"},
                    {"progress", 0},
                    {"targetLink", Url(request.path)}};
  const std::pair<std::string, std::string> parts = absl::StrSplit(scope, '/');
  if (parts.first == "zones") operation.json["zone"] = Url(absl::StrCat("projects/p/", scope));
  if (parts.first == "regions") operation.json["region"] = Url(absl::StrCat("projects/p/", scope));
  operation.reads_left = pace_;
  operation.finish = std::move(finish);
  operation.fail = std::move(fail);
  request_ids_[request.Query("requestId")] = name;
  const Json shown = operation.json;
  if (!next_failure_.is_null()) {
    operation.json["error"] = {{"errors", Json::array({std::exchange(next_failure_, Json())})}};
    operation.json["httpErrorStatusCode"] = 403;
    operation.json["httpErrorMessage"] = "FORBIDDEN";
  }
  return Ok(shown);
}

Response FakeGoogle::Page(const Request& request, const std::vector<Json>& all) const {
  int64_t size = 500;
  int64_t begin = 0;
  if (!request.Query("maxResults").empty()) {
    EXPECT_TRUE(absl::SimpleAtoi(request.Query("maxResults"), &size));
  }
  if (!request.Query("pageToken").empty()) {
    EXPECT_TRUE(absl::SimpleAtoi(request.Query("pageToken"), &begin));
  }
  Json body = {{"items", Json::array()}};
  const int64_t end = std::min<int64_t>(begin + size, static_cast<int64_t>(all.size()));
  for (int64_t i = begin; i < end; ++i) body["items"].push_back(all[i]);
  if (end < static_cast<int64_t>(all.size())) body["nextPageToken"] = absl::StrCat(end);
  return Ok(body);
}

Response FakeGoogle::Found(const std::map<std::string, Json>& things,
                           const std::string& key) const {
  const auto it = things.find(key);
  return it == things.end() ? Refuse(404, "notFound", absl::StrCat("'", key, "' was not found"))
                            : Ok(it->second);
}

Response FakeGoogle::GetProject(const Request& request) {
  return request.captures[0] == kProject ? Ok({{"name", kProject}}) : NotFound(request);
}

Response FakeGoogle::ListZones(const Request& request) {
  return Page(request, google_catalog::Zones());
}

Response FakeGoogle::ListMachineTypes(const Request& request) {
  return Page(request, google_catalog::MachineTypes());
}

Response FakeGoogle::ListDiskTypes(const Request& request) {
  return Page(request, google_catalog::DiskTypes());
}

Response FakeGoogle::GetImage(const Request& request) {
  const std::vector<Json> images = google_catalog::Images(request.captures[0]);
  const Json* const image = Named(images, request.captures[1]);
  return image == nullptr ? NotFound(request) : Ok(*image);
}

Response FakeGoogle::GetFamily(const Request& request) {
  Json newest;
  for (const Json& image : google_catalog::Images(request.captures[0])) {
    if (image["family"] == request.captures[1] && !image.contains("deprecated")) newest = image;
  }
  return newest.is_null() ? NotFound(request) : Ok(newest);
}

Response FakeGoogle::ListImages(const Request& request) {
  return Page(request, google_catalog::Images(request.captures[0]));
}

Response FakeGoogle::GetNetwork(const Request& request) {
  const std::vector<Json> networks = google_catalog::Networks(request.captures[0]);
  const Json* const network = Named(networks, request.captures[1]);
  return network == nullptr ? NotFound(request) : Ok(*network);
}

Response FakeGoogle::ListNetworks(const Request& request) {
  return Page(request, google_catalog::Networks(request.captures[0]));
}

Response FakeGoogle::GetSubnetwork(const Request& request) {
  const std::string path =
      absl::StrCat("/regions/", request.captures[1], "/subnetworks/", request.captures[2]);
  for (const Json& network : google_catalog::Networks(request.captures[0])) {
    for (const Json& url : network.value("subnetworks", Json::array())) {
      if (absl::EndsWith(url.get<std::string>(), path)) return Ok({{"name", request.captures[2]}});
    }
  }
  return NotFound(request);
}

Response FakeGoogle::GetAddress(const Request& request) {
  return Found(addresses_, request.captures[2]);
}

Response FakeGoogle::ListAddresses(const Request& request) {
  return Page(request, ValuesOf(addresses_));
}

Response FakeGoogle::CreateAddress(const Request& request) {
  Json address = BodyOf(request);
  const std::string name = address["name"];
  if (addresses_.contains(name)) return Refuse(409, "alreadyExists", "The address exists");
  address["address"] = absl::StrCat("203.0.113.", ++next_id_ % 250);
  address["status"] = "RESERVED";
  return Begin(request, absl::StrCat("regions/", request.captures[1]),
               [this, name, address] { addresses_[name] = address; });
}

Response FakeGoogle::DeleteAddress(const Request& request) {
  const std::string name = request.captures[2];
  if (!addresses_.contains(name)) return NotFound(request);
  const std::string ip = addresses_[name]["address"];
  for (const auto& [key, instance] : instances_) {
    if (absl::StrContains(instance.dump(), ip)) {
      return Refuse(400, "resourceInUseByAnotherResource", "The address is in use");
    }
  }
  return Begin(request, absl::StrCat("regions/", request.captures[1]),
               [this, name] { addresses_.erase(name); });
}

Response FakeGoogle::GetFirewall(const Request& request) {
  return Found(firewalls_, request.captures[1]);
}

Response FakeGoogle::CreateFirewall(const Request& request) {
  const Json firewall = BodyOf(request);
  const std::string name = firewall["name"];
  if (firewalls_.contains(name)) return Refuse(409, "alreadyExists", "The rule exists");
  const std::string network = firewall["network"];
  if (Named(google_catalog::Networks(request.captures[0]), LastPart(network)) == nullptr) {
    return Refuse(404, "notFound", absl::StrCat(network, " was not found"));
  }
  last_firewall_ = firewall;
  return Begin(request, "global", [this, name, firewall] { firewalls_[name] = firewall; });
}

Response FakeGoogle::DeleteFirewall(const Request& request) {
  const std::string name = request.captures[1];
  if (!firewalls_.contains(name)) return NotFound(request);
  return Begin(request, "global", [this, name] { firewalls_.erase(name); });
}

Response FakeGoogle::AggregatedList(const Request& request) {
  if (!unreachable_.empty() && request.Query("returnPartialSuccess") != "true") {
    return Refuse(503, "backendError", "a zone does not answer");
  }
  std::vector<Json> seen;
  for (const auto& [key, instance] : instances_) {
    if (!Passes(instance, request.Query("filter")) || !lag_.Read(key)) continue;
    if (LastPart(instance["zone"]) == unreachable_) continue;
    Json shown = instance;
    // As a mask asks for.
    if (!request.Query("fields").empty()) shown.erase("metadata");
    seen.push_back(std::move(shown));
  }
  Json page = Json::parse(Page(request, seen).body);
  Json scopes = Json::object();
  for (const Json& zone : google_catalog::Zones()) {
    const std::string name = zone["name"];
    scopes["zones/" + name] = {
        {"warning", {{"code", name == unreachable_ ? "UNREACHABLE" : "NO_RESULTS_ON_PAGE"}}}};
  }
  for (const Json& instance : page["items"]) {
    Json& scope = scopes["zones/" + LastPart(instance["zone"])];
    scope.erase("warning");
    scope["instances"].push_back(instance);
  }
  page["items"] = scopes;
  return Ok(page);
}

Response FakeGoogle::ListInstances(const Request& request) {
  std::vector<Json> seen;
  for (const auto& [key, instance] : instances_) {
    if (LastPart(instance["zone"]) == request.captures[1]) seen.push_back(instance);
  }
  return Page(request, seen);
}

Response FakeGoogle::GetInstance(const Request& request) {
  const std::string key = absl::StrCat(request.captures[1], "/", request.captures[2]);
  if (!instances_.contains(key) || !lag_.Read(key)) return NotFound(request);
  return Ok(instances_[key]);
}

Json FakeGoogle::NewInstance(absl::string_view zone, const Json& wanted) {
  const std::string where = absl::StrCat("projects/", kProject, "/zones/", zone);
  Json instance = wanted;
  instance["id"] = absl::StrCat(++next_id_);
  instance["zone"] = Url(where);
  instance["status"] = "PROVISIONING";
  instance["machineType"] =
      Url(absl::StrCat(where, "/machineTypes/", LastPart(wanted["machineType"])));
  instance["labelFingerprint"] = "label-1";
  instance["metadata"]["fingerprint"] = "metadata-1";
  instance["tags"]["fingerprint"] = "tags-1";
  Json& interface = instance["networkInterfaces"][0];
  interface["network"] = Url(interface["network"].get<std::string>());
  interface["networkIP"] = absl::StrCat("10.128.", next_id_ / 250 % 250, ".", next_id_ % 250 + 1);
  return instance;
}

void FakeGoogle::Run(Json& instance) {
  instance["status"] = "RUNNING";
  Json& interface = instance["networkInterfaces"][0];
  if (!interface.contains("accessConfigs")) return;
  Json& access = interface["accessConfigs"][0];
  if (access.contains("natIP")) return;
  ++next_id_;
  access["natIP"] = absl::StrCat("198.51.", next_id_ / 250 % 250, ".", next_id_ % 250 + 1);
  access["ephemeral"] = true;
}

Response FakeGoogle::CreateInstance(const Request& request) {
  const Json wanted = BodyOf(request);
  const std::string& zone = request.captures[1];
  const std::string key = absl::StrCat(zone, "/", wanted["name"].get<std::string>());
  const Json& parameters = wanted["disks"][0]["initializeParams"];
  const std::string image = parameters["sourceImage"];
  const std::vector<std::string> image_parts = absl::StrSplit(image, '/');
  const std::string network = wanted["networkInterfaces"][0]["network"];
  const std::vector<std::string> network_parts = absl::StrSplit(network, '/');
  if (instances_.contains(key) || disks_.contains(key)) {
    return Refuse(409, "alreadyExists", absl::StrCat("The resource '", key, "' already exists"));
  }
  if (Named(google_catalog::MachineTypes(), LastPart(wanted["machineType"])) == nullptr ||
      image_parts.size() != 5 ||
      Named(google_catalog::Images(image_parts[1]), image_parts[4]) == nullptr ||
      Named(google_catalog::Networks(network_parts.at(1)), network_parts.back()) == nullptr) {
    return Refuse(400, "invalid", absl::StrCat("Invalid value for a field: ", request.body));
  }
  last_create_ = wanted;
  instances_[key] = NewInstance(zone, wanted);
  disks_[key] = {{"name", parameters["diskName"]}, {"labels", parameters["labels"]}};
  lag_.Born(key);
  return Begin(
      request, absl::StrCat("zones/", zone),
      [this, key] {
        if (instances_.contains(key)) Run(instances_[key]);
      },
      [this, key] { instances_.erase(key); });
}

Response FakeGoogle::DeleteInstance(const Request& request) {
  const std::string key = absl::StrCat(request.captures[1], "/", request.captures[2]);
  if (!instances_.contains(key)) return NotFound(request);
  instances_[key]["status"] = "STOPPING";
  return Begin(request, absl::StrCat("zones/", request.captures[1]), [this, key] {
    instances_.erase(key);
    disks_.erase(key);
  });
}

void FakeGoogle::Change(Json& instance, absl::string_view verb, const Json& body) {
  if (verb == "stop") {
    instance["status"] = "TERMINATED";
    Json& interface = instance["networkInterfaces"][0];
    if (interface.contains("accessConfigs")) {
      Json& access = interface["accessConfigs"][0];
      if (access.value("ephemeral", false)) access.erase("natIP");
    }
    return;
  }
  const std::string fingerprint = absl::StrCat("changed-", ++next_id_);
  if (verb == "setLabels") {
    instance["labels"] = body["labels"];
    instance["labelFingerprint"] = fingerprint;
  } else if (verb == "setMetadata") {
    instance["metadata"] = {{"items", body["items"]}, {"fingerprint", fingerprint}};
  } else if (verb == "setTags") {
    instance["tags"] = {{"items", body["items"]}, {"fingerprint", fingerprint}};
  } else {
    Run(instance);
  }
}

Response FakeGoogle::Act(const Request& request) {
  const std::string key = absl::StrCat(request.captures[1], "/", request.captures[2]);
  if (!instances_.contains(key)) return NotFound(request);
  Json& instance = instances_[key];
  const std::string verb = LastPart(request.path);
  const Json body = request.body.empty() ? Json() : BodyOf(request);
  std::string wanted;
  if (verb == "setLabels") wanted = instance["labelFingerprint"];
  if (verb == "setMetadata") wanted = instance["metadata"]["fingerprint"];
  if (verb == "setTags") wanted = instance["tags"]["fingerprint"];
  if (!wanted.empty()) {
    const std::string given =
        body.value(verb == "setLabels" ? "labelFingerprint" : "fingerprint", std::string());
    if (std::exchange(change_fingerprint_, false) || given != wanted) {
      return Refuse(412, "conditionNotMet", "fingerprint does not match");
    }
  } else {
    if (instance["status"] == "STOPPING" && verb != "stop") {
      return Refuse(400, "resourceNotReady", absl::StrCat("The resource '", key, "' is not ready"));
    }
    instance["status"] = verb == "stop" ? "STOPPING" : verb == "reset" ? "RUNNING" : "STAGING";
  }
  return Begin(request, absl::StrCat("zones/", request.captures[1]), [this, key, verb, body] {
    if (instances_.contains(key)) Change(instances_[key], verb, body);
  });
}

Response FakeGoogle::GetDisk(const Request& request) {
  return Found(disks_, absl::StrCat(request.captures[1], "/", request.captures[2]));
}

Response FakeGoogle::DeleteDisk(const Request& request) {
  const std::string key = absl::StrCat(request.captures[1], "/", request.captures[2]);
  if (!disks_.contains(key)) return NotFound(request);
  if (instances_.contains(key)) {
    return Refuse(400, "resourceInUseByAnotherResource", "The disk is in use");
  }
  return Begin(request, absl::StrCat("zones/", request.captures[1]),
               [this, key] { disks_.erase(key); });
}

Response FakeGoogle::GetOperation(const Request& request) {
  const auto it = operations_.find(request.captures.back());
  return it == operations_.end() ? NotFound(request) : Ok(it->second.json);
}

}  // namespace machine::fakes
