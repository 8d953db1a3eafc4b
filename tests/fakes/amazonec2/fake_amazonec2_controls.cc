// What tests set, and what they look at.
#include <iterator>

#include "absl/strings/str_cat.h"
#include "tests/fakes/amazonec2/fake_amazonec2.h"

namespace machine::fakes {
namespace {

constexpr char kUidTag[] = "docker-machine-uid";

}  // namespace

void FakeAmazonEc2::SetLag(int reads) {
  absl::MutexLock lock(&mu_);
  lag_.Set(reads);
}

void FakeAmazonEc2::SetPace(int reads) {
  absl::MutexLock lock(&mu_);
  pace_ = reads;
}

void FakeAmazonEc2::IgnoreShutdown(bool ignore) {
  absl::MutexLock lock(&mu_);
  ignore_shutdown_ = ignore;
}

void FakeAmazonEc2::FailNextLaunch() {
  absl::MutexLock lock(&mu_);
  fail_next_launch_ = true;
}

void FakeAmazonEc2::SetQuota(int instances) {
  absl::MutexLock lock(&mu_);
  quota_ = instances;
}

void FakeAmazonEc2::ForbidSsm() {
  absl::MutexLock lock(&mu_);
  forbid_ssm_ = true;
}

void FakeAmazonEc2::WithdrawType(absl::string_view type) {
  absl::MutexLock lock(&mu_);
  withdrawn_.emplace(type);
}

std::vector<std::string> FakeAmazonEc2::InstanceIds() const {
  absl::MutexLock lock(&mu_);
  std::vector<std::string> ids;
  for (const auto& [id, instance] : instances_) {
    if (instance.state != "terminated") ids.push_back(id);
  }
  return ids;
}

Form FakeAmazonEc2::LastRun() const {
  absl::MutexLock lock(&mu_);
  return last_run_;
}

std::vector<std::string> FakeAmazonEc2::KeyNames() const {
  absl::MutexLock lock(&mu_);
  std::vector<std::string> names;
  for (const auto& [name, tags] : keys_) names.push_back(name);
  return names;
}

std::vector<std::string> FakeAmazonEc2::GroupNames() const {
  absl::MutexLock lock(&mu_);
  std::vector<std::string> names;
  for (const auto& [id, group] : groups_) {
    if (group.name != "default") names.push_back(group.name);
  }
  return names;
}

std::set<std::string> FakeAmazonEc2::RulesOf(absl::string_view group_name) const {
  absl::MutexLock lock(&mu_);
  for (const auto& [id, group] : groups_) {
    if (group.name == group_name) return group.rules;
  }
  return {};
}

std::vector<std::string> FakeAmazonEc2::OpenSpotRequests() const {
  absl::MutexLock lock(&mu_);
  std::vector<std::string> ids;
  for (const auto& [id, spot] : spot_requests_) {
    if (spot.state == "open" || spot.state == "active") ids.push_back(id);
  }
  return ids;
}

std::vector<std::string> FakeAmazonEc2::Volumes() const {
  absl::MutexLock lock(&mu_);
  std::vector<std::string> ids;
  for (const auto& [id, tags] : volumes_) ids.push_back(id);
  return ids;
}

void FakeAmazonEc2::Terminate(absl::string_view uid) { SetState(uid, "terminated"); }

void FakeAmazonEc2::SetState(absl::string_view uid, absl::string_view state) {
  absl::MutexLock lock(&mu_);
  for (auto& [id, instance] : instances_) {
    if (instance.tags[kUidTag] != uid) continue;
    instance.state = std::string(state);
    instance.goal = instance.state;
  }
}

void FakeAmazonEc2::Interrupt(absl::string_view uid) {
  SetState(uid, "terminated");
  absl::MutexLock lock(&mu_);
  for (auto& [id, instance] : instances_) {
    if (instance.tags[kUidTag] != uid || instance.spot_request.empty()) continue;
    instance.interrupted = true;
    spot_requests_[instance.spot_request].state = "closed";
  }
}

void FakeAmazonEc2::AddKey(absl::string_view name) {
  absl::MutexLock lock(&mu_);
  keys_[std::string(name)] = {};
}

void FakeAmazonEc2::AddGroup(absl::string_view name) {
  absl::MutexLock lock(&mu_);
  groups_[absl::StrCat("sg-", ++next_id_)] = {.name = std::string(name), .vpc = "vpc-default"};
}

void FakeAmazonEc2::AddVolume(absl::string_view uid) {
  absl::MutexLock lock(&mu_);
  volumes_[absl::StrCat("vol-", ++next_id_)] = {{kUidTag, std::string(uid)}};
}

void FakeAmazonEc2::AddInstances(int count) {
  absl::MutexLock lock(&mu_);
  for (int i = 0; i < count; ++i) {
    Instance& instance = instances_[absl::StrCat("i-0", ++next_id_)];
    instance.number = next_id_;
    instance.state = "running";
    instance.run = {{"NetworkInterface.1.AssociatePublicIpAddress", "true"}};
    instance.tags = {{"docker-machine", ""}, {kUidTag, absl::StrCat(i)}};
  }
}

}  // namespace machine::fakes
