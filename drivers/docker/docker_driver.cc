#include "drivers/docker/docker_driver.h"

#include <algorithm>
#include <map>
#include <thread>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "drivers/docker/machine_container.h"
#include "drivers/docker/machine_creator.h"
#include "services/common/status/status.h"

namespace machine::driver::docker {
namespace {

constexpr absl::string_view kPowerOff = "SIGRTMIN+3";
// What the host image needs at most: see deploy/hostimage/README.md.
constexpr absl::Duration kDefaultGrace = absl::Seconds(30);
// The signal is lost on a guest whose systemd has only just begun; a second one changes nothing.
constexpr absl::Duration kSignalAgainAfter = absl::Seconds(1);
constexpr absl::Duration kFirstPoll = absl::Milliseconds(25);
constexpr absl::Duration kSlowestPoll = absl::Milliseconds(500);
constexpr int64_t kMib = int64_t{1} << 20;
constexpr int64_t kNanosPerCpu = 1'000'000'000;

bool IsDown(const Container& container) {
  return container.status == "created" || container.status == "exited" ||
         container.status == "dead";
}

absl::StatusOr<Container> RequireContainer(const common::CallScope& call, Engine& engine,
                                           const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(std::optional<Container> container,
                      FindContainer(call, engine.api(), machine.uid));
  if (container.has_value()) return *std::move(container);
  return InstanceGone(absl::StrCat("the engine at ", engine.endpoint().ToString(),
                                   " has no container of machine ", machine.name));
}

// Waits until the machine is down; its observation then. Between two looks `nudge` is done.
absl::StatusOr<Observation> AwaitDown(
    const common::CallScope& call, Engine& engine, const MachineSpec& machine, absl::Duration grace,
    absl::FunctionRef<absl::Status(const Container&)> nudge = [](const Container&) {
      return absl::OkStatus();
    }) {
  const absl::Time deadline = absl::Now() + grace;
  for (absl::Duration pause = kFirstPoll;; pause = std::min(2 * pause, kSlowestPoll)) {
    DM_ASSIGN_OR_RETURN(const Container container, RequireContainer(call, engine, machine));
    if (IsDown(container)) return ObservationOf(container, engine.endpoint());
    DM_RETURN_IF_ERROR(nudge(container));
    if (absl::Now() >= deadline) {
      return common::Error(absl::StatusCode::kDeadlineExceeded,
                           machine::v1::ERROR_REASON_STEP_TIMEOUT,
                           absl::StrCat("machine ", machine.name, " did not shut down within ",
                                        absl::FormatDuration(grace), "; kill it if it must be"));
    }
    DM_RETURN_IF_ERROR(call.Sleep(pause));
  }
}

// Asks the machine to power off, and waits.
absl::StatusOr<Observation> PowerOff(const common::CallScope& call, Engine& engine,
                                     const MachineSpec& machine, absl::Duration grace) {
  absl::Time next_signal = absl::InfinitePast();
  return AwaitDown(call, engine, machine, grace, [&](const Container& container) -> absl::Status {
    if (absl::Now() < next_signal) return absl::OkStatus();
    next_signal = absl::Now() + kSignalAgainAfter;
    DM_RETURN_IF_ERROR(call.Check());
    // Nothing runs that could be asked; the engine must be kept from starting it again.
    if (container.status == "restarting") return engine.api().StopNow(call, container.id);
    // By a signal, not by the engine's stop, which kills after a while.
    return engine.api().Signal(call, container.id, kPowerOff);
  });
}

absl::StatusOr<Observation> PowerOn(const common::CallScope& call, Engine& engine,
                                    const MachineSpec& machine, const Container& container) {
  if (container.status == "running") return ObservationOf(container, engine.endpoint());
  DM_RETURN_IF_ERROR(call.Check());
  if (container.status == "paused") {
    DM_RETURN_IF_ERROR(engine.api().Unpause(call, container.id));
  } else {
    DM_RETURN_IF_ERROR(engine.api().Start(call, container.id));
  }
  return ObserveStarted(call, engine, machine.uid);
}

absl::Status CheckLimits(const EngineInfo& info, const Settings& settings) {
  if (info.memory_bytes > 0 && settings.memory_mib > info.memory_bytes / kMib) {
    return PreCreateCheckFailed(absl::StrCat("--", kMemoryFlag, ": the engine's host has ",
                                             info.memory_bytes / kMib, " MiB"));
  }
  if (info.cpus > 0 && settings.nano_cpus > info.cpus * kNanosPerCpu) {
    return PreCreateCheckFailed(
        absl::StrCat("--", kCpusFlag, ": the engine's host has ", info.cpus, " CPUs"));
  }
  if (settings.disk_mib > 0 && info.backing_file_system != "xfs") {
    return PreCreateCheckFailed(absl::StrCat(
        "--", kDiskFlag, ": the engine can limit a machine's disk only on XFS with project quotas",
        info.backing_file_system.empty() ? "" : ", and its storage is on ",
        info.backing_file_system));
  }
  return absl::OkStatus();
}

absl::Status CheckEngine(const common::CallScope& call, Engine& engine, const Settings& settings) {
  EngineApi& api = engine.api();
  DM_RETURN_IF_ERROR(api.Connect(call));
  DM_ASSIGN_OR_RETURN(const EngineInfo info, api.Info(call));
  if (info.os_type != "linux") {
    return PreCreateCheckFailed(absl::StrCat("the engine at ", engine.endpoint().ToString(),
                                             " runs ", info.os_type,
                                             " containers; machines need linux"));
  }
  DM_RETURN_IF_ERROR(CheckLimits(info, settings));
  DM_ASSIGN_OR_RETURN(const bool has_image, api.HasImage(call, settings.image));
  if (!has_image) {
    return PreCreateCheckFailed(
        absl::StrCat("the engine at ", engine.endpoint().ToString(), " has no image ",
                     settings.image, "; build it with: deploy/hostimage/build.sh --docker-host ",
                     engine.endpoint().ToString(), " --image ", settings.image));
  }
  DM_ASSIGN_OR_RETURN(const bool has_network, api.HasNetwork(call, settings.network));
  if (!has_network) {
    return PreCreateCheckFailed(absl::StrCat("--", kNetworkFlag, ": the engine at ",
                                             engine.endpoint().ToString(), " has no network ",
                                             settings.network));
  }
  return absl::OkStatus();
}

Observation NotFound() {
  Observation observation;
  observation.set_state(machine::v1::MACHINE_STATE_NOT_FOUND);
  return observation;
}

// The machines of one engine in a batch, by their place in it.
struct Share {
  std::shared_ptr<Engine> engine;
  std::vector<size_t> places;
  absl::Status failure;
};

// One request for all machines of the share.
absl::Status InspectShare(const common::CallScope& call, const Labels& labels,
                          absl::Span<const MachineSpec> machines, const Share& share,
                          std::vector<Observation>& observations) {
  DM_ASSIGN_OR_RETURN(const std::vector<Container> containers,
                      share.engine->api().List(call, labels));
  std::map<std::string, const Container*> by_uid;
  for (const Container& container : containers) {
    const auto uid = container.labels.find(std::string(kUidLabel));
    if (uid != container.labels.end()) by_uid[uid->second] = &container;
  }
  for (const size_t place : share.places) {
    const auto found = by_uid.find(machines[place].uid);
    observations[place] = found == by_uid.end()
                              ? NotFound()
                              : ObservationOf(*found->second, share.engine->endpoint());
  }
  return absl::OkStatus();
}

Labels AllOf(absl::string_view orchestrator_id) {
  return {{std::string(kOrchestratorLabel), std::string(orchestrator_id)},
          {std::string(kRoleLabel), std::string(kMachineRole)}};
}

}  // namespace

DockerDriver::DockerDriver(std::string default_endpoint, EngineTransportFactory make_transport)
    : default_endpoint_(std::move(default_endpoint)), engines_(std::move(make_transport)) {}

DriverInfo DockerDriver::info() const {
  DriverInfo info;
  info.name = "docker";
  info.capabilities = {::driver::v1::CAPABILITY_LIST_INSTANCES, ::driver::v1::CAPABILITY_KILL,
                       ::driver::v1::CAPABILITY_PAUSE, ::driver::v1::CAPABILITY_POWER,
                       ::driver::v1::CAPABILITY_RESTART};
  return info;
}

Flags DockerDriver::flags() const { return DockerFlags(); }

absl::StatusOr<std::shared_ptr<Engine>> DockerDriver::EngineOf(const Options& options) {
  DM_ASSIGN_OR_RETURN(const Endpoint endpoint, ReadEndpoint(options, default_endpoint_));
  return engines_.At(endpoint);
}

absl::Status DockerDriver::Validate(Options& options) const {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(options, default_endpoint_));
  // The default may be another one tomorrow; the machine stays where it is.
  options.SetString(kEndpointFlag, settings.endpoint.ToString());
  return absl::OkStatus();
}

