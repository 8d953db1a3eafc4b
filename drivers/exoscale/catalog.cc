#include "drivers/exoscale/catalog.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "drivers/sdk/cloud/choices.h"
#include "drivers/sdk/errors.h"
#include "services/common/status/status.h"

namespace machine::driver::exoscale {
namespace {

constexpr int64_t kGib = int64_t{1} << 30;

// Year of an Ubuntu LTS, which come out in April of even years; no value for other templates.
std::optional<int> LtsYear(const Template& candidate) {
  const std::string name = ShortNameOf(candidate.name);
  absl::string_view version = name;
  int year = 0;
  if (!absl::ConsumePrefix(&version, "ubuntu-") || !absl::ConsumeSuffix(&version, ".04") ||
      !absl::SimpleAtoi(version, &year) || year % 2 != 0) {
    return std::nullopt;
  }
  return year;
}

bool IsNamed(const Template& candidate, absl::string_view wanted) {
  return candidate.id == wanted || absl::EqualsIgnoreCase(candidate.name, wanted) ||
         absl::EqualsIgnoreCase(ShortNameOf(candidate.name), wanted);
}

std::vector<std::string> NamesOf(const std::vector<Template>& templates) {
  std::vector<std::string> names;
  for (const Template& each : templates) {
    std::string name = ShortNameOf(each.name);
    names.push_back(name.empty() ? each.name : std::move(name));
  }
  return names;
}

// Keeps of several the one that was made last.
void Prefer(const Template& candidate, const Template*& best) {
  if (best == nullptr || candidate.created_at > best->created_at) best = &candidate;
}

absl::StatusOr<Template> ChooseAnySize(const common::CallScope& call, const ExoscaleApi& api,
                                       const Settings& settings) {
  DM_ASSIGN_OR_RETURN(std::vector<Template> templates, api.ListTemplates(call, "public"));
  const Template* best = nullptr;
  if (settings.image.empty()) {
    int newest = 0;
    for (const Template& each : templates) {
      const int year = LtsYear(each).value_or(0);
      if (year == 0 || year < newest) continue;
      if (year > newest) best = nullptr;
      newest = year;
      Prefer(each, best);
    }
    if (best != nullptr) return *best;
    return PreCreateCheckFailed(absl::StrCat(
        "zone ", settings.zone, " has no template of an Ubuntu LTS; name one with --", kImageFlag));
  }
  for (const Template& each : templates) {
    if (IsNamed(each, settings.image)) Prefer(each, best);
  }
  if (best != nullptr) return *best;
  // Those of the account, for which nobody should wait otherwise.
  DM_ASSIGN_OR_RETURN(const std::vector<Template> own, api.ListTemplates(call, "private"));
  for (const Template& each : own) {
    if (IsNamed(each, settings.image)) Prefer(each, best);
  }
  if (best != nullptr) return *best;
  templates.insert(templates.end(), own.begin(), own.end());
  return NoSuchChoice(kImageFlag, absl::StrCat("template in zone ", settings.zone), settings.image,
                      NamesOf(templates));
}

}  // namespace

std::string ShortNameOf(absl::string_view template_name) {
  const std::string lower = absl::AsciiStrToLower(template_name);
  absl::string_view rest = lower;
  absl::ConsumePrefix(&rest, "linux ");
  std::string name;
  for (const absl::string_view word : absl::StrSplit(rest, ' ', absl::SkipEmpty())) {
    absl::StrAppend(&name, name.empty() ? "" : "-", word);
    if (absl::ascii_isdigit(static_cast<unsigned char>(word.front()))) return name;
  }
  return "";
}

absl::Status CheckZone(const common::CallScope& call, const ExoscaleApi& anywhere,
                       const Settings& settings) {
  DM_ASSIGN_OR_RETURN(std::vector<std::string> zones, anywhere.ListZones(call));
  return CheckChoice(kZoneFlag, "zone", settings.zone, std::move(zones));
}

absl::StatusOr<InstanceType> ChooseType(const common::CallScope& call, const ExoscaleApi& api,
                                        const Settings& settings) {
  DM_ASSIGN_OR_RETURN(const std::vector<InstanceType> types, api.ListTypes(call));
  const std::string wanted = absl::StrContains(settings.profile, '.')
                                 ? settings.profile
                                 : absl::StrCat("standard.", settings.profile);
  std::vector<std::string> names;
  for (const InstanceType& type : types) {
    const bool here = type.zones.empty() || std::find(type.zones.begin(), type.zones.end(),
                                                      settings.zone) != type.zones.end();
    if (!here || !type.authorized) continue;
    if (type.Name() == wanted || type.id == settings.profile) return type;
    names.push_back(type.Name());
  }
  return NoSuchChoice(kProfileFlag,
                      absl::StrCat("instance type for this account in zone ", settings.zone),
                      settings.profile, std::move(names));
}

absl::StatusOr<Template> ChooseTemplate(const common::CallScope& call, const ExoscaleApi& api,
                                        const Settings& settings) {
  DM_ASSIGN_OR_RETURN(Template chosen, ChooseAnySize(call, api, settings));
  if (chosen.size_bytes <= settings.disk_gib * kGib) return chosen;
  return PreCreateCheckFailed(absl::StrCat("--", kDiskFlag, ": template \"", chosen.name,
                                           "\" needs at least ",
                                           (chosen.size_bytes + kGib - 1) / kGib, " GB"));
}

absl::StatusOr<NamedObject> ChoosePrivateNetwork(const common::CallScope& call,
                                                 const ExoscaleApi& api, const Settings& settings) {
  DM_ASSIGN_OR_RETURN(const std::vector<NamedObject> networks, api.ListPrivateNetworks(call));
  std::vector<std::string> names;
  for (const NamedObject& network : networks) {
    if (network.name == settings.private_network || network.id == settings.private_network) {
      return network;
    }
    names.push_back(network.name);
  }
  return NoSuchChoice(kPrivateNetworkFlag, absl::StrCat("private network in zone ", settings.zone),
                      settings.private_network, std::move(names));
}

absl::Status CheckSettings(const common::CallScope& call, const ExoscaleApi& api,
                           const Settings& settings) {
  DM_RETURN_IF_ERROR(ChooseType(call, api, settings).status());
  DM_RETURN_IF_ERROR(ChooseTemplate(call, api, settings).status());
  if (!settings.private_network.empty()) {
    DM_RETURN_IF_ERROR(ChoosePrivateNetwork(call, api, settings).status());
  }
  if (settings.key_name.empty()) return absl::OkStatus();
  DM_ASSIGN_OR_RETURN(std::vector<std::string> keys, api.ListSshKeys(call));
  return CheckChoice(kKeyNameFlag, "ssh key", settings.key_name, std::move(keys));
}

}  // namespace machine::driver::exoscale
