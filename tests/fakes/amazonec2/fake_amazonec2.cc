// Longer than others: the actions of one API, which share its state and its table.
#include "tests/fakes/amazonec2/fake_amazonec2.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "tests/fakes/amazonec2/more_actions.h"
#include "tests/fakes/openapi/description.h"

namespace machine::fakes {
namespace {

constexpr char kVpc[] = "vpc-default";
constexpr char kDescription[] = "/amazonec2/ec2-2016-11-15.service-2.subset.json";

absl::Status Refusal(absl::string_view code, absl::string_view words) {
  return absl::InvalidArgumentError(absl::StrCat(code, ": ", words));
}

std::string Escaped(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}});
}

std::string El(absl::string_view name, absl::string_view text) {
  return absl::StrCat("<", name, ">", Escaped(text), "</", name, ">");
}

// An element around others.
std::string In(absl::string_view name, absl::string_view inside) {
  return absl::StrCat("<", name, ">", inside, "</", name, ">");
}

Response ErrorAnswer(int status, absl::string_view code, absl::string_view words) {
  return {.status = status,
          .body = absl::StrCat(
              "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
              In("Response", In("Errors", In("Error", El("Code", code) + El("Message", words))))),
          .content_type = "text/xml"};
}

std::string Get(const Form& form, const std::string& name) {
  const auto it = form.find(name);
  return it == form.end() ? "" : it->second;
}

// The values of "PREFIX.1", "PREFIX.2", ….
std::vector<std::string> ListIn(const Form& form, absl::string_view prefix) {
  std::vector<std::string> values;
  for (int i = 1; form.contains(absl::StrCat(prefix, ".", i)); ++i) {
    values.push_back(form.at(absl::StrCat(prefix, ".", i)));
  }
  return values;
}

std::map<std::string, std::string> TagsIn(const Form& form, absl::string_view resource) {
  std::map<std::string, std::string> tags;
  for (int i = 1; form.contains(absl::StrCat("TagSpecification.", i, ".ResourceType")); ++i) {
    const std::string spec = absl::StrCat("TagSpecification.", i, ".");
    if (form.at(spec + "ResourceType") != resource) continue;
    for (int t = 1; form.contains(absl::StrCat(spec, "Tag.", t, ".Key")); ++t) {
      tags[form.at(absl::StrCat(spec, "Tag.", t, ".Key"))] =
          Get(form, absl::StrCat(spec, "Tag.", t, ".Value"));
    }
  }
  return tags;
}

using Fields = std::multimap<std::string, std::string>;

Fields TagFields(const std::map<std::string, std::string>& tags) {
  Fields fields;
  for (const auto& [key, value] : tags) {
    fields.emplace("tag-key", key);
    fields.emplace("tag:" + key, value);
  }
  return fields;
}

bool Passes(const Form& form, const Fields& fields) {
  for (int i = 1; form.contains(absl::StrCat("Filter.", i, ".Name")); ++i) {
    const auto [begin, end] = fields.equal_range(form.at(absl::StrCat("Filter.", i, ".Name")));
    const std::vector<std::string> wanted = ListIn(form, absl::StrCat("Filter.", i, ".Value"));
    const bool some = std::any_of(begin, end, [&](const auto& field) {
      return std::find(wanted.begin(), wanted.end(), field.second) != wanted.end();
    });
    if (!some) return false;
  }
  return true;
}

std::string TagSet(const std::map<std::string, std::string>& tags) {
  std::string items;
  for (const auto& [key, value] : tags) {
    absl::StrAppend(&items, In("item", El("key", key) + El("value", value)));
  }
  return In("tagSet", items);
}

struct Type {
  const char* name;
  const char* architecture;
  /// The only zone that has it; null for all.
  const char* zone;
};
constexpr Type kTypes[] = {{"t2.micro", "x86_64", nullptr},
                           {"t3.micro", "x86_64", nullptr},
                           {"t4g.micro", "arm64", nullptr},
                           {"m5.large", "x86_64", "us-east-1b"}};