absl::Status DockerDriver::PreCreateCheck(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options, default_endpoint_));
  DM_ASSIGN_OR_RETURN(const std::shared_ptr<Engine> engine, engines_.At(settings.endpoint));
  absl::Status status = CheckEngine(call, *engine, settings);
  // Somebody waits for the answer: an engine that is down is no reason to try for half an hour.
  if (absl::IsUnavailable(status)) return PreCreateCheckFailed(status.message());
  return status;
}

absl::StatusOr<Observation> DockerDriver::Create(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options, default_endpoint_));
  DM_ASSIGN_OR_RETURN(const std::shared_ptr<Engine> engine, engines_.At(settings.endpoint));
  return MachineCreator(call, *engine, machine, settings).Run();
}

absl::StatusOr<Observation> DockerDriver::Start(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const std::shared_ptr<Engine> engine, EngineOf(machine.options));
  DM_ASSIGN_OR_RETURN(const Container container, RequireContainer(call, *engine, machine));
  call.Progress("Starting container...");
  return PowerOn(call, *engine, machine, container);
}

absl::StatusOr<Observation> DockerDriver::Stop(DriverCall& call, const MachineSpec& machine,
                                               std::optional<absl::Duration> grace) {
  DM_ASSIGN_OR_RETURN(const std::shared_ptr<Engine> engine, EngineOf(machine.options));
  call.Progress("Stopping container...");
  return PowerOff(call, *engine, machine, grace.value_or(kDefaultGrace));
}

