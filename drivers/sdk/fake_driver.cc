#include "drivers/sdk/fake_driver.h"

#include <google/protobuf/wrappers.pb.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/adopt.h"
#include "services/common/status/status.h"

namespace machine::driver {
namespace {

Observation Observe(const FakeInstance& instance) {
  Observation observation;
  observation.set_state(instance.running ? machine::v1::MACHINE_STATE_RUNNING
                                         : machine::v1::MACHINE_STATE_STOPPED);
  observation.set_instance_id(instance.id);
  machine::v1::Endpoint& endpoint = *observation.mutable_endpoint();
  if (instance.running) {
    endpoint.add_ip_addresses("192.0.2.1");
    endpoint.set_docker_url("tcp://192.0.2.1:2376");
    endpoint.set_ssh_host("192.0.2.1");
    endpoint.set_ssh_port(22);
    endpoint.set_ssh_user("root");
  }
  google::protobuf::StringValue state;
  state.set_value(instance.id);
  SetState(state, observation);
  return observation;
}

}  // namespace

DriverInfo FakeDriver::info() const {
  DriverInfo info;
  info.name = "fake";
  info.capabilities = behavior_.capabilities;
  info.state_version = behavior_.state_version;
  info.max_concurrent_calls = 8;
  return info;
}

Flags FakeDriver::flags() const {
  return Flags()
      .String("fake-token")
      .Usage("Token of the account")
      .Env("FAKE_TOKEN")
      .Required()
      .Secret()
      .String("fake-size")
      .Usage("Size of the instance")
      .Env("FAKE_SIZE")
      .Default("small")
      .OneOf({"small", "large"})
      .Int("fake-count")
      .Usage("Number of processors")
      .Default(1)
      .Range(1, 8);
}

std::optional<FakeInstance> FakeDriver::Find(absl::string_view uid) const {
  absl::MutexLock lock(&mu_);
  for (const FakeInstance& instance : instances_) {
    if (instance.uid == uid) return instance;
  }
  return std::nullopt;
}

FakeInstance FakeDriver::Make(const DriverCall& call, const MachineSpec& machine) {
  absl::MutexLock lock(&mu_);
  return instances_.emplace_back(FakeInstance{.id = absl::StrCat("i-", ++made_),
                                              .uid = machine.uid,
                                              .orchestrator_id = call.orchestrator_id(),
                                              .size = machine.options.GetString("fake-size")});
}

absl::StatusOr<Observation> FakeDriver::Create(DriverCall& call, const MachineSpec& machine) {
  call.Progress("creating the instance", 10);
  if (behavior_.logs_secret) call.Info(machine.options.GetSecret("fake-token"));
  const auto find = [&]() -> absl::StatusOr<std::optional<FakeInstance>> {
    if (behavior_.forgets_instances) return std::optional<FakeInstance>();
    return Find(machine.uid);
  };
  const auto create = [&]() -> absl::StatusOr<FakeInstance> { return Make(call, machine); };
  const auto matches = [&](const FakeInstance& found) {
    const std::string& size = machine.options.GetString("fake-size");
    return found.size == size ? absl::OkStatus()
                              : InstanceDiffers(found.id, absl::StrCat("its size is ", found.size,
                                                                       ", not ", size));
  };
  DM_ASSIGN_OR_RETURN(const FakeInstance instance,
                      AdoptOrCreate<FakeInstance>(call, find, create, matches));
  google::protobuf::StringValue state;
  state.set_value(instance.id);
  call.Checkpoint(state);
  if (behavior_.in_create) DM_RETURN_IF_ERROR(behavior_.in_create(call));
  DM_RETURN_IF_ERROR(call.Check());
  return Observe(instance);
}

absl::StatusOr<Observation> FakeDriver::SetRunning(const MachineSpec& machine, bool running) {
  absl::MutexLock lock(&mu_);
  for (FakeInstance& instance : instances_) {
    if (instance.uid != machine.uid) continue;
    if (behavior_.stops_only_once && !running && !instance.running) {
      return absl::FailedPreconditionError("it is stopped already");
    }
    instance.running = running;
    return Observe(instance);
  }
  return InstanceGone("there is no instance of this machine");
}

absl::StatusOr<Observation> FakeDriver::Start(DriverCall&, const MachineSpec& machine) {
  if (!info().Can(::driver::v1::CAPABILITY_POWER)) return DoesNotSupport("fake", "start");
  return SetRunning(machine, true);
}

absl::StatusOr<Observation> FakeDriver::Stop(DriverCall&, const MachineSpec& machine,
                                             std::optional<absl::Duration>) {
  if (!info().Can(::driver::v1::CAPABILITY_POWER)) return DoesNotSupport("fake", "stop");
  return SetRunning(machine, false);
}

absl::StatusOr<Observation> FakeDriver::Kill(DriverCall&, const MachineSpec& machine) {
  return SetRunning(machine, false);
}

absl::StatusOr<Observation> FakeDriver::Restart(DriverCall&, const MachineSpec& machine) {
  return SetRunning(machine, true);
}

absl::Status FakeDriver::Remove(DriverCall&, const MachineSpec& machine) {
  VanishForTest(machine.uid).IgnoreError();
  return absl::OkStatus();
}

absl::StatusOr<Observation> FakeDriver::Inspect(DriverCall&, const MachineSpec& machine) {
  if (behavior_.throws) throw std::runtime_error("a library's exception");
  const std::optional<FakeInstance> instance = Find(machine.uid);
  if (instance.has_value()) return Observe(*instance);
  Observation gone;
  gone.set_state(machine::v1::MACHINE_STATE_NOT_FOUND);
  return gone;
}

absl::StatusOr<std::vector<::driver::v1::ListInstancesResponse>> FakeDriver::ListInstances(
    DriverCall&, absl::string_view orchestrator_id, const Options&) {
  std::vector<::driver::v1::ListInstancesResponse> found;
  for (const FakeInstance& instance : InstancesForTest()) {
    if (instance.orchestrator_id != orchestrator_id) continue;
    ::driver::v1::ListInstancesResponse& response = found.emplace_back();
    response.set_machine_uid(instance.uid);
    *response.mutable_observation() = Observe(instance);
  }
  return found;
}

absl::StatusOr<std::string> FakeDriver::UpgradeState(DriverCall&, const MachineSpec& machine) {
  google::protobuf::StringValue state;
  state.set_value(absl::StrCat("upgraded ", *machine.state));
  return state.SerializeAsString();
}

std::vector<FakeInstance> FakeDriver::InstancesForTest() const {
  absl::MutexLock lock(&mu_);
  return instances_;
}

absl::Status FakeDriver::VanishForTest(absl::string_view uid) {
  absl::MutexLock lock(&mu_);
  const auto gone = std::remove_if(instances_.begin(), instances_.end(),
                                   [uid](const FakeInstance& each) { return each.uid == uid; });
  instances_.erase(gone, instances_.end());
  return absl::OkStatus();
}

}  // namespace machine::driver
