#include "drivers/docker/machine_creator.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "drivers/sdk/adopt.h"
#include "drivers/sdk/ustar.h"
#include "services/common/status/status.h"

namespace machine::driver::docker {
namespace {

// Enough for a row of taken ports; each costs a container that does not start.
constexpr int kMaxContainers = 32;
constexpr absl::Duration kPoll = absl::Milliseconds(50);
constexpr int kLogLines = 10;

absl::Status Failed(absl::string_view message) {
  return common::Error(absl::StatusCode::kFailedPrecondition,
                       machine::v1::ERROR_REASON_HOST_COMMAND_FAILED, message);
}

// The engine asks for every capability there is, and its own machine lacks one. In the words of
// runc; newer ones put "can't apply capabilities" in between.
bool RefusesPrivileged(const absl::Status& status) {
  return absl::StrContains(status.message(), "unable to apply caps") ||
         absl::StrContains(status.message(), "apply capabilities");
}

bool PortIsTaken(const absl::Status& status) {
  return absl::StrContains(status.message(), "port is already allocated") ||
         absl::StrContains(status.message(), "address already in use");
}

}  // namespace

absl::StatusOr<std::optional<Container>> FindContainer(const common::CallScope& call,
                                                       EngineApi& api, absl::string_view uid) {
  DM_ASSIGN_OR_RETURN(const std::vector<Container> found, api.List(call, FindMachine(uid)));
  if (found.empty()) return std::nullopt;
  return found.front();
}

absl::Status AwaitRemoved(const common::CallScope& call, EngineApi& api, const Labels& labels) {
  while (true) {
    DM_ASSIGN_OR_RETURN(const std::vector<Container> found, api.List(call, labels));
    if (found.empty()) return absl::OkStatus();
    DM_RETURN_IF_ERROR(call.Sleep(kPoll));
  }
}

absl::StatusOr<Observation> ObserveStarted(const common::CallScope& call, Engine& engine,
                                           absl::string_view uid) {
  DM_ASSIGN_OR_RETURN(const std::optional<Container> container,
                      FindContainer(call, engine.api(), uid));
  if (!container.has_value()) return InstanceGone("the container was removed while it started");
  if (container->status == "running") return ObservationOf(*container, engine.endpoint());
  const absl::StatusOr<std::string> output = engine.api().Logs(call, container->id, kLogLines);
  return Failed(absl::StrCat("container ", container->name, " ended as soon as it was started (",
                             container->status, ")", output.ok() && !output->empty() ? ": " : "",
                             output.value_or("")));
}

absl::StatusOr<std::string> KeyArchive(absl::string_view user, absl::string_view passwd,
                                       absl::string_view public_key) {
  for (const absl::string_view line : absl::StrSplit(passwd, '\n')) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, ':');
    uint32_t uid = 0;
    uint32_t gid = 0;
    if (fields.size() != 7 || fields[0] != user || !absl::SimpleAtoi(fields[2], &uid) ||
        !absl::SimpleAtoi(fields[3], &gid)) {
      continue;
    }
    const std::string folder = absl::StrCat(absl::StripPrefix(fields[5], "/"), "/.ssh/");
    return WriteTar({{.path = folder, .mode = 0700, .uid = uid, .gid = gid},
                     {.path = absl::StrCat(folder, "authorized_keys"),
                      .mode = 0600,
                      .uid = uid,
                      .gid = gid,
                      .contents = absl::StrCat(absl::StripSuffix(public_key, "\n"), "\n")}});
  }
  return Failed(absl::StrCat("the image has no user \"", user, "\": see --", kSshUserFlag));
}

MachineCreator::MachineCreator(DriverCall& call, Engine& engine, const MachineSpec& machine,
                               const Settings& settings)
    : call_(call),
      engine_(engine),
      api_(engine.api()),
      machine_(machine),
      settings_(settings),
      identity_{machine.uid, machine.name, call.orchestrator_id()} {}

absl::StatusOr<Observation> MachineCreator::Run() {
  DM_RETURN_IF_ERROR(machine_.ParseState(state_));
  if (!state_.has_privileges() && engine_.known_privileges().has_value()) {
    *state_.mutable_privileges() = *engine_.known_privileges();
  }
  call_.Progress("Creating container...");
  for (int i = 0; i < kMaxContainers; ++i) {
    DM_ASSIGN_OR_RETURN(const Container container, AdoptOrCreateContainer());
    state_.set_container_id(container.id);
    call_.Checkpoint(state_);
    DM_ASSIGN_OR_RETURN(const Outcome outcome, BringUp(container));
    if (outcome == Outcome::kMakeAnotherOne) continue;
    engine_.RememberPrivileges(state_.privileges());
    DM_ASSIGN_OR_RETURN(Observation observation, ObserveStarted(call_, engine_, machine_.uid));
    SetState(state_, observation);
    return observation;
  }
  return Failed("no free ports on the engine's host to publish the machine's own at");
}

absl::StatusOr<Container> MachineCreator::AdoptOrCreateContainer() {
  return AdoptOrCreate<Container>(
      call_, [&] { return FindContainer(call_, api_, machine_.uid); },
      [&] { return CreateContainer(); },
      [&](const Container& found) { return CheckSameSettings(found, settings_); });
}