struct Image {
  const char* id;
  const char* architecture;
  const char* root_device;
  /// Of Canonical's 24.04.
  bool ubuntu;
  const char* created;
};
constexpr Image kImages[] = {
    {"ami-0ubuntu2", "x86_64", "/dev/sda1", true, "2026-11-01T00:00:00.000Z"},
    {"ami-0ubuntu1", "x86_64", "/dev/sda1", true, "2026-05-01T00:00:00.000Z"},
    {"ami-0arm", "arm64", "/dev/sda1", true, "2026-11-01T00:00:00.000Z"},
    {"ami-0custom", "x86_64", "/dev/xvda", false, "2025-01-01T00:00:00.000Z"}};

struct Subnet {
  const char* id;
  const char* vpc;
  const char* zone;
  bool is_default;
};
constexpr Subnet kSubnets[] = {{"subnet-b", kVpc, "us-east-1b", true},
                               {"subnet-a2", kVpc, "us-east-1a", false},
                               {"subnet-a", kVpc, "us-east-1a", true},
                               {"subnet-other", "vpc-other", "us-east-1a", false}};

}  // namespace

FakeAmazonEc2::FakeAmazonEc2() {
  actions_ = {{"DescribeRegions", &FakeAmazonEc2::DescribeRegions},
              {"DescribeInstanceTypes", &FakeAmazonEc2::DescribeInstanceTypes},
              {"DescribeInstanceTypeOfferings", &FakeAmazonEc2::DescribeOfferings},
              {"DescribeImages", &FakeAmazonEc2::DescribeImages},
              {"DescribeVpcs", &FakeAmazonEc2::DescribeVpcs},
              {"DescribeSubnets", &FakeAmazonEc2::DescribeSubnets},
              {"DescribeKeyPairs", &FakeAmazonEc2::DescribeKeyPairs},
              {"ImportKeyPair", &FakeAmazonEc2::ImportKeyPair},
              {"DeleteKeyPair", &FakeAmazonEc2::DeleteKeyPair},
              {"DescribeSecurityGroups", &FakeAmazonEc2::DescribeGroups},
              {"CreateSecurityGroup", &FakeAmazonEc2::CreateGroup},
              {"AuthorizeSecurityGroupIngress", &FakeAmazonEc2::AuthorizeIngress},
              {"DeleteSecurityGroup", &FakeAmazonEc2::DeleteGroup},
              {"DescribeInstances", &FakeAmazonEc2::DescribeInstances},
              {"RunInstances", &FakeAmazonEc2::RunInstances},
              {"StartInstances", &FakeAmazonEc2::StartInstances},
              {"StopInstances", &FakeAmazonEc2::StopInstances},
              {"RebootInstances", &FakeAmazonEc2::RebootInstances},
              {"TerminateInstances", &FakeAmazonEc2::TerminateInstances},
              {"DescribeSpotInstanceRequests", &FakeAmazonEc2::DescribeSpot},
              {"CancelSpotInstanceRequests", &FakeAmazonEc2::CancelSpot},
              {"DescribeVolumes", &FakeAmazonEc2::DescribeVolumes},
              {"DeleteVolume", &FakeAmazonEc2::DeleteVolume}};
  groups_["sg-default"] = {.name = "default", .vpc = kVpc};
  if (const auto folder = DescriptionsFolder(); folder.has_value()) {
    for (auto model :
         {ServiceModel::Load(*folder + kDescription), ServiceModel::Parse(kMoreEc2Actions)}) {
      EXPECT_TRUE(model.ok()) << model.status();
      if (model.ok()) models_.push_back(*std::move(model));
    }
    checked_ = models_.size() == 2;
    if (checked_) CheckRequests([this](const Request& request) { return CheckRequest(request); });
  }
  Route("POST", "/", [this](const Request& request) { return Serve(request); });
  SplitRoutesBy([](const Request& request) {
    const std::string target = request.Header("X-Amz-Target");
    return target.empty() ? Get(ParseForm(request.body), "Action") : target;
  });
  Throttle([](const Fault&) {
    return ErrorAnswer(503, "RequestLimitExceeded", "Request limit exceeded.");
  });
  Fail([](const Fault& fault) {
    return ErrorAnswer(fault.status, "InternalError", "An internal error has occurred");
  });
  Start();
}

