// What tests ask of the fake, and look at.
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/fakes/google/fake_google.h"

namespace machine::fakes {
namespace {

using Json = nlohmann::json;

constexpr char kUidLabel[] = "machine-uid";

std::vector<std::string> NamesOf(const std::map<std::string, Json>& things) {
  std::vector<std::string> names;
  for (const auto& [key, thing] : things) names.push_back(thing["name"]);
  return names;
}

}  // namespace

void FakeGoogle::SetToken(absl::string_view token) {
  absl::MutexLock lock(&mu_);
  token_ = std::string(token);
}

void FakeGoogle::SetLag(int reads) {
  absl::MutexLock lock(&mu_);
  lag_.Set(reads);
}

void FakeGoogle::SetPace(int reads) {
  absl::MutexLock lock(&mu_);
  pace_ = reads;
  for (auto& [name, operation] : operations_) operation.reads_left = reads;
}

void FakeGoogle::FailNextOperation(absl::string_view code, absl::string_view message) {
  absl::MutexLock lock(&mu_);
  next_failure_ = {{"code", std::string(code)}, {"message", std::string(message)}};
}

void FakeGoogle::RefuseMutations(absl::string_view reason, int times) {
  absl::MutexLock lock(&mu_);
  refusal_ = std::string(reason);
  refusals_left_ = times;
}

void FakeGoogle::SetUnreachable(absl::string_view zone) {
  absl::MutexLock lock(&mu_);
  unreachable_ = std::string(zone);
}

void FakeGoogle::ChangeFingerprintOnce() {
  absl::MutexLock lock(&mu_);
  change_fingerprint_ = true;
}

std::vector<std::string> FakeGoogle::InstanceNames() const {
  absl::MutexLock lock(&mu_);
  return NamesOf(instances_);
}

std::vector<std::string> FakeGoogle::DiskNames() const {
  absl::MutexLock lock(&mu_);
  return NamesOf(disks_);
}

std::vector<std::string> FakeGoogle::FirewallNames() const {
  absl::MutexLock lock(&mu_);
  return NamesOf(firewalls_);
}

std::vector<std::string> FakeGoogle::AddressNames() const {
  absl::MutexLock lock(&mu_);
  return NamesOf(addresses_);
}

Json FakeGoogle::InstanceNamed(absl::string_view name) const {
  absl::MutexLock lock(&mu_);
  for (const auto& [key, instance] : instances_) {
    if (instance["name"] == std::string(name)) return instance;
  }
  return Json();
}

Json FakeGoogle::LastCreate() const {
  absl::MutexLock lock(&mu_);
  return last_create_;
}

Json FakeGoogle::LastFirewall() const {
  absl::MutexLock lock(&mu_);
  return last_firewall_;
}

std::set<std::string> FakeGoogle::RequestIds() const {
  absl::MutexLock lock(&mu_);
  std::set<std::string> ids;
  for (const auto& [id, operation] : request_ids_) ids.insert(id);
  return ids;
}

void FakeGoogle::DestroyInstances(absl::string_view uid) {
  absl::MutexLock lock(&mu_);
  std::erase_if(instances_, [&](const auto& entry) {
    if (entry.second["labels"].value(kUidLabel, "") != std::string(uid)) return false;
    disks_.erase(entry.first);
    return true;
  });
}

void FakeGoogle::SetStatus(absl::string_view uid, absl::string_view status) {
  absl::MutexLock lock(&mu_);
  for (auto& [key, instance] : instances_) {
    if (instance["labels"].value(kUidLabel, "") == std::string(uid)) {
      instance["status"] = std::string(status);
    }
  }
}

void FakeGoogle::AddAddress(absl::string_view name, absl::string_view ip) {
  absl::MutexLock lock(&mu_);
  addresses_[std::string(name)] = {
      {"name", std::string(name)}, {"address", std::string(ip)}, {"status", "RESERVED"}};
}

void FakeGoogle::AddInstance(absl::string_view name, absl::string_view ssh_keys) {
  absl::MutexLock lock(&mu_);
  const std::string key = absl::StrCat("us-central1-a/", name);
  const Json item = {{"key", "ssh-keys"}, {"value", std::string(ssh_keys)}};
  const Json interface = {{"network", "projects/my-project/global/networks/default"},
                          {"accessConfigs", Json::array({Json::object()})}};
  instances_[key] = NewInstance("us-central1-a", {{"name", std::string(name)},
                                                  {"machineType", "n1-standard-1"},
                                                  {"labels", {{"team", "red"}}},
                                                  {"metadata", {{"items", Json::array({item})}}},
                                                  {"tags", {{"items", {"web"}}}},
                                                  {"networkInterfaces", Json::array({interface})}});
  Run(instances_[key]);
}

void FakeGoogle::AddMachines(int count) {
  absl::MutexLock lock(&mu_);
  for (int i = 0; i < count; ++i) {
    const std::string zone = i % 2 == 0 ? "us-central1-a" : "europe-west1-b";
    const std::string name = absl::StrCat("m-", i);
    const Json interface = {{"network", "projects/my-project/global/networks/default"},
                            {"accessConfigs", Json::array({Json::object()})}};
    Json instance =
        NewInstance(zone, {{"name", name},
                           {"machineType", "e2-micro"},
                           {"labels", {{"docker-machine", "yes"}, {kUidLabel, absl::StrCat(i)}}},
                           {"metadata", {{"items", Json::array()}}},
                           {"tags", {{"items", Json::array()}}},
                           {"networkInterfaces", Json::array({interface})}});
    Run(instance);
    instances_[absl::StrCat(zone, "/", name)] = std::move(instance);
  }
}

}  // namespace machine::fakes
