#include "tests/fakes/azure/fake_azure.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/fakes/azure/answers.h"
#include "tests/fakes/azure/catalog.h"
#include "tests/fakes/azure/more_paths.h"
#include "tests/fakes/openapi/description.h"

namespace machine::fakes {

using azure_answers::NoSuch;
using azure_answers::Refuse;
using azure_answers::Reply;

namespace {

using Json = nlohmann::json;

constexpr char kRoot[] = "/subscriptions/{subscription}";
constexpr char kInGroup[] = "/resourceGroups/{group}/providers/";

Response Values(const Json& values) { return Reply(200, {{"value", values}}); }

// A description, changed by `amend`.
absl::StatusOr<ApiDescription> Amended(const std::string& path,
                                       const std::function<void(Json&)>& amend) {
  std::ifstream file(path);
  Json document =
      Json::parse(std::string(std::istreambuf_iterator<char>(file), {}), nullptr, false);
  if (document.is_discarded()) return absl::NotFoundError(path);
  amend(document);
  return ApiDescription::Parse(document.dump());
}

// The published descriptions and our additions; empty where there are none.
std::vector<ApiDescription> Descriptions() {
  std::vector<ApiDescription> descriptions;
  const auto folder = DescriptionsFolder();
  if (!folder.has_value()) return descriptions;
  const auto take = [&](absl::StatusOr<ApiDescription> description) {
    EXPECT_TRUE(description.ok()) << description.status();
    if (description.ok()) descriptions.push_back(*std::move(description));
  };
  const auto path = [&](absl::string_view name) {
    return absl::StrCat(*folder, "/azure/", name, ".json");
  };
  take(Amended(path("compute-2019-03-01.openapi3"), [](Json& document) {
    for (const Json& parameter : Json::parse(kMachineListParameters)) {
      document["paths"][kMachineList]["get"]["parameters"].push_back(parameter);
    }
  }));
  take(Amended(path("network-2016-09-01-publicIpAddress.swagger2"),
               [](Json& document) { document.merge_patch(Json::parse(kStandardAddresses)); }));
  take(Amended(path("network-2016-09-01-virtualNetwork.swagger2"),
               [](Json& document) { document.merge_patch(Json::parse(kPrivateSubnets)); }));
  for (const char* const name :
       {"disk-2019-03-01.openapi3", "network-2016-09-01-networkInterface.swagger2",
        "network-2016-09-01-networkSecurityGroup.swagger2", "resources-2019-08-01.openapi3",
        "subscriptions-2015-11-01.swagger2"}) {
    take(ApiDescription::Load(path(name)));
  }
  take(ApiDescription::Parse(kMoreAzurePaths));
  return descriptions;
}

}  // namespace

FakeAzure::FakeAzure() {
  AddRoutes();
  NoRoute(NoSuch);
  std::vector<ApiDescription> descriptions = Descriptions();
  checked_ = !descriptions.empty();
  if (checked_) CheckRequests(FitsOneOf(std::move(descriptions)));
  Start();
}

FakeAzure::~FakeAzure() { Stop(); }

void FakeAzure::AddRoutes() {
  Add("GET", "", &FakeAzure::GetSubscription);
  Add("GET", "/locations", &FakeAzure::ListLocations);
  Add("GET", "/providers/{provider}", &FakeAzure::GetProvider);
  Add("POST", "/providers/{provider}/register", &FakeAzure::RegisterProvider);
  Add("GET", "/providers/Microsoft.Compute/skus", &FakeAzure::ListSkus);
  const std::string offers =
      "/providers/Microsoft.Compute/locations/{location}/publishers/"
      "{publisher}/artifacttypes/vmimage/offers";
  Add("GET", offers, &FakeAzure::ListOffers);
  Add("GET", offers + "/{offer}/skus", &FakeAzure::ListImageSkus);
  Add("GET", offers + "/{offer}/skus/{sku}/versions", &FakeAzure::ListVersions);
  Add("GET", "/resourcegroups", &FakeAzure::ListGroups);
  Add("GET", "/resourcegroups/{group}", &FakeAzure::GetGroup);
  Add("PUT", "/resourcegroups/{group}", &FakeAzure::PutGroup);
  Add("DELETE", "/resourcegroups/{group}", &FakeAzure::DeleteGroup);
  for (const char* const type :
       {"Microsoft.Network/virtualNetworks", "Microsoft.Network/networkSecurityGroups",
        "Microsoft.Network/publicIPAddresses", "Microsoft.Network/networkInterfaces",
        "Microsoft.Compute/disks", "Microsoft.Compute/images",
        "Microsoft.Compute/virtualMachines"}) {
    const std::string pattern = absl::StrCat(kInGroup, type, "/{name}");
    Add("GET", pattern, &FakeAzure::GetResource);
    Add("PUT", pattern, &FakeAzure::PutResource);
    Add("DELETE", pattern, &FakeAzure::DeleteResource);
  }
  Add("GET", "/providers/Microsoft.Compute/virtualMachines", &FakeAzure::ListMachines);
  for (const char* const verb : {"start", "restart", "deallocate", "powerOff"}) {
    Add("POST", absl::StrCat(kInGroup, "Microsoft.Compute/virtualMachines/{name}/", verb),
        &FakeAzure::Act);
  }
  Add("GET", "/operations/{operation}", &FakeAzure::GetOperation);
  Add("GET", "/results/{operation}", &FakeAzure::GetResult);
}

void FakeAzure::Add(absl::string_view method, absl::string_view pattern, Handler handler) {
  Route(method, absl::StrCat(kRoot, pattern),
        [this, handler](const Request& request) { return Authorized(request, handler); });
}

Response FakeAzure::Authorized(const Request& request, Handler handler) {
  absl::MutexLock lock(&mu_);
  if (request.captures[0] != kSubscription) {
    return Refuse(404, "SubscriptionNotFound",
                  absl::StrCat("The subscription '", request.captures[0], "' could not be found."));
  }
  if (request.Header("Authorization") != absl::StrCat("Bearer ", token_)) {
    Response refused = Refuse(401, "AuthenticationFailed", "Authentication failed.");
    refused.headers["WWW-Authenticate"] =
        absl::StrCat("Bearer authorization_uri=\"https://login.windows.net/", kTenant,
                     "\", error=\"invalid_token\", error_description=\"missing\"");
    return refused;
  }
  if (request.method == "GET") Tick();
  return (this->*handler)(request);
}

void FakeAzure::Tick() {
  std::vector<std::function<void()>> finished;
  for (auto& [id, operation] : operations_) {
    if (operation.reads_left > 0 && --operation.reads_left == 0) {
      finished.push_back(std::move(operation.finish));
    }
  }
  for (const auto& finish : finished) finish();
  for (auto& [provider, reads] : registrations_) {
    if (reads > 0) --reads;
  }
}

std::string FakeAzure::Begin(std::function<void()> finish, Json error) {
  const std::string id = absl::StrCat("op-", ++next_id_);
  operations_[id] = {pace_, std::move(error), std::move(finish)};
  return id;
}

std::string FakeAzure::UrlOf(absl::string_view kind, absl::string_view id) {
  const std::string host = std::exchange(mislead_, false) ? "https://192.0.2.1" : url();
  return absl::StrCat(host, "/subscriptions/", kSubscription, "/", kind, "/", id,
                      "?api-version=2024-07-01");
}

Response FakeAzure::GetSubscription(const Request&) {
  return Reply(200, {{"id", absl::StrCat("/subscriptions/", kSubscription)},
                     {"subscriptionId", kSubscription},
                     {"state", subscription_state_}});
}

Response FakeAzure::ListLocations(const Request&) { return Values(azure_catalog::Locations()); }

Response FakeAzure::GetProvider(const Request& request) {
  const auto it = registrations_.find(request.captures[1]);
  const bool done = it == registrations_.end() || it->second == 0;
  const bool begun = !done && it->second > 0;
  return Reply(200, {{"namespace", request.captures[1]},
                     {"registrationState", done    ? "Registered"
                                           : begun ? "Registering"
                                                   : "NotRegistered"}});
}

Response FakeAzure::RegisterProvider(const Request& request) {
  registrations_[request.captures[1]] = pace_ + 1;
  return Reply(200, {{"namespace", request.captures[1]}, {"registrationState", "Registering"}});
}

Response FakeAzure::ListSkus(const Request& request) {
  return Values(absl::StrContains(request.Query("$filter"), "westus") ? azure_catalog::Skus()
                                                                      : Json::array());
}

Response FakeAzure::ListOffers(const Request& request) {
  Json offers = Json::array();
  if (request.captures[2] != "Canonical") return Reply(200, offers);
  for (const auto& [offer, skus] : azure_catalog::Canonical()) offers.push_back({{"name", offer}});
  return Reply(200, offers);
}

Response FakeAzure::ListImageSkus(const Request& request) {
  const azure_catalog::Images images = azure_catalog::Canonical();
  const auto offer = images.find(request.captures[3]);
  if (offer == images.end()) return Refuse(404, "NotFound", "Artifact: VMImage was not found.");
  Json skus = Json::array();
  for (const auto& [sku, versions] : offer->second) skus.push_back({{"name", sku}});
  return Reply(200, skus);
}

Response FakeAzure::ListVersions(const Request& request) {
  const azure_catalog::Images images = azure_catalog::Canonical();
  const auto offer = images.find(request.captures[3]);
  if (request.captures[2] != "Canonical" || offer == images.end() ||
      !offer->second.contains(request.captures[4])) {
    return Refuse(404, "NotFound", "Artifact: VMImage was not found.");
  }
  Json versions = Json::array();
  for (const std::string& version : offer->second.at(request.captures[4])) {
    versions.push_back({{"name", version}});
  }
  return Reply(200, versions);
}

Response FakeAzure::ListGroups(const Request& request) {
  // "tagName eq 'NAME' and tagValue eq 'VALUE'", or nothing.
  const std::string filter = request.Query("$filter");
  const std::vector<std::string> words = absl::StrSplit(filter, '\'');
  if (!filter.empty() && (words.size() != 5 || words[0] != "tagName eq " ||
                          words[2] != " and tagValue eq " || !words[4].empty())) {
    return Refuse(400, "InvalidFilterInQueryString", "The filter is not understood.");
  }
  Json groups = Json::array();
  for (const auto& [key, group] : groups_) {
    const bool fits =
        filter.empty() || (group.contains("tags") && group["tags"].contains(words[1]) &&
                           group["tags"][words[1]] == words[3]);
    if (fits) groups.push_back(group);
  }
  return Values(groups);
}

bool FakeAzure::GroupShows(const std::string& group) {
  const std::string key = absl::AsciiStrToLower(group);
  return groups_.contains(key) && lag_.Read(key);
}

Response FakeAzure::GetGroup(const Request& request) {
  if (GroupShows(request.captures[1])) {
    return Reply(200, groups_[absl::AsciiStrToLower(request.captures[1])]);
  }
  return Refuse(404, "ResourceGroupNotFound",
                absl::StrCat("Resource group '", request.captures[1], "' could not be found."));
}

Response FakeAzure::PutGroup(const Request& request) {
  const std::string key = absl::AsciiStrToLower(request.captures[1]);
  Json group = Json::parse(request.body);
  const bool made = !groups_.contains(key);
  if (!made && groups_[key]["location"] != group["location"]) {
    return Refuse(409, "InvalidResourceGroupLocation", "It exists in another location.");
  }
  group["id"] =
      absl::StrCat("/subscriptions/", kSubscription, "/resourceGroups/", request.captures[1]);
  group["name"] = request.captures[1];
  group["properties"]["provisioningState"] = "Succeeded";
  groups_[key] = group;
  if (made) lag_.Born(key);
  return Reply(made ? 201 : 200, group);
}

Response FakeAzure::DeleteGroup(const Request& request) {
  const std::string key = absl::AsciiStrToLower(request.captures[1]);
  if (!groups_.contains(key)) {
    return Refuse(404, "ResourceGroupNotFound", "Resource group could not be found.");
  }
  groups_[key]["properties"]["provisioningState"] = "Deleting";
  const std::string id = Begin([this, key]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    groups_.erase(key);
    std::erase_if(resources_, [&](const auto& entry) {
      return absl::StartsWith(entry.first, absl::StrCat(key, "/"));
    });
  });
  Response accepted = {.status = 202, .body = ""};
  accepted.headers = {{"Location", UrlOf("results", id)}, {"Retry-After", "0"}};
  return accepted;
}

}  // namespace machine::fakes