FakeAmazonEc2::~FakeAmazonEc2() { Stop(); }

absl::Status FakeAmazonEc2::CheckRequest(const Request& request) const {
  if (!request.Header("X-Amz-Target").empty()) return absl::OkStatus();
  const Form form = ParseForm(request.body);
  if (Get(form, "Version") != "2016-11-15") return absl::InvalidArgumentError("another version");
  for (const ServiceModel& model : models_) {
    if (model.Knows(form)) return model.Check(form);
  }
  return absl::InvalidArgumentError(absl::StrCat("no action ", Get(form, "Action")));
}

Response FakeAmazonEc2::Serve(const Request& request) {
  const std::string authorization = request.Header("Authorization");
  const bool is_ssm = !request.Header("X-Amz-Target").empty();
  if (!absl::StartsWith(authorization,
                        absl::StrCat("AWS4-HMAC-SHA256 Credential=", kAccessKey, "/")) ||
      !absl::StrContains(authorization, is_ssm ? "/ssm/aws4_request" : "/ec2/aws4_request")) {
    return ErrorAnswer(401, "AuthFailure",
                       "AWS was not able to validate the provided access credentials");
  }
  absl::MutexLock lock(&mu_);
  if (is_ssm) return GetParameter(request);
  const Form form = ParseForm(request.body);
  const std::string action = Get(form, "Action");
  const auto handler = actions_.find(action);
  if (handler == actions_.end()) return ErrorAnswer(400, "InvalidAction", action);
  const Answer answer = (this->*handler->second)(form);
  if (answer.ok()) {
    return {.body = absl::StrCat("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
                                 In(action + "Response", El("requestId", "r") + *answer)),
            .content_type = "text/xml;charset=UTF-8"};
  }
  const std::string words(answer.status().message());
  const size_t colon = words.find(": ");
  return ErrorAnswer(400, words.substr(0, colon), words.substr(colon + 2));
}

Response FakeAmazonEc2::GetParameter(const Request& request) {
  if (forbid_ssm_) {
    return {.status = 400, .body = R"({"__type":"AccessDeniedException","Message":"no"})"};
  }
  const bool arm = absl::StrContains(request.body, "/arm64/");
  if (!absl::StrContains(request.body, "/aws/service/canonical/ubuntu/server/24.04/stable/")) {
    return {.status = 400, .body = R"({"__type":"ParameterNotFound"})"};
  }
  return {.body = absl::StrCat(R"({"Parameter":{"Type":"String","Value":")",
                               arm ? "ami-0arm" : "ami-0ubuntu2", "\"}}")};
}

FakeAmazonEc2::Answer FakeAmazonEc2::DescribeRegions(const Form&) {
  std::string items;
  for (const char* const name : {"us-east-1", "eu-central-1"}) {
    absl::StrAppend(&items, In("item", El("regionName", name)));
  }
  return In("regionInfo", items);
}

FakeAmazonEc2::Answer FakeAmazonEc2::DescribeInstanceTypes(const Form& form) {
  std::string items;
  for (const std::string& wanted : ListIn(form, "InstanceType")) {
    const auto* const type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                          [&](const Type& each) { return each.name == wanted; });
    if (type == std::end(kTypes) || withdrawn_.contains(wanted)) {
      return Refusal("InvalidInstanceType", absl::StrCat("[", wanted, "] do not exist"));
    }
    absl::StrAppend(
        &items, In("item", El("instanceType", wanted) +
                               In("processorInfo",
                                  In("supportedArchitectures", In("item", type->architecture)))));
  }
  return In("instanceTypeSet", items);
}

