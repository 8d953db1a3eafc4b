#include "drivers/sdk/openstack/compute.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"

namespace machine::driver::openstack {
namespace {

// First versions that have what is used: microversion-history of Nova.
constexpr int kKeyTypes = 2;
constexpr int kTagFilter = 26;
constexpr int kNetworksRequired = 37;
constexpr int kTagsAtCreate = 52;

std::string ServerPath(absl::string_view id) {
  return absl::StrCat("/servers/", PercentEncode(id));
}

std::string KeyPairPath(absl::string_view name) {
  return absl::StrCat("/os-keypairs/", PercentEncode(name));
}

Server ReadServer(const Json& json) {
  const Json& flavor = Member(json, "flavor");
  Server server = {.id = Text(json, "id"),
                   .name = Text(json, "name"),
                   .status = Text(json, "status"),
                   .task = Text(json, "OS-EXT-STS:task_state"),
                   .flavor_id = Text(flavor, "id"),
                   .flavor_name = Text(flavor, "original_name"),
                   .image_id = Text(Member(json, "image"), "id"),
                   .created = Text(json, "created"),
                   .availability_zone = Text(json, "OS-EXT-AZ:availability_zone"),
                   .fault = Text(Member(json, "fault"), "message")};
  const Json& networks = Member(json, "addresses");
  if (networks.is_object()) {
    for (const auto& [network, addresses] : networks.items()) {
      for (const Json& address : addresses) {
        server.addresses.push_back({.ip = Text(address, "addr"),
                                    .version = static_cast<int>(Number(address, "version")),
                                    .floating = Text(address, "OS-EXT-IPS:type") == "floating",
                                    .network = network});
      }
    }
  }
  const Json& metadata = Member(json, "metadata");
  if (metadata.is_object()) {
    for (const auto& [key, value] : metadata.items()) {
      if (value.is_string()) server.metadata[key] = value.get<std::string>();
    }
  }
  return server;
}

Json ServerBody(const ServerSpec& spec, const Microversion& version) {
  Json server = {{"name", spec.name}, {"flavorRef", spec.flavor_id}, {"metadata", spec.metadata}};
  if (!spec.image_id.empty()) server["imageRef"] = spec.image_id;
  if (!spec.volume_id.empty()) {
    // It goes with the server.
    server["block_device_mapping_v2"] = Json::array({{{"boot_index", 0},
                                                      {"source_type", "volume"},
                                                      {"destination_type", "volume"},
                                                      {"uuid", spec.volume_id},
                                                      {"delete_on_termination", true}}});
  }
  if (!spec.key_name.empty()) server["key_name"] = spec.key_name;
  if (!spec.availability_zone.empty()) server["availability_zone"] = spec.availability_zone;
  if (spec.config_drive) server["config_drive"] = true;
  if (!spec.user_data.empty()) server["user_data"] = absl::Base64Escape(spec.user_data);
  for (const std::string& port : spec.port_ids) server["networks"].push_back({{"port", port}});
  if (spec.port_ids.empty() && version.minor >= kNetworksRequired) server["networks"] = "auto";
  if (version.minor >= kTagsAtCreate && !spec.tags.empty()) server["tags"] = spec.tags;
  return {{"server", server}};
}

}  // namespace

std::string Server::Metadata(absl::string_view key) const {
  const auto it = metadata.find(std::string(key));
  return it == metadata.end() ? "" : it->second;
}

absl::StatusOr<std::vector<Server>> ListServers(const common::CallScope& call,
                                                const CloudClient& cloud, absl::string_view tag) {
  DM_ASSIGN_OR_RETURN(const Microversion version, cloud.ComputeVersion(call));
  ApiRequest request;
  request.path = "/servers/detail";
  // Only what was made with tags can be found by them.
  if (!tag.empty() && version.minor >= kTagsAtCreate && version.minor >= kTagFilter) {
    request.query.emplace_back("tags", tag);
  }
  std::vector<Server> servers;
  DM_RETURN_IF_ERROR(cloud.List(call, Service::kCompute, std::move(request), "servers",
                                [&](const Json& json) { servers.push_back(ReadServer(json)); }));
  return servers;
}

absl::StatusOr<std::optional<Server>> FindServer(const common::CallScope& call,
                                                 const CloudClient& cloud, absl::string_view id) {
  DM_ASSIGN_OR_RETURN(const std::optional<Json> json,
                      cloud.Find(call, Service::kCompute, ServerPath(id), "server"));
  if (!json.has_value()) return std::nullopt;
  return ReadServer(*json);
}

absl::StatusOr<Server> CreateServer(const common::CallScope& call, const CloudClient& cloud,
                                    const ServerSpec& spec) {
  DM_ASSIGN_OR_RETURN(const Microversion version, cloud.ComputeVersion(call));
  ApiRequest request = {.method = "POST", .path = "/servers", .body = ServerBody(spec, version)};
  DM_ASSIGN_OR_RETURN(const Json body, cloud.Send(call, Service::kCompute, std::move(request)));
  Server server;
  server.id = Text(Member(body, "server"), "id");
  if (!server.id.empty()) return server;
  return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN,
                       "the answer to the create has no id of a server");
}

