#include "drivers/hypervisor/seed_iso.h"

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace machine::driver::hypervisor {
namespace {

// JSON is YAML, and needs no thought about quotes. Bytes that are not UTF-8 are replaced.
std::string Yaml(const nlohmann::ordered_json& value) {
  return value.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string CloudConfig(const GuestSeed& seed) {
  nlohmann::ordered_json user = {{"name", seed.user},
                                 {"shell", "/bin/bash"},
                                 {"sudo", "ALL=(ALL) NOPASSWD:ALL"},
                                 {"lock_passwd", true},
                                 {"ssh_authorized_keys", {seed.ssh_public_key}}};
  nlohmann::ordered_json config = {{"hostname", seed.hostname},
                                   {"preserve_hostname", false},
                                   {"ssh_pwauth", false},
                                   {"users", {user}},
                                   {"growpart", {{"mode", "auto"}, {"devices", {"/"}}}}};
  for (const GuestMount& mount : seed.mounts) {
    config["mounts"].push_back({mount.source, mount.target, mount.type, mount.options, "0", "0"});
  }
  return absl::StrCat("#cloud-config\n", Yaml(config), "\n");
}

}  // namespace

std::string UserData(const GuestSeed& seed) {
  if (seed.extra_user_data.empty()) return CloudConfig(seed);
  // cloud-init's own form of an archive, a list of parts, each told by its first line.
  nlohmann::ordered_json parts = nlohmann::ordered_json::array();
  parts.push_back({{"type", "text/cloud-config"}, {"content", CloudConfig(seed)}});
  nlohmann::ordered_json own = {{"content", seed.extra_user_data}};
  if (absl::StartsWith(seed.extra_user_data, "#!")) own["type"] = "text/x-shellscript";
  if (absl::StartsWith(seed.extra_user_data, "#cloud-config")) {
    own["type"] = "text/cloud-config";
    // Lists of both are joined, so that the user's accounts do not replace ours.
    own["merge_how"] = "list(append)+dict(no_replace,recurse_list)+str()";
  }
  parts.push_back(std::move(own));
  return absl::StrCat("#cloud-config-archive\n", Yaml(parts), "\n");
}

std::string MetaData(const GuestSeed& seed) {
  return absl::StrCat(Yaml({{"instance-id", seed.instance_id}, {"local-hostname", seed.hostname}}),
                      "\n");
}

std::string NetworkConfig(const GuestSeed& seed) {
  if (seed.dhcp_interfaces.empty()) return "";
  nlohmann::ordered_json config = {{"version", 2}};
  for (size_t i = 0; i < seed.dhcp_interfaces.size(); ++i) {
    config["ethernets"][absl::StrCat("machine", i)] = {
        {"match", {{"macaddress", seed.dhcp_interfaces[i]}}}, {"dhcp4", true}};
  }
  return absl::StrCat(Yaml(config), "\n");
}

std::string MakeSeedIso(const GuestSeed& seed) {
  std::vector<IsoFile> files = {{"meta-data", MetaData(seed)}, {"user-data", UserData(seed)}};
  std::string network = NetworkConfig(seed);
  if (!network.empty()) files.push_back({"network-config", std::move(network)});
  return MakeIso("cidata", std::move(files));
}

}  // namespace machine::driver::hypervisor
