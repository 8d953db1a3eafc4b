// What lies in resource groups.
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tests/fakes/azure/answers.h"
#include "tests/fakes/azure/fake_azure.h"

namespace machine::fakes {

using azure_answers::ErrorOf;
using azure_answers::KeyOf;
using azure_answers::NoSuch;
using azure_answers::ReferencesOf;
using azure_answers::Refuse;
using azure_answers::Reply;

namespace {

using Json = nlohmann::json;

constexpr size_t kPageSize = 100;

std::string TypeOf(absl::string_view key) {
  const std::vector<std::string> parts = absl::StrSplit(key, '/');
  return parts[1];
}

bool IsMachine(absl::string_view key) { return TypeOf(key) == "virtualmachines"; }

}  // namespace

Json FakeAzure::Shown(const Json& resource, bool with_power, bool power_only) const {
  Json shown = resource;
  const std::string power = shown.value("power", "");
  shown.erase("power");
  Json& properties = shown["properties"];
  if (properties.contains("osProfile")) {
    properties["osProfile"].erase("adminPassword");
    properties["osProfile"].erase("customData");
  }
  if (with_power) {
    Json statuses = Json::array(
        {{{"code", absl::StrCat("ProvisioningState/", absl::AsciiStrToLower(std::string(
                                                          properties["provisioningState"])))}}});
    if (!power.empty()) statuses.push_back({{"code", absl::StrCat("PowerState/", power)}});
    properties["instanceView"]["statuses"] = std::move(statuses);
  }
  if (!power_only) return shown;
  // Ids in such lists have the group in capitals.
  std::vector<std::string> parts = absl::StrSplit(std::string(shown["id"]), '/');
  absl::AsciiStrToUpper(&parts[4]);
  return {{"id", absl::StrJoin(parts, "/")},
          {"name", shown["name"]},
          {"location", shown["location"]},
          {"properties",
           {{"provisioningState", properties["provisioningState"]},
            {"instanceView", properties["instanceView"]}}}};
}

Response FakeAzure::GetResource(const Request& request) {
  const std::string key = KeyOf(request.path);
  const auto found = resources_.find(key);
  if (found == resources_.end() || !lag_.Read(key)) return NoSuch(request);
  const bool expand = request.Query("$expand") == "instanceView";
  return Reply(200, Shown(found->second, expand, false));
}

Json FakeAzure::MissingReference(const Json& body) const {
  for (const std::string& id : ReferencesOf(body)) {
    const auto found = resources_.find(KeyOf(id));
    if (found == resources_.end()) {
      return ErrorOf("InvalidResourceReference", absl::StrCat("Resource ", id, " not found."));
    }
    if (found->second["properties"]["provisioningState"] != "Succeeded") {
      return ErrorOf("ReferencedResourceNotProvisioned",
                     absl::StrCat("Resource ", id, " is not in Succeeded state."));
    }
  }
  return nullptr;
}

std::string FakeAzure::UserOf(const std::string& key) const {
  for (const auto& [other, resource] : resources_) {
    if (other == key) continue;
    for (const std::string& id : ReferencesOf(resource)) {
      if (KeyOf(id) == key) return other;
    }
  }
  return "";
}

void FakeAzure::Settle(const std::string& key, Json& resource) {
  Json& properties = resource["properties"];
  properties["provisioningState"] = "Succeeded";
  const int number = ++next_id_;
  if (TypeOf(key) == "publicipaddresses") {
    properties["ipAddress"] = absl::StrCat("198.51.100.", number % 250 + 1);
  }
  if (TypeOf(key) == "networkinterfaces") {
    Json& configuration = properties["ipConfigurations"][0]["properties"];
    if (!configuration.contains("privateIPAddress")) {
      configuration["privateIPAddress"] = absl::StrCat("192.168.0.", number % 250 + 4);
    }
  }
  if (IsMachine(key)) resource["power"] = "running";
}

Response FakeAzure::PutResource(const Request& request) {
  const std::string key = KeyOf(request.path);
  if (!GroupShows(request.captures[1])) {
    return Refuse(404, "ResourceGroupNotFound",
                  absl::StrCat("Resource group '", request.captures[1], "' could not be found."));
  }
  Json body = Json::parse(request.body);
  last_puts_[TypeOf(key)] = body;
  if (Json missing = MissingReference(body); !missing.is_null()) {
    return Reply(missing["code"] == "InvalidResourceReference" ? 400 : 429, {{"error", missing}});
  }
  const bool made = !resources_.contains(key);
  if (!made && resources_[key]["properties"]["provisioningState"] == "Deleting") {
    return Refuse(409, "AnotherOperationInProgress", "It is being deleted.");
  }
  Json resource = std::move(body);
  resource["id"] = request.path;
  resource["name"] = request.captures[2];
  resource["properties"]["provisioningState"] = made ? "Creating" : "Updating";
  if (made) lag_.Born(key);
  const bool machine = IsMachine(key);
  if (machine) {
    const std::string disk = resource["properties"]["storageProfile"]["osDisk"]["name"];
    const std::string id =
        absl::StrCat("/subscriptions/", kSubscription, "/resourceGroups/", request.captures[1],
                     "/providers/Microsoft.Compute/disks/", disk);
    resource["properties"]["storageProfile"]["osDisk"]["managedDisk"]["id"] = id;
    resources_[KeyOf(id)] = {{"id", id},
                             {"name", disk},
                             {"location", resource["location"]},
                             {"properties", {{"provisioningState", "Succeeded"}}}};
    resource["power"] = "starting";
  }
  resources_[key] = std::move(resource);
  Json failure = machine ? std::exchange(next_failure_, nullptr) : Json();
  const std::string id = Begin(
      [this, key, failed = !failure.is_null()]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
        const auto found = resources_.find(key);
        if (found == resources_.end()) return;
        if (failed) {
          found->second["properties"]["provisioningState"] = "Failed";
          found->second["power"] = "";
        } else {
          Settle(key, found->second);
        }
      },
      failure);
  Response answer = Reply(made ? 201 : 200, Shown(resources_[key], false, false));
  // Networks are followed by what they are, all else by a header.
  if (machine || mislead_) answer.headers["Azure-AsyncOperation"] = UrlOf("operations", id);
  answer.headers["Retry-After"] = "0";
  return answer;
}

