// Neutron, Glance and Cinder.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/fakes/openstack/fake_openstack.h"

namespace machine::fakes {
namespace {

using Json = nlohmann::json;

Response Created(const char* key, const Json& made) {
  return {.status = 201, .body = Json{{key, made}}.dump()};
}

template <typename Map>
std::vector<Json> ValuesOf(const Map& map) {
  std::vector<Json> values;
  for (const auto& [id, value] : map) values.push_back(value);
  return values;
}

}  // namespace

Response FakeOpenStack::ListNetworks(const Request& request) {
  return Page(request, "networks", networks_);
}

Response FakeOpenStack::ListPorts(const Request& request) {
  std::vector<Json> seen;
  for (const auto& [id, port] : ports_) {
    const std::string name = request.Query("name");
    if (name.empty() || port["name"] == name) seen.push_back(port);
  }
  return Page(request, "ports", seen);
}

Response FakeOpenStack::CreatePort(const Request& request) {
  const Json wanted = Json::parse(request.body)["port"];
  last_port_ = wanted;
  const auto network = std::find_if(networks_.begin(), networks_.end(), [&](const Json& each) {
    return each["id"] == wanted["network_id"];
  });
  if (network == networks_.end()) {
    return RefuseNeutron(404, "NetworkNotFound", "Network could not be found.");
  }
  if (wanted.contains("security_groups") && !(*network)["port_security_enabled"]) {
    return RefuseNeutron(400, "PortSecurityAndIPRequiredForSecurityGroups",
                         "Port security must be enabled and port must have an IP address in order "
                         "to use security groups.");
  }
  for (const Json& group : wanted.value("security_groups", Json::array())) {
    if (!groups_.contains(group)) {
      return RefuseNeutron(404, "SecurityGroupNotFound", "Security group does not exist");
    }
  }
  const std::string id = NewId();
  Json& port = ports_[id];
  port = {{"id", id},
          {"name", wanted.value("name", "")},
          {"network_id", wanted["network_id"]},
          {"device_id", ""},
          {"project_id", kProjectId},
          {"security_groups", wanted.value("security_groups", Json::array())},
          {"fixed_ips",
           {{{"ip_address", absl::StrCat("fd00::", next_id_)}},
            {{"ip_address", absl::StrCat("10.0.0.", next_id_ % 250 + 1)}}}}};
  return Created("port", port);
}

Response FakeOpenStack::DeletePort(const Request& request) {
  if (ports_.erase(request.captures[0]) == 0) {
    return RefuseNeutron(404, "PortNotFound", "Port could not be found.");
  }
  for (auto& [id, ip] : floating_ips_) {
    if (ip["port_id"] == request.captures[0]) ip["port_id"] = nullptr;
  }
  return {.status = 204};
}

Response FakeOpenStack::ListGroups(const Request& request) {
  return Page(request, "security_groups", ValuesOf(groups_));
}

std::string FakeOpenStack::NewGroup(const std::string& name, const std::string& description) {
  const std::string id = NewId();
  groups_[id] = {{"id", id},
                 {"name", name},
                 {"description", description},
                 {"project_id", kProjectId},
                 {"security_group_rules",
                  {{{"direction", "egress"}, {"ethertype", "IPv4"}, {"protocol", nullptr}}}}};
  return id;
}

Response FakeOpenStack::CreateGroup(const Request& request) {
  const Json wanted = Json::parse(request.body)["security_group"];
  return Created("security_group",
                 groups_[NewGroup(wanted["name"], wanted.value("description", ""))]);
}

Response FakeOpenStack::DeleteGroup(const Request& request) {
  const std::string& id = request.captures[0];
  for (const auto& [port_id, port] : ports_) {
    const Json& used = port["security_groups"];
    if (std::find(used.begin(), used.end(), id) != used.end()) {
      return RefuseNeutron(409, "SecurityGroupInUse",
                           absl::StrCat("Security Group ", id, " in use."));
    }
  }
  if (groups_.erase(id) == 0) {
    return RefuseNeutron(404, "SecurityGroupNotFound", "Security group does not exist");
  }
  return {.status = 204};
}

Response FakeOpenStack::CreateRule(const Request& request) {
  Json rule = Json::parse(request.body)["security_group_rule"];
  const auto group = groups_.find(rule["security_group_id"]);
  if (group == groups_.end()) {
    return RefuseNeutron(404, "SecurityGroupNotFound", "Security group does not exist");
  }
  Json& rules = group->second["security_group_rules"];
  rule["id"] = NewId();
  for (const Json& each : rules) {
    if (each.value("port_range_min", Json()) == rule["port_range_min"] &&
        each.value("remote_ip_prefix", Json()) == rule["remote_ip_prefix"]) {
      return RefuseNeutron(409, "SecurityGroupRuleExists", "Security group rule already exists.");
    }
  }
  rules.push_back(rule);
  return Created("security_group_rule", rule);
}

bool FakeOpenStack::HasFloatingIp(const std::string& port_id) const {
  return std::any_of(floating_ips_.begin(), floating_ips_.end(),
                     [&](const auto& entry) { return entry.second["port_id"] == port_id; });
}

Response FakeOpenStack::ListFloatingIps(const Request& request) {
  return Page(request, "floatingips", ValuesOf(floating_ips_));
}

Response FakeOpenStack::CreateFloatingIp(const Request& request) {
  const Json wanted = Json::parse(request.body)["floatingip"];
  const bool external = std::any_of(networks_.begin(), networks_.end(), [&](const Json& network) {
    return network["id"] == wanted["floating_network_id"] && network["router:external"] == true;
  });
  if (!external) return RefuseNeutron(400, "BadRequest", "Network is not external");
  if (!ports_.contains(wanted["port_id"])) {
    return RefuseNeutron(404, "PortNotFound", "Port could not be found.");
  }
  if (HasFloatingIp(wanted["port_id"])) {
    return RefuseNeutron(409, "FloatingIPPortAlreadyAssociated", "Port has a floating IP already.");
  }
  const std::string id = NewId();
  Json& ip = floating_ips_[id];
  ip = {{"id", id},
        {"floating_ip_address", absl::StrCat("172.24.4.", next_id_ % 250 + 1)},
        {"floating_network_id", wanted["floating_network_id"]},
        {"port_id", wanted["port_id"]},
        {"description", wanted.value("description", "")},
        {"project_id", kProjectId},
        {"revision_number", 1}};
  return Created("floatingip", ip);
}

Response FakeOpenStack::UpdateFloatingIp(const Request& request) {
  const auto it = floating_ips_.find(request.captures[0]);
  if (it == floating_ips_.end()) {
    return RefuseNeutron(404, "FloatingIPNotFound", "Floating IP could not be found.");
  }
  Json& ip = it->second;
  const int64_t revision = ip["revision_number"];
  const std::string match = request.Header("If-Match");
  if (!match.empty() && match != absl::StrCat("revision_number=", revision)) {
    return RefuseNeutron(412, "RevisionNumberConstraintFailed", "Constrained to another revision");
  }
  const std::string port = Json::parse(request.body)["floatingip"]["port_id"];
  if (HasFloatingIp(port)) {
    return RefuseNeutron(409, "FloatingIPPortAlreadyAssociated", "Port has a floating IP already.");
  }
  ip["port_id"] = port;
  ip["revision_number"] = revision + 1;
  return {.body = Json{{"floatingip", ip}}.dump()};
}

Response FakeOpenStack::DeleteFloatingIp(const Request& request) {
  if (floating_ips_.erase(request.captures[0]) == 0) {
    return RefuseNeutron(404, "FloatingIPNotFound", "Floating IP could not be found.");
  }
  return {.status = 204};
}

Response FakeOpenStack::ListImages(const Request& request) {
  std::vector<Json> seen;
  for (const Json& image : images_) {
    const std::string name = request.Query("name");
    if (image["status"] == "active" && (name.empty() || image["name"] == name)) {
      seen.push_back(image);
    }
  }
  return Page(request, "images", seen);
}

Response FakeOpenStack::GetImage(const Request& request) {
  for (const Json& image : images_) {
    if (image["id"] == request.captures[0]) return {.body = image.dump()};
  }
  // As Glance does, in spite of what is accepted.
  return {.status = 404,
          .body = "<html><head><title>404 Not Found</title></head></html>",
          .content_type = "text/html"};
}

Response FakeOpenStack::ListVolumes(const Request& request) {
  std::vector<Json> seen;
  for (auto& [id, volume] : volumes_) {
    if (volume["name"] != request.Query("name")) continue;
    seen.push_back(volume);
    if (volume["status"] == "creating") volume["status"] = "available";
  }
  return Page(request, "volumes", seen);
}

Response FakeOpenStack::CreateVolume(const Request& request) {
  const Json wanted = Json::parse(request.body)["volume"];
  last_volume_ = wanted;
  const std::string id = NewId();
  volumes_[id] = {{"id", id},
                  {"name", wanted.value("name", "")},
                  {"status", "creating"},
                  {"size", wanted["size"]},
                  {"server", ""}};
  return {.status = 202, .body = Json{{"volume", volumes_[id]}}.dump()};
}

Response FakeOpenStack::DeleteVolume(const Request& request) {
  const auto it = volumes_.find(request.captures[0]);
  if (it == volumes_.end()) return RefuseOpenStack(404, "Volume could not be found.");
  if (it->second["status"] != "available") {
    return RefuseOpenStack(400, "Invalid volume: Volume status must be available or error");
  }
  volumes_.erase(it);
  return {.status = 202};
}

Response FakeOpenStack::ListVolumeTypes(const Request& request) {
  return Page(request, "volume_types", {{{"id", "t1"}, {"name", "lvmdriver-1"}}});
}

}  // namespace machine::fakes