absl::StatusOr<Container> MachineCreator::CreateContainer() {
  DM_RETURN_IF_ERROR(CreateVolumes());
  std::optional<PublishedPorts> ports;
  if (!engine_.endpoint().local()) ports = PortsToTry(machine_.uid, port_attempt_);
  Container container;
  container.name = ContainerName(identity_);
  container.status = "created";
  DM_RETURN_IF_ERROR(call_.Check());
  DM_ASSIGN_OR_RETURN(
      container.id,
      common::Annotate(api_.CreateContainer(
                           call_, container.name,
                           MachineSpecification(identity_, settings_, state_.privileges(), ports)),
                       absl::StrCat("creating container ", container.name)));
  return container;
}

absl::Status MachineCreator::CreateVolumes() {
  DM_RETURN_IF_ERROR(call_.Check());
  DM_RETURN_IF_ERROR(
      common::Annotate(api_.CreateVolume(call_, VolumeName(identity_, "docker"),
                                         VolumeLabels(identity_), settings_.disk_mib),
                       "creating the volume for /var/lib/docker"));
  return common::Annotate(api_.CreateVolume(call_, VolumeName(identity_, "containerd"),
                                            VolumeLabels(identity_), /*size_mib=*/0),
                          "creating the volume for /var/lib/containerd");
}

absl::StatusOr<MachineCreator::Outcome> MachineCreator::BringUp(const Container& container) {
  if (container.status == "removing" || container.status == "dead") {
    DM_RETURN_IF_ERROR(RemoveContainer(container));
    return Outcome::kMakeAnotherOne;
  }
  // Also where an earlier attempt may have done it: nothing tells whether it got that far.
  DM_RETURN_IF_ERROR(call_.Check());
  DM_RETURN_IF_ERROR(common::Annotate(PutKey(container.id), "putting the ssh key in place"));
  if (container.status == "running" || container.status == "restarting") return Outcome::kRuns;
  DM_RETURN_IF_ERROR(call_.Check());
  if (container.status == "paused") {
    DM_RETURN_IF_ERROR(api_.Unpause(call_, container.id));
    return Outcome::kRuns;
  }
  return StartContainer(container);
}

absl::StatusOr<MachineCreator::Outcome> MachineCreator::StartContainer(const Container& container) {
  call_.Progress("Starting container...");
  const absl::Status started = api_.Start(call_, container.id);
  if (started.ok()) return Outcome::kRuns;
  if (RefusesPrivileged(started) && !privileges_refused_) {
    privileges_refused_ = true;
    DM_RETURN_IF_ERROR(RemoveContainer(container));
    DM_RETURN_IF_ERROR(LearnCapabilities());
    call_.Checkpoint(state_);
    return Outcome::kMakeAnotherOne;
  }
  if (PortIsTaken(started) && !engine_.endpoint().local()) {
    ++port_attempt_;
    DM_RETURN_IF_ERROR(RemoveContainer(container));
    return Outcome::kMakeAnotherOne;
  }
  return common::Annotate(started, absl::StrCat("starting container ", container.name));
}

absl::Status MachineCreator::PutKey(absl::string_view id) {
  DM_ASSIGN_OR_RETURN(const std::string archive, api_.GetArchive(call_, id, "/etc/passwd"));
  DM_ASSIGN_OR_RETURN(const std::string passwd, FirstFileOfTar(archive));
  DM_ASSIGN_OR_RETURN(std::string keys,
                      KeyArchive(settings_.ssh_user, passwd, machine_.ssh_public_key));
  return api_.PutArchive(call_, id, std::move(keys));
}

absl::Status MachineCreator::RemoveContainer(const Container& container) {
  DM_RETURN_IF_ERROR(call_.Check());
  DM_RETURN_IF_ERROR(api_.RemoveContainer(call_, container.id));
  return AwaitRemoved(call_, api_, FindMachine(machine_.uid));
}

absl::Status MachineCreator::LearnCapabilities() {
  call_.Info("The engine refuses privileged containers; asking which capabilities it has...");
  DM_RETURN_IF_ERROR(call_.Check());
  const std::string name = absl::StrCat(ContainerName(identity_), "-probe");
  absl::StatusOr<std::string> id =
      api_.CreateContainer(call_, name, ProbeSpecification(identity_, settings_.image));
  // One of an attempt that was cut short is as good.
  if (absl::IsAlreadyExists(id.status())) id = name;
  DM_RETURN_IF_ERROR(id.status());
  const absl::StatusOr<uint64_t> bounding_set = AskBoundingSet(*id);
  DM_RETURN_IF_ERROR(api_.RemoveContainer(call_, *id));
  if (!bounding_set.ok()) {
    return common::Annotate(bounding_set.status(), "asking for the engine's capabilities");
  }
  state_.mutable_privileges()->set_by_capabilities(true);
  state_.mutable_privileges()->set_bounding_set(*bounding_set);
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> MachineCreator::AskBoundingSet(absl::string_view probe_id) {
  DM_RETURN_IF_ERROR(api_.Start(call_, probe_id));
  DM_RETURN_IF_ERROR(api_.Wait(call_, probe_id).status());
  DM_ASSIGN_OR_RETURN(const std::string output, api_.Logs(call_, probe_id, /*lines=*/1));
  return ParseBoundingSet(output);
}

}  // namespace machine::driver::docker
