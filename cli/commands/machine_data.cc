#include "cli/commands/machine_data.h"

#include <string>

#include "cli/commands/machines.h"
#include "cli/output/time_text.h"
#include "services/common/legacy/machine_config.h"

namespace machine::cli {

using nlohmann::ordered_json;

ordered_json MachineData(const machine::v1::Machine& machine, bool active,
                         absl::string_view swarm) {
  ordered_json data;
  data["name"] = std::string(common::MachineId(machine.name()));
  data["active"] = active;
  data["driver"] = machine.driver();
  data["state"] = std::string(StateWord(machine.state()));
  data["url"] = machine.endpoint().docker_url();
  data["ip_addresses"] = ordered_json::array();
  for (const std::string& ip : machine.endpoint().ip_addresses()) {
    data["ip_addresses"].push_back(ip);
  }
  data["swarm"] = std::string(swarm);
  data["swarm_master"] = machine.swarm().master();
  data["docker_version"] = machine.docker_version();
  data["os"] = machine.os_id();
  data["labels"] = ordered_json::object();
  for (const auto& [key, value] : machine.labels()) data["labels"][key] = value;
  data["engine_labels"] = ordered_json::array();
  for (const std::string& label : machine.engine().labels()) data["engine_labels"].push_back(label);
  data["error"] = machine.last_error().message();
  if (machine.auth().has_server_cert_expire_time()) {
    data["server_cert_expire_time"] = IsoTime(machine.auth().server_cert_expire_time());
  }
  if (machine.has_create_time()) data["create_time"] = IsoTime(machine.create_time());
  return data;
}

}  // namespace machine::cli
