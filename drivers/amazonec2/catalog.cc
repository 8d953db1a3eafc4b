#include "drivers/amazonec2/catalog.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/choices.h"
#include "services/common/status/status.h"

namespace machine::driver::amazonec2 {
namespace {

// Canonical's account:
// https://documentation.ubuntu.com/aws/aws-how-to/instances/find-ubuntu-images/
constexpr char kCanonical[] = "099720109477";
constexpr char kX86[] = "x86_64";
constexpr char kArm[] = "arm64";
// The smallest of the free tier, by age: newer regions lack the older one.
constexpr const char* kX86Types[] = {"t2.micro", "t3.micro"};
constexpr const char* kArmTypes[] = {"t4g.micro"};

struct InstanceType {
  std::string name;
  std::vector<std::string> architectures;

  bool Runs(absl::string_view architecture) const {
    return std::find(architectures.begin(), architectures.end(), architecture) !=
           architectures.end();
  }
};

absl::StatusOr<Image> NamedImage(const common::CallScope& call, const Ec2Api& api,
                                 const Settings& settings) {
  DM_ASSIGN_OR_RETURN(std::optional<Image> image, api.FindImage(call, settings.ami));
  if (image.has_value()) return *std::move(image);
  // There are too many to list them.
  return PreCreateCheckFailed(absl::StrCat(
      "--", kAmiFlag, ": region ", settings.region, " has no image \"", settings.ami,
      "\" that the account may use; images differ from region to region: leave the flag out to get "
      "the newest of Ubuntu 24.04 LTS"));
}

absl::StatusOr<Image> UbuntuImage(const common::CallScope& call, const Ec2Api& api,
                                  const Settings& settings, absl::string_view architecture) {
  const absl::string_view arch = architecture == kArm ? "arm64" : "amd64";
  DM_ASSIGN_OR_RETURN(
      const std::optional<std::string> id,
      api.FindParameter(call, absl::StrCat("/aws/service/canonical/ubuntu/server/24.04/stable/"
                                           "current/",
                                           arch, "/hvm/ebs-gp3/ami-id")));
  if (id.has_value()) {
    DM_ASSIGN_OR_RETURN(std::optional<Image> image, api.FindImage(call, *id));
    if (image.has_value()) return *std::move(image);
  }
  DM_ASSIGN_OR_RETURN(
      std::vector<Image> images,
      api.ListImages(
          call, kCanonical,
          {{"name",
            {absl::StrCat("ubuntu/images/hvm-ssd*/ubuntu-noble-24.04-", arch, "-server-*")}},
           {"state", {"available"}}}));
  if (images.empty()) {
    return PreCreateCheckFailed(absl::StrCat("region ", settings.region,
                                             " has no image of Ubuntu "
                                             "24.04 LTS for ",
                                             arch, "; choose one with --", kAmiFlag));
  }
  return *std::max_element(images.begin(), images.end(), [](const Image& a, const Image& b) {
    return a.creation_date < b.creation_date;
  });
}

absl::StatusOr<InstanceType> ChooseType(const common::CallScope& call, const Ec2Api& api,
                                        const Settings& settings,
                                        const std::optional<Image>& image) {
  std::vector<std::string> candidates = {settings.instance_type};
  if (settings.instance_type.empty()) {
    if (image.has_value() && image->architecture == kArm) {
      candidates.assign(std::begin(kArmTypes), std::end(kArmTypes));
    } else {
      candidates.assign(std::begin(kX86Types), std::end(kX86Types));
    }
  }
  for (const std::string& name : candidates) {
    DM_ASSIGN_OR_RETURN(const auto architectures, api.FindType(call, name));
    if (architectures.has_value()) return InstanceType{name, *architectures};
  }
  DM_ASSIGN_OR_RETURN(std::vector<std::string> types, api.ListTypes(call, ""));
  return NoSuchChoice(kTypeFlag, absl::StrCat("instance type in region ", settings.region),
                      candidates.front(), std::move(types));
}

absl::StatusOr<Image> ChooseImage(const common::CallScope& call, const Ec2Api& api,
                                  const Settings& settings, const std::optional<Image>& named,
                                  const InstanceType& type) {
  if (!named.has_value()) {
    return UbuntuImage(call, api, settings, type.Runs(kX86) ? kX86 : kArm);
  }
  if (type.Runs(named->architecture)) return *named;
  return PreCreateCheckFailed(absl::StrCat("--", kAmiFlag, ": the image is for ",
                                           named->architecture, ", which --", kTypeFlag, " ",
                                           type.name, " does not run"));
}

absl::StatusOr<std::string> ChooseVpc(const common::CallScope& call, const Ec2Api& api,
                                      const Settings& settings) {
  if (settings.vpc_id.empty()) {
    DM_ASSIGN_OR_RETURN(const std::vector<std::string> defaults,
                        api.ListVpcs(call, {{"isDefault", {"true"}}}));
    if (!defaults.empty()) return defaults.front();
  }
  DM_ASSIGN_OR_RETURN(std::vector<std::string> vpcs, api.ListVpcs(call, {}));
  const std::string what =
      absl::StrCat(settings.vpc_id.empty() ? "default " : "", "VPC in region ", settings.region);
  DM_RETURN_IF_ERROR(CheckChoice(kVpcFlag, what, settings.vpc_id, std::move(vpcs)));
  return settings.vpc_id;
}

absl::StatusOr<Subnet> NamedSubnet(const common::CallScope& call, const Ec2Api& api,
                                   const Settings& settings) {
  Filters filters;
  if (!settings.vpc_id.empty()) filters.push_back({"vpc-id", {settings.vpc_id}});
  if (!settings.zone.empty()) {
    filters.push_back({"availability-zone", {settings.region + settings.zone}});
  }
  DM_ASSIGN_OR_RETURN(const std::vector<Subnet> subnets, api.ListSubnets(call, filters));
  std::vector<std::string> ids;
  for (const Subnet& subnet : subnets) {
    if (subnet.id == settings.subnet_id) return subnet;
    ids.push_back(subnet.id);
  }
  return NoSuchChoice(
      kSubnetFlag,
      absl::StrCat("subnet in region ", settings.region,
                   settings.zone.empty() ? "" : absl::StrCat(", zone ", settings.zone),
                   settings.vpc_id.empty() ? "" : absl::StrCat(", VPC ", settings.vpc_id)),
      settings.subnet_id, std::move(ids));
}

absl::Status CheckOffer(const common::CallScope& call, const Ec2Api& api, const std::string& type,
                        const std::string& zone) {
  DM_ASSIGN_OR_RETURN(std::vector<std::string> types, api.ListTypes(call, zone));
  return CheckChoice(kTypeFlag, absl::StrCat("instance type in zone ", zone), type,
                     std::move(types));
}

// The zone "a" first, and its default subnet before others.
bool Better(const Subnet& a, const Subnet& b) {
  if (a.zone != b.zone) return a.zone < b.zone;
  if (a.default_for_zone != b.default_for_zone) return a.default_for_zone;
  return a.id < b.id;
}

absl::StatusOr<Subnet> ChooseSubnet(const common::CallScope& call, const Ec2Api& api,
                                    const Settings& settings, const std::string& type) {
  if (!settings.subnet_id.empty()) {
    DM_ASSIGN_OR_RETURN(Subnet subnet, NamedSubnet(call, api, settings));
    DM_RETURN_IF_ERROR(CheckOffer(call, api, type, subnet.zone));
    return subnet;
  }
  DM_ASSIGN_OR_RETURN(const std::string vpc, ChooseVpc(call, api, settings));
  DM_ASSIGN_OR_RETURN(std::vector<Subnet> subnets, api.ListSubnets(call, {{"vpc-id", {vpc}}}));
  std::sort(subnets.begin(), subnets.end(), Better);
  absl::Status not_offered;
  std::vector<std::string> zones;
  for (Subnet& subnet : subnets) {
    if (!zones.empty() && zones.back() == subnet.zone) continue;
    zones.push_back(subnet.zone);
    if (!settings.zone.empty() && subnet.zone != settings.region + settings.zone) continue;
    not_offered = CheckOffer(call, api, type, subnet.zone);
    if (not_offered.ok()) return std::move(subnet);
  }
  if (!not_offered.ok()) return not_offered;
  return NoSuchChoice(kZoneFlag, absl::StrCat("zone with a subnet of VPC ", vpc),
                      settings.region + settings.zone, std::move(zones));
}

absl::Status CheckKeyPair(const common::CallScope& call, const Ec2Api& api,
                          const Settings& settings) {
  if (settings.key_pair.empty()) return absl::OkStatus();
  DM_ASSIGN_OR_RETURN(std::vector<std::string> names, api.ListKeyPairs(call, {}));
  return CheckChoice(kKeyPairFlag, absl::StrCat("key pair in region ", settings.region),
                     settings.key_pair, std::move(names));
}

}  // namespace

absl::StatusOr<Choice> Choose(const common::CallScope& call, const Ec2Api& api,
                              const Settings& settings) {
  std::optional<Image> named;
  if (!settings.ami.empty()) {
    DM_ASSIGN_OR_RETURN(named, NamedImage(call, api, settings));
  }
  DM_ASSIGN_OR_RETURN(const InstanceType type, ChooseType(call, api, settings, named));
  DM_ASSIGN_OR_RETURN(const Image image, ChooseImage(call, api, settings, named, type));
  DM_ASSIGN_OR_RETURN(const Subnet subnet, ChooseSubnet(call, api, settings, type.name));
  return Choice{
      .image_id = image.id,
      .root_device = settings.device_name.empty() ? image.root_device : settings.device_name,
      .instance_type = type.name,
      .subnet_id = subnet.id,
      .vpc_id = subnet.vpc_id};
}

absl::StatusOr<std::vector<SecurityGroup>> FindNamedGroups(const common::CallScope& call,
                                                           const Ec2Api& api,
                                                           const Settings& settings,
                                                           const std::string& vpc_id) {
  std::vector<SecurityGroup> found;
  if (settings.groups.empty()) return found;
  DM_ASSIGN_OR_RETURN(const std::vector<SecurityGroup> groups,
                      api.ListGroups(call, {{"vpc-id", {vpc_id}}}));
  for (const std::string& wanted : settings.groups) {
    const auto it = std::find_if(groups.begin(), groups.end(), [&](const SecurityGroup& group) {
      return group.name == wanted || group.id == wanted;
    });
    if (it == groups.end()) {
      std::vector<std::string> names;
      for (const SecurityGroup& group : groups) names.push_back(group.name);
      return NoSuchChoice(kGroupFlag, absl::StrCat("security group in VPC ", vpc_id), wanted,
                          std::move(names));
    }
    found.push_back(*it);
  }
  return found;
}

absl::Status CheckSettings(const common::CallScope& call, const Ec2Api& api,
                           const Settings& settings) {
  DM_ASSIGN_OR_RETURN(const Choice choice, Choose(call, api, settings));
  DM_RETURN_IF_ERROR(FindNamedGroups(call, api, settings, choice.vpc_id).status());
  return CheckKeyPair(call, api, settings);
}

absl::Status CheckRegion(const common::CallScope& call, const Ec2Api& home,
                         const Settings& settings) {
  absl::StatusOr<std::vector<std::string>> regions = home.ListRegions(call);
  // A policy may forbid to list them.
  if (absl::IsPermissionDenied(regions.status())) return absl::OkStatus();
  if (!regions.ok()) return regions.status();
  return CheckChoice(kRegionFlag, "region", settings.region, *std::move(regions));
}

}  // namespace machine::driver::amazonec2