Response FakeAzure::DeleteResource(const Request& request) {
  const std::string key = KeyOf(request.path);
  const auto found = resources_.find(key);
  if (found == resources_.end()) return {.status = 204, .body = ""};
  if (const std::string user = UserOf(key); !user.empty()) {
    return Refuse(400, absl::StrCat("InUse", TypeOf(key), "CannotBeDeleted"),
                  absl::StrCat(key, " is in use by ", user));
  }
  found->second["properties"]["provisioningState"] = "Deleting";
  const std::string id =
      Begin([this, key]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { resources_.erase(key); });
  Response accepted = {.status = 202, .body = ""};
  accepted.headers = {{"Location", UrlOf("results", id)}, {"Retry-After", "0"}};
  return accepted;
}

Response FakeAzure::ListMachines(const Request& request) {
  const bool power_only = request.Query("statusOnly") == "true";
  size_t begin = 0;
  if (!absl::SimpleAtoi(request.Query("$skiptoken"), &begin)) begin = 0;
  Json page = {{"value", Json::array()}};
  size_t number = 0;
  for (const auto& [key, resource] : resources_) {
    if (!IsMachine(key)) continue;
    const size_t mine = number++;
    if (mine < begin) continue;
    if (mine == begin + kPageSize) {
      page["nextLink"] = absl::StrCat(url(), request.path, "?api-version=2024-07-01",
                                      power_only ? "&statusOnly=true" : "", "&%24skiptoken=", mine);
      break;
    }
    page["value"].push_back(Shown(resource, power_only, power_only));
  }
  return Reply(200, page);
}

Response FakeAzure::Act(const Request& request) {
  const std::string key = KeyOf(request.path);
  const auto found = resources_.find(key);
  if (found == resources_.end()) return NoSuch(request);
  const std::string verb = request.path.substr(request.path.rfind('/') + 1);
  const bool pulls_plug = request.Query("skipShutdown") == "true";
  if (verb == "powerOff" && !pulls_plug) {
    return Refuse(400, "InvalidParameter", "the fake knows no graceful powerOff");
  }
  const auto [during, after] = verb == "start"        ? std::pair("starting", "running")
                               : verb == "restart"    ? std::pair("running", "running")
                               : verb == "deallocate" ? std::pair("deallocating", "deallocated")
                                                      : std::pair("stopping", "stopped");
  found->second["power"] = during;
  const std::string id = Begin([this, key, word = after]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const auto machine = resources_.find(key);
    if (machine != resources_.end()) machine->second["power"] = word;
  });
  Response accepted = {.status = 202, .body = ""};
  accepted.headers = {{"Azure-AsyncOperation", UrlOf("operations", id)},
                      {"Location", UrlOf("results", id)},
                      {"Retry-After", "0"}};
  return accepted;
}

Response FakeAzure::GetOperation(const Request& request) {
  const auto found = operations_.find(request.captures[1]);
  if (found == operations_.end()) return NoSuch(request);
  const Pending& operation = found->second;
  Json body = {{"name", request.captures[1]}, {"status", "InProgress"}};
  if (operation.reads_left == 0) {
    body["status"] = operation.error.is_null() ? "Succeeded" : "Failed";
    if (!operation.error.is_null()) body["error"] = operation.error;
  }
  Response answer = Reply(200, body);
  answer.headers["Retry-After"] = "0";
  return answer;
}

Response FakeAzure::GetResult(const Request& request) {
  const auto found = operations_.find(request.captures[1]);
  if (found == operations_.end()) return NoSuch(request);
  Response answer = {.status = found->second.reads_left == 0 ? 204 : 202, .body = ""};
  answer.headers["Retry-After"] = "0";
  return answer;
}

}  // namespace machine::fakes
