// What the fake has on offer.
#ifndef TESTS_FAKES_AZURE_CATALOG_H_
#define TESTS_FAKES_AZURE_CATALOG_H_

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace machine::fakes::azure_catalog {

inline nlohmann::json Locations() {
  using Json = nlohmann::json;
  const auto place = [](const char* name, const char* shown, const char* type) {
    return Json{{"name", name}, {"displayName", shown}, {"metadata", {{"regionType", type}}}};
  };
  return Json::array(
      {place("westus", "West US", "Physical"), place("eastus", "East US", "Physical"),
       place("westeurope", "West Europe", "Physical"), place("europe", "Europe", "Logical")});
}

/// A record of Microsoft.Compute/skus in westus.
inline nlohmann::json Sku(const char* name, const char* cpus, const char* memory,
                          const char* generations, const char* architecture,
                          const std::vector<std::string>& zones = {"1", "2", "3"}) {
  using Json = nlohmann::json;
  const auto capability = [](const char* key, const char* value) {
    return Json{{"name", key}, {"value", value}};
  };
  const Json place = {{"location", "westus"}, {"zones", zones}};
  return {{"resourceType", "virtualMachines"},
          {"name", name},
          {"locations", Json::array({"westus"})},
          {"locationInfo", Json::array({place})},
          {"capabilities", Json::array({capability("vCPUs", cpus), capability("MemoryGB", memory),
                                        capability("HyperVGenerations", generations),
                                        capability("CpuArchitectureType", architecture)})},
          {"restrictions", Json::array()}};
}

inline nlohmann::json Skus() {
  using Json = nlohmann::json;
  Json taken = Sku("Standard_A0", "1", "1", "V1,V2", "x64");
  const Json restriction = {{"type", "Location"}, {"reasonCode", "NotAvailableForSubscription"}};
  taken["restrictions"] = Json::array({restriction});
  const Json disk = {{"resourceType", "disks"}, {"name", "Premium_LRS"}};
  return Json::array({disk, Sku("Standard_B2s", "2", "4", "V1,V2", "x64"), taken,
                      Sku("Standard_A1_v2", "1", "2", "V1", "x64", {}),
                      Sku("Standard_B1s", "1", "1", "V1,V2", "x64", {"2", "1"}),
                      Sku("Standard_B1ls", "1", "0.5", "V1,V2", "x64"),
                      Sku("Standard_B1ms", "1", "2", "V1,V2", "x64"),
                      Sku("Standard_D2ps_v5", "2", "8", "V2", "Arm64")});
}

/// Offers, skus and versions of Canonical's images.
using Images = std::map<std::string, std::map<std::string, std::vector<std::string>>>;
inline Images Canonical() {
  const std::vector<std::string> versions = {"24.04.202609300", "24.04.202611010",
                                             "24.04.202610040"};
  return {{"0001-com-ubuntu-server-jammy", {{"22_04-lts-gen2", {"22.04.202609010"}}}},
          {"ubuntu-22_04-lts", {{"server", {"22.04.202611010"}}}},
          {"ubuntu-24_04-lts",
           {{"server", versions}, {"server-gen1", versions}, {"server-arm64", versions}}},
          {"ubuntu-25_10", {{"server", {"25.10.202611010"}}}}};
}

}  // namespace machine::fakes::azure_catalog

#endif  // TESTS_FAKES_AZURE_CATALOG_H_
