// What tests ask of the fake, and look at.
#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/fakes/azure/answers.h"
#include "tests/fakes/azure/fake_azure.h"

namespace machine::fakes {
namespace {

using Json = nlohmann::json;

constexpr char kUidTag[] = "machine-uid";
constexpr char kMachines[] = "/virtualmachines/";

std::string IdOf(absl::string_view group, absl::string_view type, absl::string_view name) {
  const bool compute = type == "virtualMachines" || type == "disks" || type == "images";
  return absl::StrCat("/subscriptions/", FakeAzure::kSubscription, "/resourceGroups/", group,
                      "/providers/Microsoft.", compute ? "Compute/" : "Network/", type, "/", name);
}

Json ResourceOf(absl::string_view group, absl::string_view type, absl::string_view name) {
  return {{"id", IdOf(group, type, name)},
          {"name", std::string(name)},
          {"location", "westus"},
          {"properties", {{"provisioningState", "Succeeded"}}}};
}

}  // namespace

void FakeAzure::SetToken(absl::string_view token) {
  absl::MutexLock lock(&mu_);
  token_ = std::string(token);
}

void FakeAzure::SetLag(int reads) {
  absl::MutexLock lock(&mu_);
  lag_.Set(reads);
}

void FakeAzure::SetPace(int reads) {
  absl::MutexLock lock(&mu_);
  pace_ = reads;
  for (auto& [id, operation] : operations_) {
    if (operation.reads_left > 0) operation.reads_left = reads;
  }
}

void FakeAzure::FailNextMachine(absl::string_view code, absl::string_view message) {
  absl::MutexLock lock(&mu_);
  next_failure_ = azure_answers::ErrorOf(code, message);
}

void FakeAzure::MisleadNext() {
  absl::MutexLock lock(&mu_);
  mislead_ = true;
}

void FakeAzure::SetSubscriptionState(absl::string_view state) {
  absl::MutexLock lock(&mu_);
  subscription_state_ = std::string(state);
}

void FakeAzure::Unregister(absl::string_view provider) {
  absl::MutexLock lock(&mu_);
  registrations_[std::string(provider)] = -1;
}

std::vector<std::string> FakeAzure::ResourceNames() const {
  absl::MutexLock lock(&mu_);
  std::vector<std::string> names;
  for (const auto& [key, resource] : resources_) names.push_back(key);
  return names;
}

std::vector<std::string> FakeAzure::GroupNames() const {
  absl::MutexLock lock(&mu_);
  std::vector<std::string> names;
  for (const auto& [key, group] : groups_) names.push_back(group["name"]);
  return names;
}

std::vector<std::string> FakeAzure::MachineNames() const {
  absl::MutexLock lock(&mu_);
  std::vector<std::string> names;
  for (const auto& [key, resource] : resources_) {
    if (absl::StrContains(key, kMachines)) names.push_back(resource["name"]);
  }
  return names;
}

Json FakeAzure::LastPut(absl::string_view type) const {
  absl::MutexLock lock(&mu_);
  const auto it = last_puts_.find(absl::AsciiStrToLower(type));
  return it == last_puts_.end() ? Json() : it->second;
}

Json* FakeAzure::MachineOf(absl::string_view uid) {
  for (auto& [key, resource] : resources_) {
    if (absl::StrContains(key, kMachines) &&
        resource.value("tags", Json::object()).value(kUidTag, "") == std::string(uid)) {
      return &resource;
    }
  }
  return nullptr;
}

void FakeAzure::DestroyMachines(absl::string_view uid) {
  absl::MutexLock lock(&mu_);
  if (Json* const machine = MachineOf(uid); machine != nullptr) {
    resources_.erase(azure_answers::KeyOf(std::string((*machine)["id"])));
  }
}

void FakeAzure::SetPower(absl::string_view uid, absl::string_view power) {
  absl::MutexLock lock(&mu_);
  if (Json* const machine = MachineOf(uid); machine != nullptr) {
    (*machine)["power"] = std::string(power);
  }
}

void FakeAzure::SetProvisioning(absl::string_view uid, absl::string_view state) {
  absl::MutexLock lock(&mu_);
  if (Json* const machine = MachineOf(uid); machine != nullptr) {
    (*machine)["properties"]["provisioningState"] = std::string(state);
  }
}

void FakeAzure::AddGroup(absl::string_view name, absl::string_view location) {
  absl::MutexLock lock(&mu_);
  groups_[absl::AsciiStrToLower(name)] = {{"name", std::string(name)},
                                          {"location", std::string(location)},
                                          {"properties", {{"provisioningState", "Succeeded"}}}};
}

void FakeAzure::AddNetwork(absl::string_view group, absl::string_view name,
                           absl::string_view subnet) {
  absl::MutexLock lock(&mu_);
  Json network = ResourceOf(group, "virtualNetworks", name);
  network["properties"]["subnets"] = Json::array({{{"name", std::string(subnet)}}});
  resources_[azure_answers::KeyOf(IdOf(group, "virtualNetworks", name))] = std::move(network);
}

void FakeAzure::AddForeign(absl::string_view group, absl::string_view type,
                           absl::string_view name) {
  absl::MutexLock lock(&mu_);
  resources_[azure_answers::KeyOf(IdOf(group, type, name))] = ResourceOf(group, type, name);
}

void FakeAzure::AddMachines(const std::vector<std::string>& uids) {
  absl::MutexLock lock(&mu_);
  for (const std::string& uid : uids) {
    const std::string group = absl::StrCat("machine-uid-", uid);
    const std::string name = absl::StrCat("dev-", uid.substr(0, 8));
    Json machine = ResourceOf(group, "virtualMachines", name);
    machine["tags"] = {{kUidTag, uid}, {"docker-machine", "yes"}};
    machine["power"] = "running";
    resources_[azure_answers::KeyOf(IdOf(group, "virtualMachines", name))] = std::move(machine);
  }
}

}  // namespace machine::fakes
