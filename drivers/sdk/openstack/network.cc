#include "drivers/sdk/openstack/network.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/common/status/status.h"

namespace machine::driver::openstack {
namespace {

bool IsV6(absl::string_view cidr) { return cidr.find(':') != absl::string_view::npos; }

std::string ProjectOf(const Json& json) {
  const std::string project = Text(json, "project_id");
  return project.empty() ? Text(json, "tenant_id") : project;
}

FloatingIp ReadFloatingIp(const Json& json) {
  return {.id = Text(json, "id"),
          .ip = Text(json, "floating_ip_address"),
          .network_id = Text(json, "floating_network_id"),
          .port_id = Text(json, "port_id"),
          .description = Text(json, "description"),
          .revision =
              Member(json, "revision_number").is_number() ? Number(json, "revision_number") : -1};
}

Port ReadPort(const Json& json) {
  return {.id = Text(json, "id"),
          .name = Text(json, "name"),
          .device_id = Text(json, "device_id"),
          .network_id = Text(json, "network_id")};
}

SecurityGroup ReadGroup(const Json& json) {
  SecurityGroup group = {
      .id = Text(json, "id"), .name = Text(json, "name"), .description = Text(json, "description")};
  for (const Json& rule : Elements(json, "security_group_rules")) {
    const int64_t port = Number(rule, "port_range_min");
    if (Text(rule, "direction") != "ingress" || Text(rule, "protocol") != "tcp" ||
        port != Number(rule, "port_range_max")) {
      continue;
    }
    std::string cidr = Text(rule, "remote_ip_prefix");
    if (cidr.empty()) cidr = Text(rule, "ethertype") == "IPv6" ? "::/0" : "0.0.0.0/0";
    group.open.push_back(absl::StrCat(port, " ", cidr));
  }
  return group;
}

// What `read` makes of the elements of a list that belong to the project.
template <typename Thing>
absl::StatusOr<std::vector<Thing>> ListOwn(const common::CallScope& call, const CloudClient& cloud,
                                           ApiRequest request, absl::string_view key,
                                           Thing (*read)(const Json&)) {
  DM_ASSIGN_OR_RETURN(const auto session, cloud.GetSession(call));
  if (!session->project_id.empty()) request.query.emplace_back("project_id", session->project_id);
  std::vector<Thing> things;
  DM_RETURN_IF_ERROR(
      cloud.List(call, Service::kNetwork, std::move(request), key, [&](const Json& json) {
        const std::string project = ProjectOf(json);
        if (project.empty() || session->project_id.empty() || project == session->project_id) {
          things.push_back(read(json));
        }
      }));
  return things;
}

absl::StatusOr<Json> Make(const common::CallScope& call, const CloudClient& cloud,
                          absl::string_view path, absl::string_view key, Json fields) {
  ApiRequest request = {
      .method = "POST", .path = std::string(path), .body = {{std::string(key), std::move(fields)}}};
  DM_ASSIGN_OR_RETURN(const Json body, cloud.Send(call, Service::kNetwork, std::move(request)));
  const Json& made = Member(body, key);
  if (!Text(made, "id").empty()) return made;
  return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN,
                       absl::StrCat("the answer has no id of a new ", key));
}

absl::Status DeleteAt(const common::CallScope& call, const CloudClient& cloud,
                      absl::string_view path, absl::string_view id) {
  return cloud.Delete(call, Service::kNetwork, absl::StrCat(path, "/", PercentEncode(id)));
}

}  // namespace

absl::StatusOr<std::vector<Network>> ListNetworks(const common::CallScope& call,
                                                  const CloudClient& cloud) {
  DM_ASSIGN_OR_RETURN(const auto session, cloud.GetSession(call));
  std::vector<Network> networks;
  ApiRequest request;
  request.path = "/networks";
  DM_RETURN_IF_ERROR(
      cloud.List(call, Service::kNetwork, std::move(request), "networks", [&](const Json& json) {
        const Json& port_security = Member(json, "port_security_enabled");
        const std::string project = ProjectOf(json);
        networks.push_back(
            {.id = Text(json, "id"),
             .name = Text(json, "name"),
             .own = project.empty() || project == session->project_id,
             .shared = Flag(json, "shared"),
             .external = Flag(json, "router:external"),
             .port_security = !port_security.is_boolean() || port_security.get<bool>(),
             .has_subnets = !Elements(json, "subnets").empty()});
      }));
  return networks;
}