FakeAmazonEc2::Answer FakeAmazonEc2::DescribeOfferings(const Form& form) {
  std::string items;
  for (const Type& type : kTypes) {
    if (withdrawn_.contains(type.name)) continue;
    Fields fields = {{"instance-type", type.name}};
    for (const char* const zone : {"us-east-1a", "us-east-1b"}) {
      if (type.zone == nullptr || std::string(type.zone) == zone) fields.emplace("location", zone);
    }
    if (Passes(form, fields)) {
      absl::StrAppend(&items, In("item", El("instanceType", type.name)));
    }
  }
  return In("instanceTypeOfferingSet", items);
}

FakeAmazonEc2::Answer FakeAmazonEc2::DescribeImages(const Form& form) {
  const std::vector<std::string> ids = ListIn(form, "ImageId");
  const bool by_name = !Get(form, "Owner.1").empty();
  const bool for_arm = absl::StrContains(Get(form, "Filter.1.Value.1"), "arm64");
  std::string items;
  for (const Image& image : kImages) {
    const bool is_arm = std::string(image.architecture) == "arm64";
    const bool wanted = by_name ? image.ubuntu && is_arm == for_arm
                                : std::find(ids.begin(), ids.end(), image.id) != ids.end();
    if (!wanted) continue;
    absl::StrAppend(&items,
                    In("item", El("imageId", image.id) + El("architecture", image.architecture) +
                                   El("rootDeviceName", image.root_device) +
                                   El("creationDate", image.created)));
  }
  if (!by_name && items.empty()) return Refusal("InvalidAMIID.NotFound", "no such image");
  return In("imagesSet", items);
}

FakeAmazonEc2::Answer FakeAmazonEc2::DescribeVpcs(const Form& form) {
  std::string items;
  for (const auto& [id, is_default] : {std::pair(kVpc, "true"), std::pair("vpc-other", "false")}) {
    if (!Passes(form, {{"isDefault", is_default}})) continue;
    absl::StrAppend(&items, In("item", El("vpcId", id) + El("isDefault", is_default)));
  }
  return In("vpcSet", items);
}

FakeAmazonEc2::Answer FakeAmazonEc2::DescribeSubnets(const Form& form) {
  std::string items;
  for (const Subnet& subnet : kSubnets) {
    if (!Passes(form, {{"vpc-id", subnet.vpc}, {"availability-zone", subnet.zone}})) continue;
    absl::StrAppend(&items,
                    In("item", El("subnetId", subnet.id) + El("vpcId", subnet.vpc) +
                                   El("availabilityZone", subnet.zone) +
                                   El("defaultForAz", subnet.is_default ? "true" : "false")));
  }
  return In("subnetSet", items);
}

FakeAmazonEc2::Answer FakeAmazonEc2::DescribeKeyPairs(const Form& form) {
  std::string items;
  for (const auto& [name, tags] : keys_) {
    if (!Passes(form, {{"key-name", name}}) || !lag_.Read("key " + name)) continue;
    absl::StrAppend(&items, In("item", El("keyName", name)));
  }
  return In("keySet", items);
}

FakeAmazonEc2::Answer FakeAmazonEc2::ImportKeyPair(const Form& form) {
  const std::string name = form.at("KeyName");
  std::string key;
  if (!absl::Base64Unescape(form.at("PublicKeyMaterial"), &key) || !absl::StartsWith(key, "ssh-")) {
    return Refusal("InvalidKey.Format", "Key is not in valid OpenSSH public key format");
  }
  if (keys_.contains(name)) return Refusal("InvalidKeyPair.Duplicate", "already exists");
  keys_[name] = TagsIn(form, "key-pair");
  lag_.Born("key " + name);
  return El("keyName", name);
}

FakeAmazonEc2::Answer FakeAmazonEc2::DeleteKeyPair(const Form& form) {
  keys_.erase(Get(form, "KeyName"));
  return El("return", "true");
}

