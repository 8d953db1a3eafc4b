#include "services/orchestrator/engine/driver_steps.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "driver/v1/driver.grpc.pb.h"
#include "services/common/rpc/client_reactors.h"
#include "services/common/status/status.h"
#include "services/orchestrator/engine/machine_material.h"
#include "services/orchestrator/engine/operation_run.h"
#include "services/orchestrator/engine/operation_trace.h"

namespace machine::orchestrator {
namespace {

using ::driver::v1::ActionEvent;
using ::driver::v1::Driver;
using ActionStream = common::ReadStream<ActionEvent>;

constexpr absl::string_view kCreateVerb = "create";
constexpr absl::Duration kActionTimeout = absl::Minutes(10);
// Who removes by force does not wait for a provider that is silent: what is left is gone on with
// after the machine's record is gone.
constexpr absl::Duration kForcedTimeout = absl::Seconds(30);
constexpr absl::Duration kCreateTimeout = absl::Minutes(30);
constexpr absl::Duration kCheckTimeout = absl::Minutes(2);

// A request lives until its call is done.
struct ActionCall {
  std::shared_ptr<DriverConnection> driver;
  ::driver::v1::MachineRef machine;
  std::unique_ptr<google::protobuf::Message> request;
  bool has_result = false;
};

template <typename Request>
Request& NewRequest(ActionCall& call) {
  auto request = std::make_unique<Request>();
  *request->mutable_machine() = std::move(call.machine);
  Request& reference = *request;
  call.request = std::move(request);
  return reference;
}

void StartCall(ActionCall& call, DriverAction action, const OperationRecord& operation,
               ActionStream& stream) {
  auto* const async = call.driver->stub().async();
  grpc::ClientContext* const context = &stream.context();
  switch (action) {
    case DriverAction::kCreate:
      return async->Create(context, &NewRequest<::driver::v1::CreateRequest>(call), &stream);
    case DriverAction::kStart:
      return async->Start(context, &NewRequest<::driver::v1::StartRequest>(call), &stream);
    case DriverAction::kStop: {
      auto& request = NewRequest<::driver::v1::StopRequest>(call);
      if (operation.request().has_grace_period()) {
        *request.mutable_grace_period() = operation.request().grace_period();
      }
      return async->Stop(context, &request, &stream);
    }
    case DriverAction::kKill:
      return async->Kill(context, &NewRequest<::driver::v1::KillRequest>(call), &stream);
    case DriverAction::kRestart:
      return async->Restart(context, &NewRequest<::driver::v1::RestartRequest>(call), &stream);
    case DriverAction::kRemove:
      return async->Remove(context, &NewRequest<::driver::v1::RemoveRequest>(call), &stream);
  }
}

absl::Status ApplyObservation(OperationRun& run, ::driver::v1::Observation observation) {
  if (observation.has_driver_state()) {
    DM_RETURN_IF_ERROR(run.Checkpoint(observation.driver_state()));
  }
  // An instance that runs is not yet a machine that does: until its create is done it is Creating,
  // and until a start has certified its addresses and found its engine, Starting.
  const std::string& verb = run.operation().metadata().verb();
  const bool creating = verb == kCreateVerb;
  machine::v1::MachineState state = observation.state();
  if ((verb == "start" || verb == "restart") && state == machine::v1::MACHINE_STATE_RUNNING) {
    state = machine::v1::MACHINE_STATE_STARTING;
  }
  run.Update([creating, state,
              endpoint = std::move(*observation.mutable_endpoint())](MachineRecord& record) {
    auto& machine = *record.mutable_machine();
    if (!creating) machine.set_state(state);
    // The pinned host key is ours, not the provider's.
    const std::string pinned = machine.endpoint().ssh_host_key_sha256();
    *machine.mutable_endpoint() = endpoint;
    if (machine.endpoint().ssh_host_key_sha256().empty()) {
      machine.mutable_endpoint()->set_ssh_host_key_sha256(pinned);
    }
  });
  return absl::OkStatus();
}

void HandleEvent(OperationRun& run, ActionCall& call, ActionEvent event) {
  absl::Status status;
  if (event.has_result()) {
    call.has_result = true;
    status = ApplyObservation(run, std::move(*event.mutable_result()));
  } else if (event.update().has_progress()) {
    // Shown like a log line of the driver; the step itself stays the orchestrator's.
    machine::v1::LogLine line;
    line.set_severity(machine::v1::LogLine::INFO);
    line.set_component("driver");
    line.set_text(event.update().progress().message());
    run.EmitLog(std::move(line));
  } else if (event.update().has_log()) {
    machine::v1::LogLine line = std::move(*event.mutable_update()->mutable_log());
    line.set_component("driver");
    run.EmitLog(std::move(line));
  } else if (event.update().has_checkpoint()) {
    status = run.Checkpoint(event.update().checkpoint());
  }
  if (!status.ok()) {
    common::LogFields fields = LogFieldsOf(run.operation());
    fields.emplace_back("error", std::string(status.message()));
    run.parts().log.Error("cannot seal the driver's state", fields);
  }
}

void CallDriver(const OperationRunPointer& run, std::shared_ptr<DriverConnection> driver,
                DriverAction action, StepDone done) {
  auto call = std::make_shared<ActionCall>();
  call->driver = std::move(driver);
  absl::StatusOr<::driver::v1::MachineRef> machine =
      BuildMachineRef(run->parts(), run->machine(), run->operation());
  if (!machine.ok()) return done(machine.status());
  call->machine = *std::move(machine);
  auto shared_done = std::make_shared<StepDone>(std::move(done));
  auto stream = ActionStream::Create(
      [run, call](ActionEvent event) {
        run->strand()->Run([run, call, event = std::move(event)]() mutable {
          HandleEvent(*run, *call, std::move(event));
        });
      },
      [run, call, shared_done](absl::Status status) {
        run->strand()->Run([run, call, shared_done, status = std::move(status)]() mutable {
          status = DriverCallStatus(std::move(status), run->operation().driver());
          if (status.ok() && !call->has_result) {
            status = common::Error(absl::StatusCode::kInternal, machine::v1::ERROR_REASON_INVARIANT,
                                   "the driver ended the call without an observation");
          }
          (*shared_done)(std::move(status));
        });
      });
  const absl::Duration limit = action == DriverAction::kCreate      ? kCreateTimeout
                               : run->operation().request().force() ? kForcedTimeout
                                                                    : kActionTimeout;
  call->driver->channel().Prepare(stream->context(), std::min(limit, run->Remaining()));
  CarryTrace(run->operation(), stream->context());
  StartCall(*call, action, run->operation(), *stream);
  run->OnCancel([weak = std::weak_ptr<ActionStream>(stream)] {
    if (const auto running = weak.lock()) running->Cancel();
  });
  stream->Begin();
}

void WithDriver(const OperationRunPointer& run, StepDone done,
                absl::AnyInvocable<void(std::shared_ptr<DriverConnection>, StepDone)> next) {
  run->parts().drivers.GetDriver(
      run->operation().driver(),
      [run, done = std::move(done),
       next = std::move(next)](absl::StatusOr<std::shared_ptr<DriverConnection>> driver) mutable {
        run->strand()->Run(
            [driver = std::move(driver), done = std::move(done), next = std::move(next)]() mutable {
              if (!driver.ok()) return done(driver.status());
              next(*std::move(driver), std::move(done));
            });
      });
}

void Check(const OperationRunPointer& run, const std::shared_ptr<DriverConnection>& driver,
           StepDone done) {
  auto request = std::make_shared<::driver::v1::PreCreateCheckRequest>();
  absl::StatusOr<::driver::v1::MachineRef> machine =
      BuildMachineRef(run->parts(), run->machine(), run->operation());
  if (!machine.ok()) return done(machine.status());
  *request->mutable_machine() = *std::move(machine);
  auto shared_done = std::make_shared<StepDone>(std::move(done));
  auto stream = common::ReadStream<::driver::v1::PreCreateCheckResponse>::Create(
      [run](::driver::v1::PreCreateCheckResponse response) {
        run->strand()->Run([run, response = std::move(response)]() mutable {
          if (!response.update().has_log()) return;
          machine::v1::LogLine line = std::move(*response.mutable_update()->mutable_log());
          line.set_component("driver");
          run->EmitLog(std::move(line));
        });
      },
      [run, request, driver, shared_done](absl::Status status) {
        status = DriverCallStatus(std::move(status), run->operation().driver());
        const bool retry = common::ReasonOf(status) == machine::v1::ERROR_REASON_DRIVER_CRASHED;
        if (!status.ok() && !retry && status.code() != absl::StatusCode::kCancelled) {
          status =
              common::Error(absl::StatusCode::kFailedPrecondition,
                            machine::v1::ERROR_REASON_PRECREATE_CHECK_FAILED, status.message());
        }
        (*shared_done)(std::move(status));
      });
  driver->channel().Prepare(stream->context(), std::min(kCheckTimeout, run->Remaining()));
  CarryTrace(run->operation(), stream->context());
  driver->stub().async()->PreCreateCheck(&stream->context(), request.get(), stream.get());
  run->OnCancel([weak = std::weak_ptr(stream)] {
    if (const auto running = weak.lock()) running->Cancel();
  });
  stream->Begin();
}

}  // namespace

absl::Status DriverCallStatus(absl::Status status, absl::string_view driver) {
  // A driver's own errors have reasons; without one, gRPC itself says that the line is dead.
  if (status.code() != absl::StatusCode::kUnavailable ||
      common::ReasonOf(status) != machine::v1::ERROR_REASON_UNSPECIFIED) {
    return status;
  }
  return common::Error(
      absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_DRIVER_CRASHED,
      absl::StrCat("the driver ", driver, " went away during the call: ", status.message()));
}

Step DriverStep(absl::string_view name, absl::string_view message, DriverAction action) {
  return {.name = name,
          .message = message,
          .effect = true,
          .run =
              [action](const OperationRunPointer& run, StepDone done) {
                WithDriver(run, std::move(done),
                           [run, action](std::shared_ptr<DriverConnection> driver, StepDone done) {
                             CallDriver(run, std::move(driver), action, std::move(done));
                           });
              },
          .applies = {}};
}

Step PreCreateCheckStep() {
  return {.name = "precreate_check",
          .message = "Running pre-create checks...",
          .run =
              [](const OperationRunPointer& run, StepDone done) {
                WithDriver(run, std::move(done),
                           [run](const std::shared_ptr<DriverConnection>& driver, StepDone done) {
                             Check(run, driver, std::move(done));
                           });
              },
          .applies = {}};
}

}  // namespace machine::orchestrator
