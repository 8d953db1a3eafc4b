#include "drivers/vmwarevcloudair/catalog.h"

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "drivers/sdk/cloud/choices.h"
#include "drivers/vmwarevcloudair/edge_gateway.h"
#include "services/common/status/status.h"

namespace machine::driver::vmwarevcloudair {
namespace {

std::vector<std::string> NamesOf(const std::vector<Named>& all) {
  std::vector<std::string> names;
  names.reserve(all.size());
  for (const Named& each : all) names.push_back(each.name);
  return names;
}

// The one of that name; without a name the one called `usual`, or the only one.
absl::StatusOr<Named> ChooseOne(absl::string_view flag, absl::string_view what,
                                absl::string_view name, absl::string_view usual,
                                const std::vector<Named>& all) {
  const absl::string_view wanted = name.empty() ? usual : name;
  for (const Named& each : all) {
    if (each.name == wanted) return each;
  }
  if (!name.empty()) return NoSuchChoice(flag, what, name, NamesOf(all));
  if (all.size() == 1) return all.front();
  return PreCreateCheckFailed(all.empty()
                                  ? absl::StrCat("--", flag, ": the user sees no ", what)
                                  : absl::StrCat("--", flag, ": say which ", what, "; there are ",
                                                 absl::StrJoin(NamesOf(all), ", ")));
}

// Links or references in `object` to what has media type "application/vnd.vmware.vcloud.TYPE+xml".
std::vector<Named> Linked(const XmlElement& object, absl::string_view type) {
  const std::string media = absl::StrCat("application/vnd.vmware.vcloud.", type, "+xml");
  std::vector<Named> all;
  for (const XmlElement& link : object.children()) {
    if (link.Attribute("type") != media || link.Attribute("name").empty()) continue;
    const bool known = std::any_of(all.begin(), all.end(), [&](const Named& each) {
      return each.href == link.Attribute("href");
    });
    if (!known) all.push_back({link.Attribute("name"), link.Attribute("href")});
  }
  return all;
}

absl::StatusOr<Named> ChooseSource(const common::CallScope& call, VcdApi& api,
                                   const Settings& settings, const XmlElement& org) {
  DM_ASSIGN_OR_RETURN(const Named catalog, ChooseOne(kCatalogFlag, "catalog", settings.catalog, "",
                                                     Linked(org, "catalog")));
  DM_ASSIGN_OR_RETURN(const XmlElement items, api.Get(call, catalog.href));
  DM_ASSIGN_OR_RETURN(
      const Named item,
      ChooseOne(kItemFlag, absl::StrCat("item in catalog ", catalog.name), settings.item, "",
                Linked(items.Child("CatalogItems"), "catalogItem")));
  DM_ASSIGN_OR_RETURN(const XmlElement entry, api.Get(call, item.href));
  const XmlElement& entity = entry.Child("Entity");
  if (!absl::StrContains(entity.Attribute("type"), "vAppTemplate")) {
    return PreCreateCheckFailed(
        absl::StrCat("--", kItemFlag, ": ", item.name, " is no vApp template"));
  }
  DM_ASSIGN_OR_RETURN(const XmlElement vapp, api.Get(call, entity.Attribute("href")));
  const std::vector<const XmlElement*> machines = vapp.Child("Children").Children("Vm");
  if (machines.size() != 1) {
    return PreCreateCheckFailed(absl::StrCat("--", kItemFlag, ": ", item.name, " has ",
                                             machines.size(), " virtual machines instead of one"));
  }
  return Named{machines.front()->Attribute("name"), machines.front()->Attribute("href")};
}

}  // namespace

absl::StatusOr<Place> Choose(const common::CallScope& call, VcdApi& api, const Settings& settings) {
  DM_ASSIGN_OR_RETURN(const XmlElement list, api.Get(call, "/api/org"));
  std::vector<Named> orgs;
  for (const XmlElement* const org : list.Children("Org")) {
    orgs.push_back({org->Attribute("name"), org->Attribute("href")});
  }
  DM_ASSIGN_OR_RETURN(const Named org_name, ChooseOne(kOrgFlag, "organisation",
                                                      api.session().credentials().org, "", orgs));
  DM_ASSIGN_OR_RETURN(const XmlElement org, api.Get(call, org_name.href));
  Place place;
  DM_ASSIGN_OR_RETURN(
      place.vdc, ChooseOne(kVdcFlag, "virtual data center", settings.vdc, "", Linked(org, "vdc")));
  DM_ASSIGN_OR_RETURN(const XmlElement vdc, api.Get(call, place.vdc.href));
  DM_ASSIGN_OR_RETURN(place.network,
                      ChooseOne(kNetworkFlag, absl::StrCat("network in ", place.vdc.name),
                                settings.network, absl::StrCat(place.vdc.name, "-default-routed"),
                                Linked(vdc.Child("AvailableNetworks"), "network")));
  DM_ASSIGN_OR_RETURN(place.source, ChooseSource(call, api, settings, org));
  if (settings.public_ip.empty()) return place;
  DM_ASSIGN_OR_RETURN(const std::vector<EdgeGatewayName> all, ListEdgeGateways(call, api));
  std::vector<Named> gateways;
  gateways.reserve(all.size());
  for (const EdgeGatewayName& each : all) gateways.push_back({each.name, each.place});
  DM_ASSIGN_OR_RETURN(place.gateway, ChooseOne(kGatewayFlag, "edge gateway", settings.gateway,
                                               place.vdc.name, gateways));
  return place;
}

}  // namespace machine::driver::vmwarevcloudair