FakeAmazonEc2::Answer FakeAmazonEc2::DescribeGroups(const Form& form) {
  std::string items;
  for (const auto& [id, group] : groups_) {
    Fields fields = TagFields(group.tags);
    fields.emplace("group-name", group.name);
    fields.emplace("vpc-id", group.vpc);
    if (!Passes(form, fields) || !lag_.Read(id)) continue;
    absl::StrAppend(&items, In("item", El("groupId", id) + El("groupName", group.name) +
                                           El("vpcId", group.vpc)));
  }
  return In("securityGroupInfo", items);
}

FakeAmazonEc2::Answer FakeAmazonEc2::CreateGroup(const Form& form) {
  for (const auto& [id, group] : groups_) {
    if (group.name == form.at("GroupName") && group.vpc == Get(form, "VpcId")) {
      return Refusal("InvalidGroup.Duplicate", "already exists");
    }
  }
  const std::string id = absl::StrCat("sg-", ++next_id_);
  groups_[id] = {.name = form.at("GroupName"),
                 .vpc = Get(form, "VpcId"),
                 .tags = TagsIn(form, "security-group")};
  lag_.Born(id);
  return El("groupId", id);
}

FakeAmazonEc2::Answer FakeAmazonEc2::AuthorizeIngress(const Form& form) {
  const auto group = groups_.find(Get(form, "GroupId"));
  if (group == groups_.end() || !lag_.Read(group->first)) {
    return Refusal("InvalidGroup.NotFound", "does not exist");
  }
  const std::string v4 = Get(form, "IpPermissions.1.IpRanges.1.CidrIp");
  const std::string v6 = Get(form, "IpPermissions.1.Ipv6Ranges.1.CidrIpv6");
  const bool is_new =
      group->second.rules
          .insert(absl::StrCat(Get(form, "IpPermissions.1.FromPort"), " from ", v4, v6))
          .second;
  if (!is_new) return Refusal("InvalidPermission.Duplicate", "already exists");
  return El("return", "true");
}

FakeAmazonEc2::Answer FakeAmazonEc2::DeleteGroup(const Form& form) {
  const std::string id = Get(form, "GroupId");
  for (const auto& [name, instance] : instances_) {
    const auto& groups = instance.groups;
    if (instance.state != "terminated" &&
        std::find(groups.begin(), groups.end(), id) != groups.end()) {
      return Refusal("DependencyViolation", "has a dependent object");
    }
  }
  if (groups_.erase(id) == 0) return Refusal("InvalidGroup.NotFound", "does not exist");
  return El("return", "true");
}

void FakeAmazonEc2::Advance(Instance& instance) {
  if (instance.state == instance.goal || instance.reads_left-- > 0) return;
  instance.state = instance.goal;
}

std::string FakeAmazonEc2::Show(const std::string& id, const Instance& instance) const {
  const std::string tail =
      absl::StrCat(instance.number / 250 % 250, ".", instance.number % 250 + 1);
  const bool is_public = Get(instance.run, "NetworkInterface.1.AssociatePublicIpAddress") == "true";
  std::string zone = "us-east-1a";
  for (const Subnet& subnet : kSubnets) {
    if (Get(instance.run, "NetworkInterface.1.SubnetId") == subnet.id) zone = subnet.zone;
  }
  std::string inside =
      absl::StrCat(El("instanceId", id), El("imageId", Get(instance.run, "ImageId")),
                   In("instanceState", El("code", "0") + El("name", instance.state)),
                   El("instanceType", Get(instance.run, "InstanceType")),
                   El("keyName", Get(instance.run, "KeyName")),
                   In("placement", El("availabilityZone", zone)), TagSet(instance.tags));
  if (instance.state != "terminated")
    absl::StrAppend(&inside, El("privateIpAddress", "10.0." + tail));
  if (instance.state == "running" && is_public) {
    absl::StrAppend(&inside, El("ipAddress", "198.51." + tail));
  }
  if (!instance.spot_request.empty()) {
    absl::StrAppend(&inside, El("spotInstanceRequestId", instance.spot_request),
                    El("instanceLifecycle", "spot"));
  }
  if (instance.interrupted) {
    absl::StrAppend(&inside, In("stateReason", El("code", "Server.SpotInstanceTermination") +
                                                   El("message", "Spot instance termination")));
  }
  if (instance.fails) {
    absl::StrAppend(&inside, In("stateReason", El("message", "Client.VolumeLimitExceeded")));
  }
  return inside;
}

