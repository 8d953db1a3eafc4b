#include "drivers/google/machine_instance.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/await.h"
#include "drivers/sdk/cloud/choices.h"
#include "drivers/sdk/cloud/names.h"
#include "services/common/crypto/digest.h"
#include "services/common/crypto/random.h"
#include "services/common/status/status.h"

namespace machine::driver::gce {
namespace {

// https://cloud.google.com/compute/docs/naming-resources
constexpr size_t kMaxNameBytes = 63;
constexpr size_t kUidBytes = 8;
constexpr int kMaxChanges = 5;

// https://cloud.google.com/compute/docs/instances/instance-lifecycle
constexpr StateWord kStates[] = {
    {"PROVISIONING", machine::v1::MACHINE_STATE_STARTING},
    {"STAGING", machine::v1::MACHINE_STATE_STARTING},
    {"RUNNING", machine::v1::MACHINE_STATE_RUNNING},
    {"PENDING_STOP", machine::v1::MACHINE_STATE_STOPPING},
    {"STOPPING", machine::v1::MACHINE_STATE_STOPPING},
    {"STOPPED", machine::v1::MACHINE_STATE_STOPPED},
    {"TERMINATED", machine::v1::MACHINE_STATE_STOPPED},
    {"SUSPENDING", machine::v1::MACHINE_STATE_STOPPING},
    {"SUSPENDED", machine::v1::MACHINE_STATE_SAVED},
    {"REPAIRING", machine::v1::MACHINE_STATE_ERROR},
    {"DEPROVISIONING", machine::v1::MACHINE_STATE_REMOVING},
};

}  // namespace

RequestIds::RequestIds(const DriverCall& call)
    : prefix_(absl::StrCat(call.machine_uid(), "\n",
                           // Without an operation nothing tells two calls apart.
                           call.operation().empty() ? common::NewUuid() : call.operation(), "\n",
                           call.attempt(), "\n", call.fencing_token(), "\n")) {}

std::string RequestIds::Next(absl::string_view purpose) {
  std::string bytes = common::Sha256(absl::StrCat(prefix_, purpose, "\n", ++count_)).substr(0, 16);
  // A UUID of version 8 (RFC 9562): its bits are the maker's own.
  bytes[6] = static_cast<char>((bytes[6] & 0x0f) | 0x80);
  bytes[8] = static_cast<char>((bytes[8] & 0x3f) | 0x80);
  const std::string hex = absl::BytesToHexString(bytes);
  return absl::StrCat(hex.substr(0, 8), "-", hex.substr(8, 4), "-", hex.substr(12, 4), "-",
                      hex.substr(16, 4), "-", hex.substr(20));
}

std::string InstanceName(const MachineSpec& machine, const Settings& settings) {
  if (settings.use_existing) return HostName(machine.name, kMaxNameBytes);
  const std::string name = HostName(machine.name, kMaxNameBytes - kUidBytes - 3);
  const bool letter = absl::ascii_isalpha(static_cast<unsigned char>(name[0]));
  return absl::StrCat(letter ? "" : "m-", name, "-", machine.uid.substr(0, kUidBytes));
}

MachineState StateOfInstance(absl::string_view status) { return StateOf(kStates, status); }

Observation ObservationOf(const Instance& instance, const Settings& settings) {
  Observation observation;
  observation.set_state(StateOfInstance(instance.status));
  observation.set_instance_id(instance.name);
  machine::v1::Endpoint& endpoint = *observation.mutable_endpoint();
  // The first one is the one to use.
  std::vector<std::string> addresses = {instance.external_ip, instance.internal_ip};
  if (settings.use_internal_ip) std::reverse(addresses.begin(), addresses.end());
  for (const std::string& address : addresses) {
    if (!address.empty()) endpoint.add_ip_addresses(address);
  }
  endpoint.set_ssh_port(22);
  endpoint.set_ssh_user(settings.username);
  if (endpoint.ip_addresses().empty()) return observation;
  endpoint.set_ssh_host(endpoint.ip_addresses(0));
  if (observation.state() == machine::v1::MACHINE_STATE_RUNNING) {
    endpoint.set_docker_url(absl::StrCat("tcp://", endpoint.ip_addresses(0), ":", kEnginePort));
  }
  return observation;
}

absl::StatusOr<State> ImportedState(absl::string_view driver_json) {
  const auto fields = nlohmann::json::parse(driver_json, nullptr, /*allow_exceptions=*/false);
  State state;
  state.set_imported(true);
  state.set_created(true);
  const auto name = fields.is_object() ? fields.find("MachineName") : fields.end();
  if (name != fields.end() && name->is_string()) state.set_instance(name->get<std::string>());
  if (!state.instance().empty()) return state;
  return common::Error(absl::StatusCode::kFailedPrecondition,
                       machine::v1::ERROR_REASON_INSTANCE_GONE,
                       "the imported config.json has no MachineName: no instance was made");
}

absl::StatusOr<std::optional<Instance>> FindInstance(const common::CallScope& call,
                                                     const GoogleApi& api,
                                                     const MachineSpec& machine,
                                                     const Settings& settings) {
  State state;
  DM_RETURN_IF_ERROR(machine.ParseState(state));
  const std::string name =
      state.instance().empty() ? InstanceName(machine, settings) : state.instance();
  DM_ASSIGN_OR_RETURN(std::optional<Instance> instance,
                      api.FindInstance(call, settings.zone, name));
  // A name alone proves nothing, but of one that was imported nothing else is known.
  if (!state.imported() && instance.has_value() && instance->Label(kUidLabel) != machine.uid) {
    instance.reset();
  }
  return instance;
}

absl::StatusOr<Instance> RequireInstance(const common::CallScope& call, const GoogleApi& api,
                                         const MachineSpec& machine, const Settings& settings) {
  DM_ASSIGN_OR_RETURN(std::optional<Instance> instance, FindInstance(call, api, machine, settings));
  if (instance.has_value()) return *std::move(instance);
  return InstanceGone(absl::StrCat("project ", settings.project, " has no instance of machine ",
                                   machine.name, " in zone ", settings.zone));
}

absl::Status AwaitOperation(const common::CallScope& call, const GoogleApi& api,
                            const Timing& timing, const Operation& operation) {
  if (operation.done) return operation.failure;
  int unseen = 0;
  const auto look = [&]() -> absl::StatusOr<std::optional<Operation>> {
    absl::StatusOr<Operation> now = api.GetOperation(call, operation);
    // What was just begun may take a while to show.
    if (absl::IsNotFound(now.status()) && ++unseen < timing.settling.looks) return std::nullopt;
    if (!now.ok()) return now.status();
    if (!now->done) return std::nullopt;
    return *std::move(now);
  };
  DM_ASSIGN_OR_RETURN(const Operation ended, Await<Operation>(call, timing.poll, look));
  return ended.failure;
}

absl::Status AwaitOperation(const common::CallScope& call, const GoogleApi& api,
                            const Timing& timing, const std::optional<Operation>& operation) {
  return operation.has_value() ? AwaitOperation(call, api, timing, *operation) : absl::OkStatus();
}

absl::Status ChangeInstance(const common::CallScope& call, const GoogleApi& api,
                            const Timing& timing, absl::string_view zone, absl::string_view name,
                            absl::FunctionRef<bool(Instance&)> change,
                            absl::FunctionRef<absl::StatusOr<Operation>(const Instance&)> send) {
  for (int attempt = 1;; ++attempt) {
    DM_RETURN_IF_ERROR(call.Check());
    DM_ASSIGN_OR_RETURN(std::optional<Instance> instance, api.FindInstance(call, zone, name));
    if (!instance.has_value()) {
      return InstanceGone(absl::StrCat("there is no instance ", name, " in zone ", zone));
    }
    if (!change(*instance)) return absl::OkStatus();
    const absl::StatusOr<Operation> sent = send(*instance);
    absl::Status status = sent.ok() ? AwaitOperation(call, api, timing, *sent) : sent.status();
    if ((!status.ok() && !absl::IsAborted(status)) || attempt == kMaxChanges) return status;
    if (!status.ok()) DM_RETURN_IF_ERROR(PauseBetweenLooks(call, timing.poll, attempt));
  }
}

InstanceCreator::InstanceCreator(DriverCall& call, const GoogleApi& api, const Timing& timing,
                                 const MachineSpec& machine, const Settings& settings)
    : call_(call), api_(api), timing_(timing), machine_(machine), settings_(settings), ids_(call) {}

}  // namespace machine::driver::gce