absl::Status DeleteServer(const common::CallScope& call, const CloudClient& cloud,
                          absl::string_view id) {
  return cloud.Delete(call, Service::kCompute, ServerPath(id));
}

absl::Status ActOnServer(const common::CallScope& call, const CloudClient& cloud,
                         absl::string_view id, Json action) {
  ApiRequest request = {
      .method = "POST", .path = absl::StrCat(ServerPath(id), "/action"), .body = std::move(action)};
  const absl::Status status = cloud.Send(call, Service::kCompute, std::move(request)).status();
  // "Cannot 'stop' instance while it is in task_state powering-off" passes.
  return absl::IsAborted(status) ? absl::UnavailableError(status.message()) : status;
}

absl::StatusOr<std::vector<Flavor>> ListFlavors(const common::CallScope& call,
                                                const CloudClient& cloud) {
  std::vector<Flavor> flavors;
  const auto read = [&](const Json& json) {
    flavors.push_back({.id = Text(json, "id"),
                       .name = Text(json, "name"),
                       .vcpus = Number(json, "vcpus"),
                       .ram_mib = Number(json, "ram"),
                       .disk_gib = Number(json, "disk"),
                       .disabled = Flag(json, "OS-FLV-DISABLED:disabled")});
  };
  ApiRequest request;
  request.path = "/flavors/detail";
  DM_RETURN_IF_ERROR(cloud.List(call, Service::kCompute, std::move(request), "flavors", read));
  return flavors;
}

absl::StatusOr<std::optional<int64_t>> ServersLeft(const common::CallScope& call,
                                                   const CloudClient& cloud) {
  const absl::StatusOr<std::optional<Json>> limits =
      cloud.Find(call, Service::kCompute, "/limits", "limits");
  if (absl::IsPermissionDenied(limits.status())) return std::nullopt;
  if (!limits.ok()) return limits.status();
  if (!limits->has_value()) return std::nullopt;
  const Json& absolute = Member(**limits, "absolute");
  if (!Member(absolute, "maxTotalInstances").is_number()) return std::nullopt;
  const int64_t most = Number(absolute, "maxTotalInstances");
  if (most < 0) return std::nullopt;
  return most - Number(absolute, "totalInstancesUsed");
}

absl::StatusOr<std::vector<std::string>> ListZones(const common::CallScope& call,
                                                   const CloudClient& cloud) {
  std::vector<std::string> zones;
  ApiRequest request;
  request.path = "/os-availability-zone";
  DM_RETURN_IF_ERROR(cloud.List(call, Service::kCompute, std::move(request), "availabilityZoneInfo",
                                [&](const Json& json) {
                                  if (!Flag(Member(json, "zoneState"), "available")) return;
                                  zones.push_back(Text(json, "zoneName"));
                                }));
  return zones;
}

absl::StatusOr<std::vector<KeyPair>> ListKeyPairs(const common::CallScope& call,
                                                  const CloudClient& cloud) {
  std::vector<KeyPair> keys;
  ApiRequest request;
  request.path = "/os-keypairs";
  DM_RETURN_IF_ERROR(
      cloud.List(call, Service::kCompute, std::move(request), "keypairs", [&](const Json& json) {
        const Json& key = Member(json, "keypair");
        keys.push_back({Text(key, "name"), Text(key, "public_key")});
      }));
  return keys;
}

absl::StatusOr<std::optional<KeyPair>> FindKeyPair(const common::CallScope& call,
                                                   const CloudClient& cloud,
                                                   absl::string_view name) {
  DM_ASSIGN_OR_RETURN(const std::optional<Json> json,
                      cloud.Find(call, Service::kCompute, KeyPairPath(name), "keypair"));
  if (!json.has_value()) return std::nullopt;
  return KeyPair{Text(*json, "name"), Text(*json, "public_key")};
}

absl::StatusOr<KeyPair> CreateKeyPair(const common::CallScope& call, const CloudClient& cloud,
                                      const KeyPair& key) {
  DM_ASSIGN_OR_RETURN(const Microversion version, cloud.ComputeVersion(call));
  Json body = {{"name", key.name}, {"public_key", key.public_key}};
  if (version.minor >= kKeyTypes) body["type"] = "ssh";
  ApiRequest request = {.method = "POST", .path = "/os-keypairs", .body = {{"keypair", body}}};
  const absl::Status status = cloud.Send(call, Service::kCompute, std::move(request)).status();
  if (absl::IsAborted(status)) return absl::AlreadyExistsError(status.message());
  if (!status.ok()) return status;
  return key;
}

absl::Status DeleteKeyPair(const common::CallScope& call, const CloudClient& cloud,
                           absl::string_view name) {
  return cloud.Delete(call, Service::kCompute, KeyPairPath(name));
}

}  // namespace machine::driver::openstack