FakeAmazonEc2::Fields FakeAmazonEc2::FieldsOf(const std::string& id,
                                              const Instance& instance) const {
  Fields fields = TagFields(instance.tags);
  fields.emplace("instance-id", id);
  fields.emplace("instance-state-name", instance.state);
  return fields;
}

FakeAmazonEc2::Answer FakeAmazonEc2::DescribeInstances(const Form& form) {
  size_t size = 1000;
  size_t begin = 0;
  if (!Get(form, "MaxResults").empty() && !absl::SimpleAtoi(form.at("MaxResults"), &size)) size = 5;
  if (!Get(form, "NextToken").empty() && !absl::SimpleAtoi(form.at("NextToken"), &begin)) {
    return Refusal("InvalidNextToken", "invalid");
  }
  std::string items;
  size_t seen = 0;
  bool more = false;
  for (auto& [id, instance] : instances_) {
    if (!Passes(form, FieldsOf(id, instance)) || !lag_.Read(id)) continue;
    Advance(instance);
    if (!Passes(form, FieldsOf(id, instance))) continue;
    if (seen >= begin && seen < begin + size) {
      absl::StrAppend(&items, In("item", In("instancesSet", In("item", Show(id, instance)))));
    }
    more = ++seen > begin + size;
  }
  return In("reservationSet", items) + (more ? El("nextToken", absl::StrCat(begin + size)) : "");
}

absl::Status FakeAmazonEc2::CheckLaunch(const Form& form) const {
  const std::string key = Get(form, "KeyName");
  if (!key.empty() && !keys_.contains(key)) {
    return Refusal("InvalidKeyPair.NotFound", "no such key pair");
  }
  for (const std::string& group : ListIn(form, "NetworkInterface.1.SecurityGroupId")) {
    if (!groups_.contains(group)) return Refusal("InvalidGroup.NotFound", "does not exist");
  }
  const size_t alive = std::count_if(instances_.begin(), instances_.end(), [](const auto& entry) {
    return entry.second.state != "terminated";
  });
  if (static_cast<int>(alive) >= quota_) {
    return Refusal("VcpuLimitExceeded", "You have requested more vCPU capacity than your limit");
  }
  return absl::OkStatus();
}

FakeAmazonEc2::Answer FakeAmazonEc2::RunInstances(const Form& form) {
  const std::string token = Get(form, "ClientToken");
  if (const auto known = tokens_.find(token); known != tokens_.end()) {
    const Instance& instance = instances_.at(known->second);
    if (instance.run != form) {
      return Refusal("IdempotentParameterMismatch", "the token was used with other parameters");
    }
    return In("instancesSet", In("item", Show(known->second, instance)));
  }
  if (const absl::Status status = CheckLaunch(form); !status.ok()) return status;
  const std::string id = absl::StrCat("i-0", ++next_id_);
  Instance& instance = instances_[id];
  instance.number = next_id_;
  instance.run = form;
  instance.reads_left = pace_;
  instance.tags = TagsIn(form, "instance");
  instance.groups = ListIn(form, "NetworkInterface.1.SecurityGroupId");
  instance.fails = std::exchange(fail_next_launch_, false);
  if (instance.fails) instance.goal = "terminated";
  if (Get(form, "InstanceMarketOptions.MarketType") == "spot") {
    instance.spot_request = absl::StrCat("sir-", next_id_);
    spot_requests_[instance.spot_request] = {.tags = TagsIn(form, "spot-instances-request")};
  }
  if (!token.empty()) tokens_[token] = id;
  lag_.Born(id);
  last_run_ = form;
  return In("instancesSet", In("item", Show(id, instance)));
}

