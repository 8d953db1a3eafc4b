// What Compute Engine has on offer in the fake. For this folder only.
#ifndef TESTS_FAKES_GOOGLE_CATALOG_H_
#define TESTS_FAKES_GOOGLE_CATALOG_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace machine::fakes::google_catalog {

using Json = nlohmann::json;

inline std::string Url(absl::string_view path) {
  return absl::StrCat("https://www.googleapis.com/compute/v1/", path);
}

inline std::vector<Json> Zones() {
  std::vector<Json> zones;
  for (const char* const name :
       {"us-central1-a", "us-central1-b", "europe-west1-b", "us-west9-z"}) {
    zones.push_back(
        {{"name", name}, {"status", std::string(name) == "us-west9-z" ? "DOWN" : "UP"}});
  }
  return zones;
}

inline Json Type(absl::string_view name, int memory, int cpus) {
  return {{"name", std::string(name)},
          {"memoryMb", memory},
          {"guestCpus", cpus},
          {"architecture", "X86_64"}};
}

inline std::vector<Json> MachineTypes() {
  std::vector<Json> types = {Type("n1-standard-1", 3840, 1), Type("f1-micro", 614, 1),
                             Type("e2-micro", 1024, 2), Type("e2-small", 2048, 2),
                             Type("m1-megamem-96", 1433600, 96)};
  Json arm = Type("t2a-standard-1", 1024, 4);
  arm["architecture"] = "ARM64";
  Json gpu = Type("a1-gpu", 1024, 8);
  gpu["accelerators"] = {{{"guestAcceleratorCount", 1}, {"guestAcceleratorType", "nvidia-t4"}}};
  Json old = Type("a0-old", 1024, 8);
  old["deprecated"] = {{"state", "OBSOLETE"},
                       {"replacement", Url("projects/my-project/zones/z/machineTypes/e2-micro")}};
  types.insert(types.end(), {arm, gpu, old});
  return types;
}

inline std::vector<Json> DiskTypes() {
  return {{{"name", "pd-standard"}}, {{"name", "pd-balanced"}}, {{"name", "pd-ssd"}}};
}

inline Json Image(absl::string_view project, absl::string_view name, absl::string_view family,
                  absl::string_view architecture, int gb) {
  return {{"name", std::string(name)},
          {"selfLink", Url(absl::StrCat("projects/", project, "/global/images/", name))},
          {"family", std::string(family)},
          {"architecture", std::string(architecture)},
          {"diskSizeGb", absl::StrCat(gb)},
          {"status", "READY"}};
}

inline std::vector<Json> Images(absl::string_view project) {
  if (project == "my-project") {
    return {Image(project, "my-image", "", "X86_64", 50), Image(project, "arm", "", "ARM64", 10)};
  }
  if (project != "ubuntu-os-cloud") return {};
  std::vector<Json> images = {
      Image(project, "ubuntu-2404-noble-amd64-v20261001", "ubuntu-2404-lts-amd64", "X86_64", 10),
      Image(project, "ubuntu-2404-noble-amd64-v20261101", "ubuntu-2404-lts-amd64", "X86_64", 10),
      Image(project, "ubuntu-2404-noble-arm64-v20261101", "ubuntu-2404-lts-arm64", "ARM64", 10),
      Image(project, "ubuntu-2204-jammy-v20261101", "ubuntu-2204-lts", "X86_64", 10),
      Image(project, "ubuntu-2110-impish-v20220101", "ubuntu-2110", "X86_64", 10)};
  images[0]["deprecated"] = {{"state", "DEPRECATED"}, {"replacement", images[1]["selfLink"]}};
  images[4]["deprecated"] = {{"state", "OBSOLETE"}, {"replacement", images[3]["selfLink"]}};
  return images;
}

inline std::vector<Json> Networks(absl::string_view project) {
  if (project == "host-project") {
    return {{{"name", "shared"},
             {"autoCreateSubnetworks", false},
             {"subnetworks",
              {Url("projects/host-project/regions/us-central1/subnetworks/shared-sub")}}}};
  }
  if (project != "my-project") return {};
  return {{{"name", "default"}, {"autoCreateSubnetworks", true}},
          {{"name", "custom"},
           {"autoCreateSubnetworks", false},
           {"subnetworks",
            {Url("projects/my-project/regions/us-central1/subnetworks/sub1"),
             Url("projects/my-project/regions/europe-west1/subnetworks/sub2")}}}};
}

}  // namespace machine::fakes::google_catalog

#endif  // TESTS_FAKES_GOOGLE_CATALOG_H_
