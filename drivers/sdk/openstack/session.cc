#include "drivers/sdk/openstack/session.h"

#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace machine::driver::openstack {
namespace {

std::string WithoutSlash(std::string url) {
  while (absl::EndsWith(url, "/")) url.pop_back();
  return url;
}

}  // namespace

std::vector<std::string> Session::Regions(absl::string_view type) const {
  std::set<std::string> regions;
  for (const Endpoint& endpoint : catalog) {
    if (endpoint.type == type && !endpoint.region.empty()) regions.insert(endpoint.region);
  }
  return {regions.begin(), regions.end()};
}

std::vector<Endpoint> ReadCatalogV3(const Json& catalog) {
  std::vector<Endpoint> endpoints;
  if (!catalog.is_array()) return endpoints;
  for (const Json& service : catalog) {
    for (const Json& endpoint : Elements(service, "endpoints")) {
      std::string region = Text(endpoint, "region_id");
      if (region.empty()) region = Text(endpoint, "region");
      endpoints.push_back({.type = Text(service, "type"),
                           .region = region,
                           .interface = Text(endpoint, "interface"),
                           .url = WithoutSlash(Text(endpoint, "url"))});
    }
  }
  return endpoints;
}

std::vector<Endpoint> ReadCatalogV2(const Json& catalog) {
  std::vector<Endpoint> endpoints;
  if (!catalog.is_array()) return endpoints;
  for (const Json& service : catalog) {
    for (const Json& endpoint : Elements(service, "endpoints")) {
      for (const char* const name : {"publicURL", "internalURL", "adminURL"}) {
        std::string url = WithoutSlash(Text(endpoint, name));
        if (url.empty()) continue;
        endpoints.push_back({.type = Text(service, "type"),
                             .region = Text(endpoint, "region"),
                             .interface = InterfaceOf(name),
                             .url = std::move(url)});
      }
    }
  }
  return endpoints;
}

absl::Time ParseExpiry(absl::string_view text) {
  absl::Time time;
  std::string error;
  if (absl::ParseTime(absl::RFC3339_full, text, &time, &error)) return time;
  if (absl::ParseTime(absl::RFC3339_full, absl::StrCat(text, "Z"), &time, &error)) return time;
  return absl::InfinitePast();
}

std::string InterfaceOf(absl::string_view endpoint_type) {
  endpoint_type = absl::StripSuffix(endpoint_type, "URL");
  for (const absl::string_view known : {"public", "internal", "admin"}) {
    if (endpoint_type == known) return std::string(known);
  }
  return "";
}

}  // namespace machine::driver::openstack