FakeAmazonEc2::Instance* FakeAmazonEc2::Known(const Form& form) {
  const auto it = instances_.find(Get(form, "InstanceId.1"));
  return it == instances_.end() ? nullptr : &it->second;
}

FakeAmazonEc2::Answer FakeAmazonEc2::StartInstances(const Form& form) {
  Instance* const instance = Known(form);
  if (instance == nullptr) return Refusal("InvalidInstanceID.NotFound", "does not exist");
  if (instance->state != "stopped" && instance->state != "running") {
    return Refusal("IncorrectInstanceState", "not in a state from which it can be started");
  }
  instance->goal = "running";
  if (instance->state == "stopped") instance->state = "pending";
  instance->reads_left = pace_;
  return El("return", "true");
}

FakeAmazonEc2::Answer FakeAmazonEc2::StopInstances(const Form& form) {
  Instance* const instance = Known(form);
  if (instance == nullptr) return Refusal("InvalidInstanceID.NotFound", "does not exist");
  if (!instance->spot_request.empty()) {
    return Refusal("UnsupportedOperation", "You can't stop the Spot Instance");
  }
  if (instance->state == "stopped") return El("return", "true");
  if (instance->state != "running" && instance->state != "stopping") {
    return Refusal("IncorrectInstanceState", "not in a state from which it can be stopped");
  }
  instance->state = "stopping";
  const bool obeys = Get(form, "Force") == "true" || !ignore_shutdown_;
  instance->goal = obeys ? "stopped" : "stopping";
  instance->reads_left = pace_;
  return El("return", "true");
}

FakeAmazonEc2::Answer FakeAmazonEc2::RebootInstances(const Form& form) {
  if (Known(form) == nullptr) return Refusal("InvalidInstanceID.NotFound", "does not exist");
  return El("return", "true");
}

FakeAmazonEc2::Answer FakeAmazonEc2::TerminateInstances(const Form& form) {
  Instance* const instance = Known(form);
  if (instance == nullptr) return Refusal("InvalidInstanceID.NotFound", "does not exist");
  if (instance->state != "terminated") {
    instance->state = "shutting-down";
    instance->goal = "terminated";
    instance->reads_left = pace_;
  }
  return El("return", "true");
}

FakeAmazonEc2::Answer FakeAmazonEc2::DescribeSpot(const Form& form) {
  std::string items;
  for (const auto& [id, spot] : spot_requests_) {
    Fields fields = TagFields(spot.tags);
    fields.emplace("state", spot.state);
    if (!Passes(form, fields)) continue;
    absl::StrAppend(&items, In("item", El("spotInstanceRequestId", id) + El("state", spot.state)));
  }
  return In("spotInstanceRequestSet", items);
}

FakeAmazonEc2::Answer FakeAmazonEc2::CancelSpot(const Form& form) {
  const auto spot = spot_requests_.find(Get(form, "SpotInstanceRequestId.1"));
  if (spot == spot_requests_.end()) {
    return Refusal("InvalidSpotInstanceRequestID.NotFound", "does not exist");
  }
  spot->second.state = "cancelled";
  return El("return", "true");
}

FakeAmazonEc2::Answer FakeAmazonEc2::DescribeVolumes(const Form& form) {
  std::string items;
  for (const auto& [id, tags] : volumes_) {
    Fields fields = TagFields(tags);
    fields.emplace("status", "available");
    if (Passes(form, fields)) absl::StrAppend(&items, In("item", El("volumeId", id)));
  }
  return In("volumeSet", items);
}

FakeAmazonEc2::Answer FakeAmazonEc2::DeleteVolume(const Form& form) {
  if (volumes_.erase(Get(form, "VolumeId")) == 0) {
    return Refusal("InvalidVolume.NotFound", "does not exist");
  }
  return El("return", "true");
}

}  // namespace machine::fakes