absl::StatusOr<std::vector<SecurityGroup>> ListSecurityGroups(const common::CallScope& call,
                                                              const CloudClient& cloud) {
  ApiRequest request;
  request.path = "/security-groups";
  return ListOwn<SecurityGroup>(call, cloud, std::move(request), "security_groups", ReadGroup);
}

absl::StatusOr<std::vector<Port>> ListPorts(const common::CallScope& call, const CloudClient& cloud,
                                            absl::string_view name) {
  ApiRequest request;
  request.path = "/ports";
  request.query.emplace_back("name", name);
  return ListOwn<Port>(call, cloud, std::move(request), "ports", ReadPort);
}

absl::StatusOr<std::vector<FloatingIp>> ListFloatingIps(const common::CallScope& call,
                                                        const CloudClient& cloud) {
  ApiRequest request;
  request.path = "/floatingips";
  return ListOwn<FloatingIp>(call, cloud, std::move(request), "floatingips", ReadFloatingIp);
}

absl::StatusOr<Port> CreatePort(const common::CallScope& call, const CloudClient& cloud,
                                absl::string_view name, absl::string_view network_id,
                                const std::optional<std::vector<std::string>>& group_ids) {
  Json port = {{"name", std::string(name)}, {"network_id", std::string(network_id)}};
  if (group_ids.has_value()) port["security_groups"] = *group_ids;
  DM_ASSIGN_OR_RETURN(const Json made, Make(call, cloud, "/ports", "port", std::move(port)));
  return ReadPort(made);
}

absl::Status DeletePort(const common::CallScope& call, const CloudClient& cloud,
                        absl::string_view id) {
  return DeleteAt(call, cloud, "/ports", id);
}

absl::StatusOr<SecurityGroup> CreateSecurityGroup(const common::CallScope& call,
                                                  const CloudClient& cloud, absl::string_view name,
                                                  absl::string_view description) {
  DM_ASSIGN_OR_RETURN(const Json made, Make(call, cloud, "/security-groups", "security_group",
                                            {{"name", std::string(name)},
                                             {"description", std::string(description)}}));
  return ReadGroup(made);
}

absl::Status OpenPort(const common::CallScope& call, const CloudClient& cloud,
                      absl::string_view group_id, int port, absl::string_view cidr) {
  const absl::Status status = Make(call, cloud, "/security-group-rules", "security_group_rule",
                                   {{"security_group_id", std::string(group_id)},
                                    {"direction", "ingress"},
                                    {"ethertype", IsV6(cidr) ? "IPv6" : "IPv4"},
                                    {"protocol", "tcp"},
                                    {"port_range_min", port},
                                    {"port_range_max", port},
                                    {"remote_ip_prefix", std::string(cidr)}})
                                  .status();
  // SecurityGroupRuleExists.
  return absl::IsAborted(status) ? absl::OkStatus() : status;
}

absl::Status DeleteSecurityGroup(const common::CallScope& call, const CloudClient& cloud,
                                 absl::string_view id) {
  return DeleteAt(call, cloud, "/security-groups", id);
}

absl::StatusOr<FloatingIp> AllocateFloatingIp(const common::CallScope& call,
                                              const CloudClient& cloud,
                                              absl::string_view network_id,
                                              absl::string_view port_id,
                                              absl::string_view description) {
  DM_ASSIGN_OR_RETURN(const Json made, Make(call, cloud, "/floatingips", "floatingip",
                                            {{"floating_network_id", std::string(network_id)},
                                             {"port_id", std::string(port_id)},
                                             {"description", std::string(description)}}));
  return ReadFloatingIp(made);
}

absl::Status UseFloatingIp(const common::CallScope& call, const CloudClient& cloud,
                           const FloatingIp& ip, absl::string_view port_id) {
  ApiRequest request = {.method = "PUT",
                        .path = absl::StrCat("/floatingips/", PercentEncode(ip.id)),
                        .body = {{"floatingip", {{"port_id", std::string(port_id)}}}}};
  // Otherwise it would be taken away from whoever was faster.
  if (ip.revision >= 0) {
    request.headers.Set("If-Match", absl::StrCat("revision_number=", ip.revision));
  }
  return cloud.Send(call, Service::kNetwork, std::move(request)).status();
}

absl::Status DeleteFloatingIp(const common::CallScope& call, const CloudClient& cloud,
                              absl::string_view id) {
  return DeleteAt(call, cloud, "/floatingips", id);
}

}  // namespace machine::driver::openstack
