#include "drivers/sdk/openstack/plan.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "drivers/sdk/cloud/choices.h"
#include "drivers/sdk/errors.h"
#include "drivers/sdk/openstack/network.h"
#include "services/common/status/status.h"

namespace machine::driver::openstack {
namespace {

// Below that an engine is no use.
constexpr int64_t kLeastMemoryMib = 1024;
constexpr int64_t kLeastDiskGib = 8;
// https://docs.openstack.org/api-ref/compute/#create-server
constexpr size_t kMaxMetadataBytes = 255;

struct Codename {
  absl::string_view name;
  absl::string_view version;
};
constexpr Codename kUbuntu[] = {{"resolute", "26.04"},
                                {"noble", "24.04"},
                                {"jammy", "22.04"},
                                {"focal", "20.04"},
                                {"bionic", "18.04"}};

// 24 for "24.04"; 0 for what is no LTS.
int LtsYear(absl::string_view version) {
  const std::vector<absl::string_view> parts = absl::StrSplit(version, '.');
  int year = 0;
  const bool lts = parts.size() >= 2 && parts[1] == "04" && parts[0].size() == 2 &&
                   absl::SimpleAtoi(parts[0], &year) && year >= 18 && year % 2 == 0;
  return lts ? year : 0;
}

int LtsYearOf(const Image& image) {
  const std::string name = absl::AsciiStrToLower(image.name);
  const bool named = absl::StrContains(name, "ubuntu");
  if (!named && absl::AsciiStrToLower(image.distro) != "ubuntu") return 0;
  if (const int year = LtsYear(image.version); year > 0) return year;
  for (size_t i = 0; i + 5 <= name.size(); ++i) {
    const bool begins = i == 0 || !absl::ascii_isdigit(static_cast<unsigned char>(name[i - 1]));
    if (const int year = begins ? LtsYear(name.substr(i, 5)) : 0; year > 0) return year;
  }
  for (const Codename& codename : kUbuntu) {
    if (absl::StrContains(name, codename.name)) return LtsYear(codename.version);
  }
  return 0;
}

bool IsForServers(const Image& image) {
  const std::string name = absl::AsciiStrToLower(image.name);
  for (const absl::string_view other : {"arm64", "aarch64", "onmetal", "kube", "gpu", "desktop"}) {
    if (absl::StrContains(name, other)) return false;
  }
  return !image.snapshot && (image.architecture.empty() || image.architecture == "x86_64" ||
                             image.architecture == "amd64");
}

template <typename Thing>
std::vector<std::string> NamesOf(const std::vector<Thing>& things) {
  std::vector<std::string> names;
  for (const Thing& thing : things) names.push_back(thing.name.empty() ? thing.id : thing.name);
  return names;
}

struct Wanted {
  absl::string_view prefix;
  /// "flavor": of the flags --PREFIX-flavor-id and --PREFIX-flavor-name.
  absl::string_view flag;
  absl::string_view what;
};

// The one with that id or name.
template <typename Thing>
absl::StatusOr<Thing> Pick(const Wanted& wanted, const std::vector<Thing>& things,
                           const std::string& id, const std::string& name) {
  const std::string id_flag = absl::StrCat(wanted.prefix, "-", wanted.flag, "-id");
  std::vector<Thing> found;
  for (const Thing& thing : things) {
    if (id.empty() ? thing.name == name : thing.id == id) found.push_back(thing);
  }
  if (found.size() == 1) return found.front();
  if (!found.empty()) {
    std::vector<std::string> ids;
    for (const Thing& thing : found) ids.push_back(thing.id);
    return PreCreateCheckFailed(absl::StrCat("there are ", ids.size(), " ", wanted.what,
                                             "s called \"", name, "\"; choose one with --", id_flag,
                                             ": ", absl::StrJoin(ids, ", ")));
  }
  if (!id.empty()) {
    std::vector<std::string> existing;
    for (const Thing& thing : things) existing.push_back(absl::StrCat(thing.id, " ", thing.name));
    return NoSuchChoice(id_flag, wanted.what, id, existing);
  }
  return NoSuchChoice(absl::StrCat(wanted.prefix, "-", wanted.flag, "-name"), wanted.what, name,
                      NamesOf(things));
}

absl::StatusOr<Network> ChooseNetwork(const common::CallScope& call, const CloudClient& cloud,
                                      const Plan& plan, const std::vector<Network>& networks) {
  const std::string& prefix = cloud.access().flag_prefix;
  if (!plan.network_id.empty() || !plan.network_name.empty()) {
    return Pick(Wanted{prefix, "net", "network"}, networks, plan.network_id, plan.network_name);
  }
  DM_ASSIGN_OR_RETURN(const auto session, cloud.GetSession(call));
  std::vector<Network> own;
  std::vector<Network> shared;
  for (const Network& network : networks) {
    if (network.external || !network.has_subnets) continue;
    if (network.own) {
      own.push_back(network);
    } else if (network.shared) {
      shared.push_back(network);
    }
  }
  const std::vector<Network>& candidates = own.empty() ? shared : own;
  if (candidates.size() == 1) return candidates.front();
  const std::string ask =
      absl::StrCat("name one with --", prefix, "-net-name or --", prefix, "-net-id");
  if (candidates.empty()) {
    return PreCreateCheckFailed(absl::StrCat(
        "the project has no private network with a subnet; make one, or ", ask, "; there are ",
        networks.empty() ? "none" : absl::StrJoin(NamesOf(networks), ", ")));
  }
  return PreCreateCheckFailed(absl::StrCat("the project has several networks; ", ask, ": ",
                                           absl::StrJoin(NamesOf(candidates), ", ")));
}

absl::StatusOr<std::string> ChoosePool(const CloudClient& cloud, const Plan& plan,
                                       const std::vector<Network>& networks) {
  const std::string flag = absl::StrCat(cloud.access().flag_prefix, "-floatingip-pool");
  std::vector<std::string> ids;
  std::vector<std::string> names;
  for (const Network& network : networks) {
    if (!network.external) continue;
    names.push_back(network.name);
    if (network.id == plan.floating_pool) return network.id;
    if (network.name == plan.floating_pool) ids.push_back(network.id);
  }
  if (ids.size() == 1) return ids.front();
  if (ids.empty()) return NoSuchChoice(flag, "external network", plan.floating_pool, names);
  return PreCreateCheckFailed(absl::StrCat("--", flag, ": there are ", ids.size(),
                                           " external networks called \"", plan.floating_pool,
                                           "\"; give the id: ", absl::StrJoin(ids, ", ")));
}

absl::Status CheckKeyPair(const common::CallScope& call, const CloudClient& cloud,
                          const Plan& plan) {
  DM_ASSIGN_OR_RETURN(const std::vector<KeyPair> keys, ListKeyPairs(call, cloud));
  std::vector<std::string> names;
  for (const KeyPair& key : keys) names.push_back(key.name);
  return CheckChoice(absl::StrCat(cloud.access().flag_prefix, "-keypair-name"), "key pair",
                     plan.key_pair, names);
}

}  // namespace

std::optional<Image> NewestUbuntuLts(absl::Span<const Image> images) {
  const auto rank = [](const Image& image) {
    return std::make_tuple(LtsYearOf(image), image.visibility == "public",
                           !absl::StrContains(absl::AsciiStrToLower(image.name), "minimal"),
                           image.created, image.id);
  };
  std::optional<Image> newest;
  for (const Image& image : images) {
    if (!IsForServers(image) || LtsYearOf(image) == 0) continue;
    if (!newest.has_value() || rank(*newest) < rank(image)) newest = image;
  }
  return newest;
}

std::optional<Flavor> SmallestUsable(absl::Span<const Flavor> flavors, const Image& image,
                                     bool any_disk) {
  const auto rank = [](const Flavor& flavor) {
    return std::make_tuple(flavor.ram_mib, flavor.vcpus, flavor.disk_gib, flavor.name);
  };
  const int64_t least_disk = std::max(kLeastDiskGib, image.min_disk_gib);
  std::optional<Flavor> smallest;
  for (const Flavor& flavor : flavors) {
    if (flavor.disabled || flavor.ram_mib < std::max(kLeastMemoryMib, image.min_ram_mib)) continue;
    if (!any_disk && flavor.disk_gib < least_disk) continue;
    if (!smallest.has_value() || rank(flavor) < rank(*smallest)) smallest = flavor;
  }
  return smallest;
}

absl::StatusOr<std::optional<Flavor>> NamedFlavor(const common::CallScope& call,
                                                  const CloudClient& cloud, const Plan& plan) {
  if (plan.flavor_id.empty() && plan.flavor_name.empty()) return std::nullopt;
  DM_ASSIGN_OR_RETURN(const std::vector<Flavor> flavors, ListFlavors(call, cloud));
  DM_ASSIGN_OR_RETURN(Flavor flavor, Pick(Wanted{cloud.access().flag_prefix, "flavor", "flavor"},
                                          flavors, plan.flavor_id, plan.flavor_name));
  return flavor;
}

absl::StatusOr<std::optional<Image>> NamedImage(const common::CallScope& call,
                                                const CloudClient& cloud, const Plan& plan) {
  if (!plan.image_id.empty()) {
    DM_ASSIGN_OR_RETURN(std::optional<Image> image, FindImage(call, cloud, plan.image_id));
    if (image.has_value()) return image;
  } else if (plan.image_name.empty()) {
    return std::nullopt;
  }
  std::vector<Image> images;
  if (!plan.image_name.empty()) {
    DM_ASSIGN_OR_RETURN(images, ListImages(call, cloud, plan.image_name));
  }
  // For what the error lists.
  if (images.empty()) {
    DM_ASSIGN_OR_RETURN(images, ListImages(call, cloud, ""));
  }
  DM_ASSIGN_OR_RETURN(Image image, Pick(Wanted{cloud.access().flag_prefix, "image", "image"},
                                        images, plan.image_id, plan.image_name));
  return image;
}

absl::Status Choose(const common::CallScope& call, const CloudClient& cloud, const Plan& plan,
                    State& state) {
  const std::string& prefix = cloud.access().flag_prefix;
  DM_ASSIGN_OR_RETURN(std::optional<Image> image, NamedImage(call, cloud, plan));
  if (!image.has_value()) {
    DM_ASSIGN_OR_RETURN(const std::vector<Image> images, ListImages(call, cloud, ""));
    image = NewestUbuntuLts(images);
    if (!image.has_value()) {
      return NoSuchChoice(absl::StrCat(prefix, "-image-name"), "image of", "Ubuntu LTS",
                          NamesOf(images));
    }
  }
  DM_ASSIGN_OR_RETURN(std::optional<Flavor> flavor, NamedFlavor(call, cloud, plan));
  if (!flavor.has_value()) {
    DM_ASSIGN_OR_RETURN(const std::vector<Flavor> flavors, ListFlavors(call, cloud));
    flavor = SmallestUsable(flavors, *image, plan.boot_from_volume);
    if (!flavor.has_value()) {
      return PreCreateCheckFailed(absl::StrCat(
          "no flavor has ", kLeastMemoryMib, " MiB of memory and room for image ", image->name,
          "; name one with --", prefix, "-flavor-name: ", absl::StrJoin(NamesOf(flavors), ", ")));
    }
  } else if (!plan.boot_from_volume && flavor->disk_gib > 0 &&
             flavor->disk_gib < image->min_disk_gib) {
    return PreCreateCheckFailed(absl::StrCat("image ", image->name, " needs a disk of ",
                                             image->min_disk_gib, " GiB; flavor ", flavor->name,
                                             " has ", flavor->disk_gib));
  }
  state.set_image_id(image->id);
  state.set_flavor_id(flavor->id);
  if (plan.boot_from_volume) {
    if (plan.volume_gib > 0 && plan.volume_gib < image->min_disk_gib) {
      return PreCreateCheckFailed(absl::StrCat("--", prefix, "-volume-size: image ", image->name,
                                               " needs ", image->min_disk_gib, " GiB"));
    }
    state.set_volume_gib(plan.volume_gib > 0
                             ? plan.volume_gib
                             : std::max({flavor->disk_gib, image->min_disk_gib, int64_t{10}}));
  }
  if (!plan.use_network) return absl::OkStatus();
  DM_ASSIGN_OR_RETURN(const std::vector<Network> networks, ListNetworks(call, cloud));
  DM_ASSIGN_OR_RETURN(const Network network, ChooseNetwork(call, cloud, plan, networks));
  state.set_network_id(network.id);
  state.set_without_groups(!network.port_security);
  if (plan.floating_pool.empty()) return absl::OkStatus();
  DM_ASSIGN_OR_RETURN(*state.mutable_pool_id(), ChoosePool(cloud, plan, networks));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> NamedGroups(const common::CallScope& call,
                                                     const CloudClient& cloud, const Plan& plan) {
  std::vector<std::string> ids;
  if (plan.security_groups.empty()) return ids;
  const std::string flag = absl::StrCat(cloud.access().flag_prefix, "-sec-groups");
  DM_ASSIGN_OR_RETURN(const std::vector<SecurityGroup> groups, ListSecurityGroups(call, cloud));
  for (const std::string& wanted : plan.security_groups) {
    std::vector<std::string> found;
    for (const SecurityGroup& group : groups) {
      if (group.id == wanted || group.name == wanted) found.push_back(group.id);
    }
    if (found.empty()) return NoSuchChoice(flag, "security group", wanted, NamesOf(groups));
    if (found.size() > 1) {
      return PreCreateCheckFailed(absl::StrCat("--", flag, ": there are ", found.size(),
                                               " security groups called \"", wanted,
                                               "\"; give the id: ", absl::StrJoin(found, ", ")));
    }
    ids.push_back(found.front());
  }
  return ids;
}

absl::Status CheckPlan(const common::CallScope& call, const CloudClient& cloud, const Plan& plan) {
  const std::string& prefix = cloud.access().flag_prefix;
  State state;
  DM_RETURN_IF_ERROR(Choose(call, cloud, plan, state));
  DM_ASSIGN_OR_RETURN(const std::optional<int64_t> left, ServersLeft(call, cloud));
  if (left.has_value() && *left <= 0) {
    return PreCreateCheckFailed(
        "the project has as many servers as its quota allows; remove one, or ask for more");
  }
  if (!plan.zone.empty()) {
    DM_ASSIGN_OR_RETURN(const std::vector<std::string> zones, ListZones(call, cloud));
    // An administrator may name a host, too.
    const std::string zone = plan.zone.substr(0, plan.zone.find(':'));
    DM_RETURN_IF_ERROR(
        CheckChoice(absl::StrCat(prefix, "-availability-zone"), "availability zone", zone, zones));
  }
  if (!plan.key_pair.empty()) DM_RETURN_IF_ERROR(CheckKeyPair(call, cloud, plan));
  if (state.without_groups() && !plan.security_groups.empty()) {
    return PreCreateCheckFailed(absl::StrCat("--", prefix,
                                             "-sec-groups: the network has port security turned "
                                             "off, so that no security group works in it"));
  }
  DM_RETURN_IF_ERROR(NamedGroups(call, cloud, plan).status());
  if (plan.boot_from_volume && !plan.volume_type.empty()) {
    DM_ASSIGN_OR_RETURN(const std::vector<std::string> types, ListVolumeTypes(call, cloud));
    DM_RETURN_IF_ERROR(
        CheckChoice(absl::StrCat(prefix, "-volume-type"), "volume type", plan.volume_type, types));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::map<std::string, std::string>> ParseMetadata(
    absl::string_view flag, const std::vector<std::string>& texts) {
  std::map<std::string, std::string> metadata;
  for (const std::string& text : texts) {
    for (const absl::string_view pair : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
      const std::pair<absl::string_view, absl::string_view> parts =
          absl::StrSplit(absl::StripAsciiWhitespace(pair), absl::MaxSplits('=', 1));
      const auto [key, value] = parts;
      const bool well_formed =
          absl::StrContains(pair, '=') && !key.empty() && key.size() <= kMaxMetadataBytes &&
          value.size() <= kMaxMetadataBytes && std::all_of(key.begin(), key.end(), [](char c) {
            return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                   absl::StrContains("-_:. ", c);
          });
      if (!well_formed) {
        return BadOption(flag, absl::StrCat("\"", pair,
                                            "\" is no KEY=VALUE: a key of letters, digits, '-', "
                                            "'_', ':', '.', and both of at most 255 characters"));
      }
      metadata[std::string(key)] = std::string(value);
    }
  }
  return metadata;
}

}  // namespace machine::driver::openstack
