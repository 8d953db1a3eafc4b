#include "drivers/amazonec2/ec2_api.h"

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"

namespace machine::driver::amazonec2 {
namespace {

constexpr char kVersion[] = "2016-11-15";
// The most that DescribeInstances gives at once.
constexpr int kPageSize = 1000;
// A list that never ends is the provider's fault, not ours.
constexpr int kMaxPages = 1000;
// https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html, the least of each kind.
constexpr double kReadsPerSecond = 10;
constexpr double kReadBurst = 50;
constexpr double kWritesPerSecond = 2;
constexpr double kWriteBurst = 50;

const char* Bool(bool value) { return value ? "true" : "false"; }

void AddFilters(const Filters& filters, Params& params) {
  int n = 0;
  for (const Filter& filter : filters) {
    const std::string prefix = absl::StrCat("Filter.", ++n);
    params.emplace_back(absl::StrCat(prefix, ".Name"), filter.name);
    int v = 0;
    for (const std::string& value : filter.values) {
      params.emplace_back(absl::StrCat(prefix, ".Value.", ++v), value);
    }
  }
}

void AddTags(int n, absl::string_view resource, const Tags& tags, Params& params) {
  const std::string prefix = absl::StrCat("TagSpecification.", n);
  params.emplace_back(absl::StrCat(prefix, ".ResourceType"), std::string(resource));
  int t = 0;
  for (const auto& [key, value] : tags) {
    params.emplace_back(absl::StrCat(prefix, ".Tag.", ++t, ".Key"), key);
    params.emplace_back(absl::StrCat(prefix, ".Tag.", t, ".Value"), value);
  }
}

Instance InstanceOf(const XmlElement& item) {
  Instance instance;
  instance.id = item.Text("instanceId");
  instance.state = item.Child("instanceState").Text("name");
  instance.state_reason = item.Child("stateReason").Text("message");
  instance.state_reason_code = item.Child("stateReason").Text("code");
  instance.image_id = item.Text("imageId");
  instance.type = item.Text("instanceType");
  instance.zone = item.Child("placement").Text("availabilityZone");
  instance.key_name = item.Text("keyName");
  instance.spot_request_id = item.Text("spotInstanceRequestId");
  instance.spot = item.Text("instanceLifecycle") == "spot" || !instance.spot_request_id.empty();
  instance.public_ip = item.Text("ipAddress");
  instance.private_ip = item.Text("privateIpAddress");
  instance.ipv6 = item.Text("ipv6Address");
  for (const XmlElement& tag : item.Items("tagSet")) {
    instance.tags[tag.Text("key")] = tag.Text("value");
  }
  return instance;
}

Image ImageOf(const XmlElement& item) {
  return {.id = item.Text("imageId"),
          .architecture = item.Text("architecture"),
          .root_device = item.Text("rootDeviceName"),
          .creation_date = item.Text("creationDate")};
}

absl::Status NotAnAnswer(absl::string_view action, absl::string_view what) {
  return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN,
                       absl::StrCat("AWS's answer to ", action, " has no ", what));
}

absl::Status OkIfNotFound(const absl::Status& status) {
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

void AddDisk(const InstanceSpec& spec, Params& params) {
  const std::string disk = "BlockDeviceMapping.1.";
  params.emplace_back(disk + "DeviceName", spec.device_name);
  params.emplace_back(disk + "Ebs.VolumeSize", absl::StrCat(spec.root_size_gib));
  params.emplace_back(disk + "Ebs.VolumeType", spec.volume_type);
  params.emplace_back(disk + "Ebs.DeleteOnTermination", "true");
}

void AddNetwork(const InstanceSpec& spec, Params& params) {
  const std::string interface = "NetworkInterface.1.";
  params.emplace_back(interface + "DeviceIndex", "0");
  params.emplace_back(interface + "SubnetId", spec.subnet_id);
  params.emplace_back(interface + "AssociatePublicIpAddress", Bool(spec.public_address));
  params.emplace_back(interface + "DeleteOnTermination", "true");
  int n = 0;
  for (const std::string& group : spec.group_ids) {
    params.emplace_back(absl::StrCat(interface, "SecurityGroupId.", ++n), group);
  }
}

void AddMarket(const InstanceSpec& spec, Params& params) {
  params.emplace_back("InstanceMarketOptions.MarketType", "spot");
  params.emplace_back("InstanceMarketOptions.SpotOptions.SpotInstanceType", "one-time");
  if (spec.spot_price.empty()) return;
  params.emplace_back("InstanceMarketOptions.SpotOptions.MaxPrice", spec.spot_price);
}

Params ParamsOf(const InstanceSpec& spec) {
  Params params = {{"ClientToken", spec.client_token},
                   {"ImageId", spec.image_id},
                   {"InstanceType", spec.type},
                   {"MinCount", "1"},
                   {"MaxCount", "1"},
                   {"Monitoring.Enabled", Bool(spec.monitoring)},
                   {"MetadataOptions.HttpTokens", spec.metadata_tokens},
                   // One more than the host, for containers.
                   {"MetadataOptions.HttpPutResponseHopLimit", "2"}};
  if (!spec.key_name.empty()) params.emplace_back("KeyName", spec.key_name);
  if (!spec.user_data.empty()) {
    params.emplace_back("UserData", absl::Base64Escape(spec.user_data));
  }
  if (spec.ebs_optimized) params.emplace_back("EbsOptimized", "true");
  if (!spec.iam_profile.empty()) {
    const bool is_arn = absl::StartsWith(spec.iam_profile, "arn:");
    params.emplace_back(is_arn ? "IamInstanceProfile.Arn" : "IamInstanceProfile.Name",
                        spec.iam_profile);
  }
  AddDisk(spec, params);
  AddNetwork(spec, params);
  if (spec.spot) AddMarket(spec, params);
  int n = 0;
  for (const char* const resource : {"instance", "volume", "network-interface"}) {
    AddTags(++n, resource, spec.tags, params);
  }
  if (spec.spot) AddTags(++n, "spot-instances-request", spec.tags, params);
  return params;
}

std::shared_ptr<common::TokenBucket> Bucket(double per_second, double burst) {
  return std::make_shared<common::TokenBucket>(per_second, burst);
}

AwsApi::Options OptionsOf(const AccountSettings& settings, absl::string_view service,
                          const Backoff& retry) {
  return {.endpoint = EndpointOf(settings, service),
          .scope = {.region = settings.region, .service = std::string(service)},
          .version = kVersion,
          .backoff = retry,
          .reads = Bucket(kReadsPerSecond, kReadBurst),
          .writes = Bucket(kWritesPerSecond, kWriteBurst)};
}

CredentialsSource SourceOf(std::shared_ptr<CredentialsChain> chain) {
  return [chain = std::move(chain)](const common::CallScope& call) { return chain->Get(call); };
}

}  // namespace

Ec2Api::Ec2Api(common::HttpClient& http, AccountSettings settings, const Backoff& retry,
               Environment environment)
    : credentials_(
          std::make_shared<CredentialsChain>(http, settings, retry, std::move(environment))),
      ec2_(http, OptionsOf(settings, "ec2", retry), SourceOf(credentials_)),
      ssm_(http, OptionsOf(settings, "ssm", retry), SourceOf(credentials_)) {}

absl::Status Ec2Api::List(const common::CallScope& call, absl::string_view action, Params params,
                          absl::string_view set,
                          absl::FunctionRef<void(const XmlElement& item)> each) const {
  const size_t without_token = params.size();
  for (int page = 1; page <= kMaxPages; ++page) {
    DM_ASSIGN_OR_RETURN(const XmlElement answer, ec2_.Query(call, action, params));
    if (!answer.Has(set)) return NotAnAnswer(action, set);
    for (const XmlElement& item : answer.Items(set)) each(item);
    const std::string& next = answer.Text("nextToken");
    if (next.empty()) return absl::OkStatus();
    params.resize(without_token);
    params.emplace_back("NextToken", next);
  }
  return NotAnAnswer(action, "end");
}

absl::Status Ec2Api::Act(const common::CallScope& call, absl::string_view action,
                         const Params& params) const {
  return ec2_.Query(call, action, params).status();
}

absl::StatusOr<std::vector<std::string>> Ec2Api::ListRegions(const common::CallScope& call) const {
  std::vector<std::string> names;
  DM_RETURN_IF_ERROR(List(call, "DescribeRegions", {}, "regionInfo", [&](const XmlElement& item) {
    names.push_back(item.Text("regionName"));
  }));
  return names;
}

absl::StatusOr<std::optional<std::vector<std::string>>> Ec2Api::FindType(
    const common::CallScope& call, const std::string& type) const {
  std::optional<std::vector<std::string>> architectures;
  const absl::Status status =
      List(call, "DescribeInstanceTypes", {{"InstanceType.1", type}}, "instanceTypeSet",
           [&](const XmlElement& item) {
             architectures.emplace();
             const XmlElement& processor = item.Child("processorInfo");
             for (const XmlElement& each : processor.Items("supportedArchitectures")) {
               architectures->push_back(each.text());
             }
           });
  if (AwsCodeOf(status) == "InvalidInstanceType") return std::nullopt;
  if (!status.ok()) return status;
  return architectures;
}

absl::StatusOr<std::vector<std::string>> Ec2Api::ListTypes(const common::CallScope& call,
                                                           const std::string& zone) const {
  Params params = {{"LocationType", zone.empty() ? "region" : "availability-zone"}};
  if (!zone.empty()) AddFilters({{"location", {zone}}}, params);
  std::vector<std::string> types;
  DM_RETURN_IF_ERROR(
      List(call, "DescribeInstanceTypeOfferings", std::move(params), "instanceTypeOfferingSet",
           [&](const XmlElement& item) { types.push_back(item.Text("instanceType")); }));
  return types;
}

absl::StatusOr<std::optional<Image>> Ec2Api::FindImage(const common::CallScope& call,
                                                       const std::string& id) const {
  std::optional<Image> image;
  const absl::Status status = List(call, "DescribeImages", {{"ImageId.1", id}}, "imagesSet",
                                   [&](const XmlElement& item) { image = ImageOf(item); });
  if (absl::IsNotFound(status) || AwsCodeOf(status) == "InvalidAMIID.Malformed" ||
      AwsCodeOf(status) == "InvalidAMIID.Unavailable") {
    return std::nullopt;
  }
  if (!status.ok()) return status;
  return image;
}

absl::StatusOr<std::vector<Image>> Ec2Api::ListImages(const common::CallScope& call,
                                                      const std::string& owner,
                                                      const Filters& filters) const {
  Params params = {{"Owner.1", owner}};
  AddFilters(filters, params);
  std::vector<Image> images;
  DM_RETURN_IF_ERROR(List(call, "DescribeImages", std::move(params), "imagesSet",
                          [&](const XmlElement& item) { images.push_back(ImageOf(item)); }));
  return images;
}

absl::StatusOr<std::optional<std::string>> Ec2Api::FindParameter(const common::CallScope& call,
                                                                 const std::string& name) const {
  const absl::StatusOr<Json> answer = ssm_.Json11(call, "AmazonSSM.GetParameter", {{"Name", name}});
  if (absl::IsNotFound(answer.status()) || absl::IsPermissionDenied(answer.status())) {
    return std::nullopt;
  }
  if (!answer.ok()) return answer.status();
  std::string value = Text(Member(*answer, "Parameter"), "Value");
  if (value.empty()) return NotAnAnswer("GetParameter", "value");
  return value;
}

absl::StatusOr<std::vector<std::string>> Ec2Api::ListVpcs(const common::CallScope& call,
                                                          const Filters& filters) const {
  Params params;
  AddFilters(filters, params);
  std::vector<std::string> ids;
  DM_RETURN_IF_ERROR(List(call, "DescribeVpcs", std::move(params), "vpcSet",
                          [&](const XmlElement& item) { ids.push_back(item.Text("vpcId")); }));
  return ids;
}

absl::StatusOr<std::vector<Subnet>> Ec2Api::ListSubnets(const common::CallScope& call,
                                                        const Filters& filters) const {
  Params params;
  AddFilters(filters, params);
  std::vector<Subnet> subnets;
  DM_RETURN_IF_ERROR(
      List(call, "DescribeSubnets", std::move(params), "subnetSet", [&](const XmlElement& item) {
        subnets.push_back({.id = item.Text("subnetId"),
                           .vpc_id = item.Text("vpcId"),
                           .zone = item.Text("availabilityZone"),
                           .default_for_zone = item.Text("defaultForAz") == "true"});
      }));
  return subnets;
}

absl::StatusOr<std::vector<std::string>> Ec2Api::ListKeyPairs(const common::CallScope& call,
                                                              const Filters& filters) const {
  Params params;
  AddFilters(filters, params);
  std::vector<std::string> names;
  DM_RETURN_IF_ERROR(List(call, "DescribeKeyPairs", std::move(params), "keySet",
                          [&](const XmlElement& item) { names.push_back(item.Text("keyName")); }));
  return names;
}

absl::Status Ec2Api::ImportKeyPair(const common::CallScope& call, const std::string& name,
                                   const std::string& public_key, const Tags& tags) const {
  Params params = {{"KeyName", name}, {"PublicKeyMaterial", absl::Base64Escape(public_key)}};
  AddTags(1, "key-pair", tags, params);
  return Act(call, "ImportKeyPair", params);
}

absl::Status Ec2Api::DeleteKeyPair(const common::CallScope& call, const std::string& name) const {
  return OkIfNotFound(Act(call, "DeleteKeyPair", {{"KeyName", name}}));
}

absl::StatusOr<std::vector<SecurityGroup>> Ec2Api::ListGroups(const common::CallScope& call,
                                                              const Filters& filters) const {
  Params params;
  AddFilters(filters, params);
  std::vector<SecurityGroup> groups;
  DM_RETURN_IF_ERROR(List(call, "DescribeSecurityGroups", std::move(params), "securityGroupInfo",
                          [&](const XmlElement& item) {
                            groups.push_back({.id = item.Text("groupId"),
                                              .name = item.Text("groupName"),
                                              .vpc_id = item.Text("vpcId")});
                          }));
  return groups;
}

absl::StatusOr<SecurityGroup> Ec2Api::CreateGroup(const common::CallScope& call,
                                                  const std::string& name,
                                                  const std::string& description,
                                                  const std::string& vpc_id,
                                                  const Tags& tags) const {
  Params params = {{"GroupName", name}, {"GroupDescription", description}, {"VpcId", vpc_id}};
  AddTags(1, "security-group", tags, params);
  DM_ASSIGN_OR_RETURN(const XmlElement answer, ec2_.Query(call, "CreateSecurityGroup", params));
  if (answer.Text("groupId").empty()) return NotAnAnswer("CreateSecurityGroup", "groupId");
  return SecurityGroup{.id = answer.Text("groupId"), .name = name, .vpc_id = vpc_id};
}

absl::Status Ec2Api::Allow(const common::CallScope& call, const std::string& group_id,
                           const IngressRule& rule) const {
  const bool v6 = absl::StrContains(rule.cidr, ':');
  const absl::Status status =
      Act(call, "AuthorizeSecurityGroupIngress",
          {{"GroupId", group_id},
           {"IpPermissions.1.IpProtocol", "tcp"},
           {"IpPermissions.1.FromPort", absl::StrCat(rule.port)},
           {"IpPermissions.1.ToPort", absl::StrCat(rule.port)},
           {v6 ? "IpPermissions.1.Ipv6Ranges.1.CidrIpv6" : "IpPermissions.1.IpRanges.1.CidrIp",
            rule.cidr}});
  return absl::IsAlreadyExists(status) ? absl::OkStatus() : status;
}

absl::Status Ec2Api::DeleteGroup(const common::CallScope& call, const std::string& id) const {
  return OkIfNotFound(Act(call, "DeleteSecurityGroup", {{"GroupId", id}}));
}

absl::StatusOr<std::vector<Instance>> Ec2Api::ListInstances(const common::CallScope& call,
                                                            const Filters& filters) const {
  Params params = {{"MaxResults", absl::StrCat(kPageSize)}};
  AddFilters(filters, params);
  std::vector<Instance> instances;
  DM_RETURN_IF_ERROR(List(call, "DescribeInstances", std::move(params), "reservationSet",
                          [&](const XmlElement& reservation) {
                            for (const XmlElement& item : reservation.Items("instancesSet")) {
                              instances.push_back(InstanceOf(item));
                            }
                          }));
  return instances;
}

absl::StatusOr<std::optional<Instance>> Ec2Api::FindInstance(const common::CallScope& call,
                                                             const std::string& id) const {
  // By a filter, so that one that is not there is an empty list and no error.
  DM_ASSIGN_OR_RETURN(std::vector<Instance> instances,
                      ListInstances(call, {{"instance-id", {id}}}));
  if (instances.empty()) return std::nullopt;
  return std::move(instances.front());
}

absl::StatusOr<Instance> Ec2Api::RunInstance(const common::CallScope& call,
                                             const InstanceSpec& spec) const {
  DM_ASSIGN_OR_RETURN(const XmlElement answer, ec2_.Query(call, "RunInstances", ParamsOf(spec)));
  const std::vector<XmlElement>& items = answer.Items("instancesSet");
  if (items.empty() || items.front().Text("instanceId").empty()) {
    return NotAnAnswer("RunInstances", "instance");
  }
  return InstanceOf(items.front());
}

absl::Status Ec2Api::StartInstance(const common::CallScope& call, const std::string& id) const {
  return Act(call, "StartInstances", {{"InstanceId.1", id}});
}

absl::Status Ec2Api::StopInstance(const common::CallScope& call, const std::string& id,
                                  bool force) const {
  return Act(call, "StopInstances", {{"InstanceId.1", id}, {"Force", Bool(force)}});
}

absl::Status Ec2Api::RebootInstance(const common::CallScope& call, const std::string& id) const {
  return Act(call, "RebootInstances", {{"InstanceId.1", id}});
}

absl::Status Ec2Api::TerminateInstance(const common::CallScope& call, const std::string& id) const {
  return OkIfNotFound(Act(call, "TerminateInstances", {{"InstanceId.1", id}}));
}

absl::StatusOr<std::vector<std::string>> Ec2Api::ListSpotRequests(const common::CallScope& call,
                                                                  const Filters& filters) const {
  Params params;
  AddFilters(filters, params);
  std::vector<std::string> ids;
  DM_RETURN_IF_ERROR(
      List(call, "DescribeSpotInstanceRequests", std::move(params), "spotInstanceRequestSet",
           [&](const XmlElement& item) { ids.push_back(item.Text("spotInstanceRequestId")); }));
  return ids;
}

absl::Status Ec2Api::CancelSpotRequest(const common::CallScope& call, const std::string& id) const {
  return OkIfNotFound(Act(call, "CancelSpotInstanceRequests", {{"SpotInstanceRequestId.1", id}}));
}

absl::StatusOr<std::vector<std::string>> Ec2Api::ListVolumes(const common::CallScope& call,
                                                             const Filters& filters) const {
  Params params;
  AddFilters(filters, params);
  std::vector<std::string> ids;
  DM_RETURN_IF_ERROR(List(call, "DescribeVolumes", std::move(params), "volumeSet",
                          [&](const XmlElement& item) { ids.push_back(item.Text("volumeId")); }));
  return ids;
}

absl::Status Ec2Api::DeleteVolume(const common::CallScope& call, const std::string& id) const {
  return OkIfNotFound(Act(call, "DeleteVolume", {{"VolumeId", id}}));
}

}  // namespace machine::driver::amazonec2