absl::StatusOr<Observation> DockerDriver::Kill(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const std::shared_ptr<Engine> engine, EngineOf(machine.options));
  DM_ASSIGN_OR_RETURN(const Container container, RequireContainer(call, *engine, machine));
  call.Progress("Killing container...");
  DM_RETURN_IF_ERROR(call.Check());
  if (container.status == "restarting") {
    DM_RETURN_IF_ERROR(engine->api().StopNow(call, container.id));
  } else if (!IsDown(container)) {
    DM_RETURN_IF_ERROR(engine->api().Signal(call, container.id, "SIGKILL"));
  }
  return AwaitDown(call, *engine, machine, kDefaultGrace);
}

absl::StatusOr<Observation> DockerDriver::Restart(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const std::shared_ptr<Engine> engine, EngineOf(machine.options));
  call.Progress("Restarting container...");
  DM_RETURN_IF_ERROR(PowerOff(call, *engine, machine, kDefaultGrace).status());
  DM_ASSIGN_OR_RETURN(const Container container, RequireContainer(call, *engine, machine));
  return PowerOn(call, *engine, machine, container);
}

absl::Status DockerDriver::Remove(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const std::shared_ptr<Engine> engine, EngineOf(machine.options));
  EngineApi& api = engine->api();
  const Labels ours = FindAll(machine.uid);
  DM_ASSIGN_OR_RETURN(const std::vector<Container> containers, api.List(call, ours));
  if (!containers.empty()) call.Progress("Removing container...");
  for (const Container& container : containers) {
    DM_RETURN_IF_ERROR(call.Check());
    DM_RETURN_IF_ERROR(common::Annotate(api.RemoveContainer(call, container.id),
                                        absl::StrCat("removing container ", container.name)));
  }
  DM_RETURN_IF_ERROR(AwaitRemoved(call, api, ours));
  DM_ASSIGN_OR_RETURN(const std::vector<std::string> volumes, api.ListVolumes(call, ours));
  for (const std::string& volume : volumes) {
    DM_RETURN_IF_ERROR(call.Check());
    DM_RETURN_IF_ERROR(
        common::Annotate(api.RemoveVolume(call, volume), absl::StrCat("removing volume ", volume)));
  }
  return absl::OkStatus();
}

