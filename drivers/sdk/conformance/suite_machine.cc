// What a driver does to machines.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "drivers/sdk/conformance/suite.h"
#include "services/common/status/status.h"

namespace machine::driver::conformance {
namespace {

using ::driver::v1::BatchInspectRequest;
using ::driver::v1::CreateRequest;
using ::driver::v1::InspectRequest;
using ::driver::v1::InspectResponse;
using ::driver::v1::KillRequest;
using ::driver::v1::ListInstancesRequest;
using ::driver::v1::MachineRef;
using ::driver::v1::Observation;
using ::driver::v1::RemoveRequest;
using ::driver::v1::RestartRequest;
using ::driver::v1::StartRequest;
using ::driver::v1::StopRequest;

using Stub = ::driver::v1::Driver::Stub;

// A request of any call about one machine.
template <typename Request>
Request About(MachineRef machine) {
  Request request;
  *request.mutable_machine() = std::move(machine);
  return request;
}

}  // namespace

absl::Status Suite::ChecksBeforeCreate() {
  return client_
      .Collect(&Stub::PreCreateCheck, About<::driver::v1::PreCreateCheckRequest>(Ref(main_)))
      .status();
}

absl::Status Suite::Creates() {
  const ActionOutcome outcome = client_.Act(&Stub::Create, About<CreateRequest>(Ref(main_)));
  DM_RETURN_IF_ERROR(ExpectDone(main_, outcome));
  main_.instance_id = outcome.result->instance_id();
  const machine::v1::MachineState wanted = options_.state_unknown_after_create
                                               ? machine::v1::MACHINE_STATE_UNSPECIFIED
                                               : machine::v1::MACHINE_STATE_RUNNING;
  DM_RETURN_IF_ERROR(
      Expect(outcome.result->state() == wanted,
             absl::StrCat("state ", MachineState_Name(outcome.result->state()), " after Create")));
  const machine::v1::Endpoint& endpoint = outcome.result->endpoint();
  DM_RETURN_IF_ERROR(Expect(endpoint.ip_addresses_size() > 0, "no address after Create"));
  DM_RETURN_IF_ERROR(Expect(absl::StartsWith(endpoint.docker_url(), "tcp://"),
                            absl::StrCat("docker_url is \"", endpoint.docker_url(), "\"")));
  if (Can(::driver::v1::CAPABILITY_NO_SSH)) {
    return Expect(endpoint.ssh_host().empty(), "a driver without ssh has an ssh host");
  }
  return Expect(
      !endpoint.ssh_host().empty() && endpoint.ssh_port() > 0 && !endpoint.ssh_user().empty(),
      "the endpoint lacks ssh host, port or user");
}

absl::Status Suite::AdoptsWhatItMade() {
  // As after a crash before the first checkpoint was stored, and as after one later.
  TestMachine without_state = {.uid = main_.uid};
  const ActionOutcome first = client_.Act(&Stub::Create, About<CreateRequest>(Ref(without_state)));
  DM_RETURN_IF_ERROR(common::Annotate(ExpectDone(without_state, first), "without state"));
  const ActionOutcome second = client_.Act(&Stub::Create, About<CreateRequest>(Ref(main_)));
  DM_RETURN_IF_ERROR(common::Annotate(ExpectDone(main_, second), "with state"));
  return Expect(first.result->instance_id() == main_.instance_id &&
                    second.result->instance_id() == main_.instance_id,
                absl::StrCat("there are instances ", main_.instance_id, ", ",
                             first.result->instance_id(), " and ", second.result->instance_id()));
}

absl::Status Suite::RefusesAnotherSpecification() {
  MachineRef machine = Ref(TestMachine{.uid = main_.uid});
  machine.clear_options();
  for (const auto& option : options_.different_options) *machine.add_options() = option;
  const ActionOutcome outcome = client_.Act(&Stub::Create, About<CreateRequest>(machine));
  return ExpectError(outcome.status, absl::StatusCode::kAlreadyExists,
                     machine::v1::ERROR_REASON_INSTANCE_DIFFERS);
}

absl::Status Suite::RefusesStaleTokens() {
  MachineRef machine = Ref(main_);
  machine.mutable_context()->set_fencing_token(1);
  DM_RETURN_IF_ERROR(common::Annotate(
      ExpectError(client_.Act(&Stub::Create, About<CreateRequest>(machine)).status,
                  absl::StatusCode::kAborted, machine::v1::ERROR_REASON_STALE_FENCING_TOKEN),
      "Create"));
  return common::Annotate(
      ExpectError(client_.Act(&Stub::Remove, About<RemoveRequest>(machine)).status,
                  absl::StatusCode::kAborted, machine::v1::ERROR_REASON_STALE_FENCING_TOKEN),
      "Remove");
}

absl::Status Suite::RefusesNewerStates() {
  MachineRef machine = Ref(main_);
  machine.mutable_state()->set_version(handshake_.state_version() + 1);
  DM_RETURN_IF_ERROR(common::Annotate(
      ExpectError(client_.Act(&Stub::Create, About<CreateRequest>(machine)).status,
                  absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_STATE_TOO_NEW),
      "Create"));
  return common::Annotate(
      ExpectError(client_.Call(&Stub::Inspect, About<InspectRequest>(machine)).status(),
                  absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_STATE_TOO_NEW),
      "Inspect");
}

absl::Status Suite::RefusesCallsWithoutUid() {
  MachineRef machine = Ref(main_);
  machine.mutable_context()->clear_machine_uid();
  DM_RETURN_IF_ERROR(ExpectError(client_.Act(&Stub::Create, About<CreateRequest>(machine)).status,
                                 absl::StatusCode::kInvalidArgument,
                                 machine::v1::ERROR_REASON_BAD_FIELD));
  return ExpectError(client_.Call(&Stub::Inspect, About<InspectRequest>(machine)).status(),
                     absl::StatusCode::kInvalidArgument, machine::v1::ERROR_REASON_BAD_FIELD);
}

absl::Status Suite::ReadsAgree() {
  const MachineRef machine = Ref(main_);
  DM_ASSIGN_OR_RETURN(const InspectResponse inspected,
                      client_.Call(&Stub::Inspect, About<InspectRequest>(machine)));
  const Observation& observation = inspected.observation();
  DM_RETURN_IF_ERROR(
      Expect(observation.state() == machine::v1::MACHINE_STATE_RUNNING,
             absl::StrCat("Inspect reports ", MachineState_Name(observation.state()))));
  DM_ASSIGN_OR_RETURN(const auto state,
                      client_.Call(&Stub::GetState, About<::driver::v1::GetStateRequest>(machine)));
  DM_RETURN_IF_ERROR(Expect(state.state() == observation.state(), "GetState differs"));
  DM_ASSIGN_OR_RETURN(const auto ip,
                      client_.Call(&Stub::GetIP, About<::driver::v1::GetIPRequest>(machine)));
  DM_RETURN_IF_ERROR(Expect(observation.endpoint().ip_addresses_size() > 0 &&
                                ip.ip_address() == observation.endpoint().ip_addresses(0),
                            "GetIP differs"));
  BatchInspectRequest batch;
  *batch.add_machines() = machine;
  *batch.add_machines() = machine;
  DM_ASSIGN_OR_RETURN(const auto observed, client_.Call(&Stub::BatchInspect, batch));
  DM_RETURN_IF_ERROR(Expect(observed.observations_size() == 2, "BatchInspect loses machines"));
  for (const Observation& each : observed.observations()) {
    DM_RETURN_IF_ERROR(Expect(
        each.state() == observation.state() &&
            each.endpoint().SerializeAsString() == observation.endpoint().SerializeAsString(),
        "BatchInspect differs"));
  }
  return absl::OkStatus();
}

absl::Status Suite::BatchesHaveLimits() {
  BatchInspectRequest batch;
  DM_ASSIGN_OR_RETURN(const auto none, client_.Call(&Stub::BatchInspect, batch));
  DM_RETURN_IF_ERROR(Expect(none.observations().empty(), "observations of no machines"));
  for (int i = 0; i < 501; ++i) *batch.add_machines() = Ref(main_);
  return ExpectError(client_.Call(&Stub::BatchInspect, batch).status(),
                     absl::StatusCode::kInvalidArgument, machine::v1::ERROR_REASON_BAD_FIELD);
}

absl::Status Suite::StopsAndStarts() {
  const auto stop = [&] { return client_.Act(&Stub::Stop, About<StopRequest>(Ref(main_))); };
  const auto start = [&] { return client_.Act(&Stub::Start, About<StartRequest>(Ref(main_))); };
  if (!Can(::driver::v1::CAPABILITY_POWER)) {
    DM_RETURN_IF_ERROR(common::Annotate(ExpectMissingCapability(stop().status), "Stop"));
    return common::Annotate(ExpectMissingCapability(start().status), "Start");
  }
  for (const absl::string_view time : {"first", "second"}) {
    DM_RETURN_IF_ERROR(common::Annotate(ExpectDone(main_, stop()), absl::StrCat(time, " Stop")));
    DM_RETURN_IF_ERROR(ExpectState(main_, machine::v1::MACHINE_STATE_STOPPED));
  }
  for (const absl::string_view time : {"first", "second"}) {
    DM_RETURN_IF_ERROR(common::Annotate(ExpectDone(main_, start()), absl::StrCat(time, " Start")));
    DM_RETURN_IF_ERROR(ExpectState(main_, machine::v1::MACHINE_STATE_RUNNING));
  }
  return absl::OkStatus();
}

absl::Status Suite::Kills() {
  const auto kill = [&] { return client_.Act(&Stub::Kill, About<KillRequest>(Ref(main_))); };
  if (!Can(::driver::v1::CAPABILITY_KILL)) return ExpectMissingCapability(kill().status);
  for (const absl::string_view time : {"first", "second"}) {
    DM_RETURN_IF_ERROR(common::Annotate(ExpectDone(main_, kill()), absl::StrCat(time, " Kill")));
    DM_RETURN_IF_ERROR(ExpectState(main_, machine::v1::MACHINE_STATE_STOPPED));
  }
  if (!Can(::driver::v1::CAPABILITY_POWER)) return absl::OkStatus();
  return ExpectDone(main_, client_.Act(&Stub::Start, About<StartRequest>(Ref(main_))));
}

absl::Status Suite::Restarts() {
  const ActionOutcome outcome = client_.Act(&Stub::Restart, About<RestartRequest>(Ref(main_)));
  if (!Can(::driver::v1::CAPABILITY_RESTART)) return ExpectMissingCapability(outcome.status);
  DM_RETURN_IF_ERROR(ExpectDone(main_, outcome));
  return ExpectState(main_, machine::v1::MACHINE_STATE_RUNNING);
}

absl::Status Suite::ListsInstances() {
  const auto list = [&](absl::string_view orchestrator_id) {
    ListInstancesRequest request;
    request.set_orchestrator_id(std::string(orchestrator_id));
    for (const auto& option : normalized_) *request.add_options() = option;
    return client_.Collect(&Stub::ListInstances, request);
  };
  const auto ours = list(orchestrator_id_);
  if (!Can(::driver::v1::CAPABILITY_LIST_INSTANCES)) return ExpectMissingCapability(ours.status());
  DM_RETURN_IF_ERROR(ours.status());
  DM_RETURN_IF_ERROR(Expect(ours->size() == 1 && ours->front().machine_uid() == main_.uid,
                            absl::StrCat(ours->size(), " instances instead of the one made")));
  DM_ASSIGN_OR_RETURN(const auto others, list(NewUid()));
  return Expect(others.empty(), "another orchestrator's list has instances");
}

absl::Status Suite::UpgradesStates() {
  ::driver::v1::UpgradeStateRequest request;
  *request.mutable_machine() = Ref(main_);
  DM_ASSIGN_OR_RETURN(const auto upgraded, client_.Call(&Stub::UpgradeState, request));
  DM_RETURN_IF_ERROR(Expect(upgraded.state().version() == handshake_.state_version(),
                            "the state has not the current version"));
  if (!main_.state.has_value()) return absl::OkStatus();
  return Expect(upgraded.state().data() == main_.state->data(), "a current state was changed");
}

absl::Status Suite::KnowsNothingOfUnknownMachines() {
  TestMachine unknown = {.uid = NewUid()};
  DM_RETURN_IF_ERROR(ExpectState(unknown, machine::v1::MACHINE_STATE_NOT_FOUND));
  DM_RETURN_IF_ERROR(ExpectError(
      client_.Call(&Stub::GetIP, About<::driver::v1::GetIPRequest>(Ref(unknown))).status(),
      absl::StatusCode::kNotFound, machine::v1::ERROR_REASON_INSTANCE_GONE));
  DM_RETURN_IF_ERROR(common::Annotate(Remove(unknown), "Remove"));
  if (!Can(::driver::v1::CAPABILITY_POWER)) return absl::OkStatus();
  return ExpectError(client_.Act(&Stub::Start, About<StartRequest>(Ref(unknown))).status,
                     absl::StatusCode::kNotFound, machine::v1::ERROR_REASON_INSTANCE_GONE);
}

absl::Status Suite::NoticesVanishedInstances() {
  TestMachine machine = {.uid = NewUid()};
  DM_RETURN_IF_ERROR(
      ExpectDone(machine, client_.Act(&Stub::Create, About<CreateRequest>(Ref(machine)))));
  DM_RETURN_IF_ERROR(common::Annotate(options_.vanish(machine.uid), "vanishing"));
  DM_RETURN_IF_ERROR(ExpectState(machine, machine::v1::MACHINE_STATE_NOT_FOUND));
  if (Can(::driver::v1::CAPABILITY_POWER)) {
    DM_RETURN_IF_ERROR(
        ExpectError(client_.Act(&Stub::Start, About<StartRequest>(Ref(machine))).status,
                    absl::StatusCode::kNotFound, machine::v1::ERROR_REASON_INSTANCE_GONE));
  }
  return common::Annotate(Remove(machine), "Remove");
}

absl::Status Suite::CancelledCreateIsFound() {
  TestMachine machine = {.uid = NewUid()};
  const ActionOutcome cancelled =
      client_.Act(&Stub::Create, About<CreateRequest>(Ref(machine)), /*cancel_after_events=*/1);
  if (cancelled.state.has_value()) machine.state = cancelled.state;
  // A create without updates may be done before it can be cancelled.
  if (!cancelled.status.ok()) {
    DM_RETURN_IF_ERROR(ExpectError(cancelled.status, absl::StatusCode::kCancelled,
                                   machine::v1::ERROR_REASON_UNSPECIFIED));
  }
  DM_RETURN_IF_ERROR(common::Annotate(
      ExpectDone(machine, client_.Act(&Stub::Create, About<CreateRequest>(Ref(machine)))),
      "Create after the cancelled one"));
  if (Can(::driver::v1::CAPABILITY_LIST_INSTANCES)) {
    ListInstancesRequest request;
    request.set_orchestrator_id(orchestrator_id_);
    for (const auto& option : normalized_) *request.add_options() = option;
    DM_ASSIGN_OR_RETURN(const auto instances, client_.Collect(&Stub::ListInstances, request));
    DM_RETURN_IF_ERROR(Expect(instances.size() == 2,
                              absl::StrCat("two machines have ", instances.size(), " instances")));
  }
  return common::Annotate(Remove(machine), "Remove");
}

absl::Status Suite::Removes() {
  TestMachine without_state = {.uid = main_.uid};
  DM_RETURN_IF_ERROR(Remove(without_state));
  if (!options_.adopts_existing_hosts) {
    DM_RETURN_IF_ERROR(ExpectState(main_, machine::v1::MACHINE_STATE_NOT_FOUND));
  }
  return common::Annotate(Remove(main_), "second time");
}

absl::Status Suite::KeepsSecrets() {
  // A key leaks line by line, and its short last line says nothing.
  std::vector<std::string> secrets;
  for (const absl::string_view line : absl::StrSplit(options_.ssh_private_key, '\n')) {
    if (line.size() >= 16 && !absl::StartsWith(line, "-----")) secrets.emplace_back(line);
  }
  for (const auto& option : options_.options) secrets.push_back(option.secret_value());
  const std::string log = options_.log ? options_.log() : "";
  for (const std::string& secret : secrets) {
    if (secret.empty()) continue;
    DM_RETURN_IF_ERROR(
        Expect(!absl::StrContains(client_.heard(), secret), "a secret is in a message"));
    DM_RETURN_IF_ERROR(Expect(!absl::StrContains(log, secret), "a secret is in the log"));
  }
  return absl::OkStatus();
}

}  // namespace machine::driver::conformance