absl::StatusOr<Observation> DockerDriver::Inspect(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const std::shared_ptr<Engine> engine, EngineOf(machine.options));
  DM_ASSIGN_OR_RETURN(const std::optional<Container> container,
                      FindContainer(call, engine->api(), machine.uid));
  return container.has_value() ? ObservationOf(*container, engine->endpoint()) : NotFound();
}

absl::StatusOr<std::vector<Observation>> DockerDriver::BatchInspect(
    DriverCall& call, absl::Span<const MachineSpec> machines) {
  std::vector<Share> shares;
  for (size_t place = 0; place < machines.size(); ++place) {
    DM_ASSIGN_OR_RETURN(std::shared_ptr<Engine> engine, EngineOf(machines[place].options));
    auto share = std::find_if(shares.begin(), shares.end(),
                              [&](const Share& other) { return other.engine == engine; });
    if (share == shares.end()) share = shares.insert(share, Share{std::move(engine), {}, {}});
    share->places.push_back(place);
  }
  std::vector<Observation> observations(machines.size());
  // Of whichever orchestrator: the call names none, and one that was restored has a new id.
  const Labels labels = {{std::string(kRoleLabel), std::string(kMachineRole)}};
  const auto inspect = [&](Share& share) {
    share.failure = InspectShare(call, labels, machines, share, observations);
  };
  // At once: an engine that does not answer delays no other.
  std::vector<std::thread> threads;
  for (size_t i = 1; i < shares.size(); ++i) threads.emplace_back(inspect, std::ref(shares[i]));
  if (!shares.empty()) inspect(shares.front());
  for (std::thread& thread : threads) thread.join();

  size_t failed = 0;
  for (const Share& share : shares) {
    if (share.failure.ok()) continue;
    ++failed;
    for (const size_t place : share.places) {
      observations[place].set_state(machine::v1::MACHINE_STATE_TIMEOUT);
    }
  }
  // A cause that all share is worth more than a list of blanks.
  if (failed > 0 && failed == shares.size()) return shares.front().failure;
  return observations;
}

absl::StatusOr<std::vector<::driver::v1::ListInstancesResponse>> DockerDriver::ListInstances(
    DriverCall& call, absl::string_view orchestrator_id, const Options& options) {
  DM_ASSIGN_OR_RETURN(const std::shared_ptr<Engine> engine, EngineOf(options));
  DM_ASSIGN_OR_RETURN(const std::vector<Container> containers,
                      engine->api().List(call, AllOf(orchestrator_id)));
  std::vector<::driver::v1::ListInstancesResponse> instances;
  for (const Container& container : containers) {
    ::driver::v1::ListInstancesResponse& instance = instances.emplace_back();
    const auto uid = container.labels.find(std::string(kUidLabel));
    if (uid != container.labels.end()) instance.set_machine_uid(uid->second);
    *instance.mutable_observation() = ObservationOf(container, engine->endpoint());
  }
  return instances;
}

}  // namespace machine::driver::docker
