#include "drivers/sdk/service.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/guard.h"
#include "google/protobuf/util/time_util.h"
#include "services/common/rpc/tracing.h"
#include "services/common/status/status.h"

namespace machine::driver {
namespace {

using common::Cancellation;
using common::DeadlineOf;
using common::Error;
using common::EventStream;
using ::driver::v1::ActionEvent;
using ::driver::v1::CallContext;
using ::driver::v1::MachineRef;
using ::driver::v1::PreCreateCheckResponse;
using machine::v1::LogLine;

constexpr int kApi = 1;
constexpr int kMaxConcurrentCalls = 256;
constexpr int kReadThreads = 16;
constexpr int kMaxBatch = 500;

absl::Status ShuttingDown() {
  return Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_SHUTTING_DOWN,
               "the driver is shutting down");
}

grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(common::ToGrpcStatus(status));
  return reactor;
}

absl::Status CheckContext(const CallContext& context) {
  if (!context.machine_uid().empty()) return absl::OkStatus();
  return common::InvalidField("machine.context.machine_uid", "the machine's uid is missing");
}

// Progress and log lines of a call as events of its stream, without secrets.
template <typename Event>
common::CallScope::Sink SinkOf(const std::shared_ptr<EventStream<Event>>& stream,
                               const Scrubber& scrubber) {
  return {.progress =
              [stream, scrubber](machine::v1::Progress progress) {
                progress.set_message(scrubber.Clean(progress.message()));
                Event event;
                *event.mutable_update()->mutable_progress() = std::move(progress);
                stream->PushWhenRoom(std::move(event));
              },
          .log =
              [stream, scrubber](LogLine line) {
                line.set_component("driver");
                line.set_text(scrubber.Clean(line.text()));
                Event event;
                *event.mutable_update()->mutable_log() = std::move(line);
                stream->PushWhenRoom(std::move(event));
              }};
}

// A stream whose client's leaving cancels `cancellation`.
template <typename Event>
std::shared_ptr<EventStream<Event>> OpenStream(const std::shared_ptr<Cancellation>& cancellation) {
  auto stream = EventStream<Event>::Create();
  stream->OnEnded([cancellation] { cancellation->Cancel(); });
  return stream;
}

}  // namespace

// One action from its acceptance to its end.
struct DriverService::Action {
  const char* method;
  std::string trace_id;
  absl::Time deadline;
  std::shared_ptr<Cancellation> cancellation;
  std::shared_ptr<EventStream<ActionEvent>> stream;
  MachineRef machine;
  Flags::Strictness strictness;
  ActionWork work;
};

absl::StatusOr<std::unique_ptr<DriverService>> DriverService::Create(
    std::unique_ptr<Driver> driver, const DriverEnvironment& environment,
    std::function<void()> request_shutdown) {
  DM_RETURN_IF_ERROR(driver->flags().CheckSchema());
  DM_RETURN_IF_ERROR(Guarded([&] { return driver->Init(environment); }));
  return std::unique_ptr<DriverService>(
      new DriverService(std::move(driver), environment, std::move(request_shutdown)));
}

DriverService::DriverService(std::unique_ptr<Driver> driver, const DriverEnvironment& environment,
                             std::function<void()> request_shutdown)
    : driver_(std::move(driver)),
      info_(driver_->info()),
      flags_(driver_->flags()),
      log_(environment.log),
      request_shutdown_(std::move(request_shutdown)),
      reads_(kReadThreads),
      actions_(std::clamp(info_.max_concurrent_calls, 1, kMaxConcurrentCalls)),
      strand_(info_.Can(::driver::v1::CAPABILITY_SERIAL)
                  ? std::make_shared<common::Strand>(actions_)
                  : nullptr) {}

void DriverService::Schedule(common::Executor& executor, common::Task task) {
  if (strand_ != nullptr) {
    strand_->Run(std::move(task));
  } else {
    executor.Run(std::move(task));
  }
}

grpc::ServerUnaryReactor* DriverService::Handshake(Context* context,
                                                   const ::driver::v1::HandshakeRequest* request,
                                                   ::driver::v1::HandshakeResponse* response) {
  if (request->min_api() > kApi || request->max_api() < kApi) {
    return Answer(
        context,
        Error(absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_DRIVER_API_MISMATCH,
              absl::StrCat(info_.name, " driver ", info_.version, " speaks API ", kApi,
                           ", the orchestrator ", request->orchestrator_version(), " speaks ",
                           request->min_api(), " to ", request->max_api()),
              {{"driver_min_api", absl::StrCat(kApi)},
               {"driver_max_api", absl::StrCat(kApi)},
               {"orchestrator_min_api", absl::StrCat(request->min_api())},
               {"orchestrator_max_api", absl::StrCat(request->max_api())}}));
  }
  response->set_api(kApi);
  response->set_driver_name(info_.name);
  response->set_driver_version(info_.version);
  for (const Capability capability : info_.capabilities) response->add_capabilities(capability);
  response->set_max_concurrent_calls(
      std::clamp(info_.max_concurrent_calls, 1, kMaxConcurrentCalls));
  response->set_state_version(info_.state_version);
  response->set_unsupported_reason(info_.unsupported_reason);
  *response->mutable_ssh_timeout() = google::protobuf::util::TimeUtil::NanosecondsToDuration(
      absl::ToInt64Nanoseconds(info_.ssh_timeout));
  return Answer(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* DriverService::GetCreateFlags(
    Context* context, const ::driver::v1::GetCreateFlagsRequest*,
    ::driver::v1::GetCreateFlagsResponse* response) {
  for (const machine::v1::FlagSpec& spec : flags_.specs()) *response->add_flags() = spec;
  return Answer(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* DriverService::ValidateOptions(
    Context* context, const ::driver::v1::ValidateOptionsRequest* request,
    ::driver::v1::ValidateOptionsResponse* response) {
  Scrubber scrubber;
  for (const machine::v1::OptionValue& option : request->options()) scrubber.Add(option);
  // Asks no provider, so it does not queue with a serial driver's calls.
  return Read(context, "ValidateOptions", Queue::kNone, std::move(scrubber),
              [this, request, response](DriverCall&) -> absl::Status {
                const std::vector<machine::v1::OptionValue> given(request->options().begin(),
                                                                  request->options().end());
                DM_ASSIGN_OR_RETURN(Options options,
                                    flags_.Complete(info_.name, given, Flags::Strictness::kCreate));
                DM_RETURN_IF_ERROR(driver_->Validate(options));
                for (machine::v1::OptionValue& value : options.ToProto()) {
                  *response->add_normalized_options() = std::move(value);
                }
                return absl::OkStatus();
              });
}

grpc::ServerWriteReactor<PreCreateCheckResponse>* DriverService::PreCreateCheck(
    Context* context, const ::driver::v1::PreCreateCheckRequest* request) {
  const auto cancellation = std::make_shared<Cancellation>();
  const auto stream = OpenStream<PreCreateCheckResponse>(cancellation);
  const MachineRef& machine = request->machine();
  absl::Status admitted = CheckContext(machine.context());
  if (admitted.ok()) {
    admitted = gate_.Admit(machine.context().machine_uid(), machine.context().fencing_token());
  }
  if (admitted.ok() && !running_.Add(cancellation)) admitted = ShuttingDown();
  if (!admitted.ok()) {
    stream->End(admitted);
    return stream.get();
  }
  // The request is gone once a cancelled stream has ended, so the work has a copy.
  Schedule(actions_, [this, machine, cancellation, stream, deadline = DeadlineOf(*context),
                      trace_id = common::TraceIdOf(*context)] {
    Scrubber scrubber;
    scrubber.Add(machine);
    DriverCall call(deadline, cancellation, SinkOf(stream, scrubber), machine.context());
    const absl::Status status = Guarded([&]() -> absl::Status {
      DM_RETURN_IF_ERROR(call.Check());
      DM_ASSIGN_OR_RETURN(const MachineSpec spec,
                          ToSpec(call, machine, Flags::Strictness::kCreate));
      return driver_->PreCreateCheck(call, spec);
    });
    stream->End(Finished("PreCreateCheck", machine.context(), trace_id, status, scrubber));
    running_.Remove(cancellation);
  });
  return stream.get();
}

DriverService::ActionReactor* DriverService::StartAction(Context* context, const char* method,
                                                         const MachineRef& machine,
                                                         Flags::Strictness strictness,
                                                         ActionWork work) {
  const auto cancellation = std::make_shared<Cancellation>();
  const auto stream = OpenStream<ActionEvent>(cancellation);
  auto action =
      std::make_shared<Action>(Action{method, common::TraceIdOf(*context), DeadlineOf(*context),
                                      cancellation, stream, machine, strictness, std::move(work)});
  absl::Status admitted = CheckContext(machine.context());
  if (admitted.ok() && !running_.Add(cancellation)) admitted = ShuttingDown();
  if (admitted.ok()) {
    admitted = gate_.Enter(
        machine.context().machine_uid(), machine.context().fencing_token(), cancellation,
        [this, action] { Schedule(actions_, [this, action] { RunAction(*action); }); });
    if (!admitted.ok()) running_.Remove(cancellation);
  }
  if (!admitted.ok()) stream->End(admitted);
  return stream.get();
}

void DriverService::RunAction(Action& action) {
  Scrubber scrubber;
  scrubber.Add(action.machine);
  const CallContext& context = action.machine.context();
  DriverCall call(action.deadline, action.cancellation, SinkOf(action.stream, scrubber), context,
                  [this, &action](std::string data) {
                    ActionEvent event;
                    auto& state = *event.mutable_update()->mutable_checkpoint();
                    state.set_version(info_.state_version);
                    state.set_data(std::move(data));
                    action.stream->PushWhenRoom(std::move(event));
                  });
  absl::StatusOr<Observation> result = Guarded([&]() -> absl::StatusOr<Observation> {
    DM_RETURN_IF_ERROR(call.Check());
    DM_ASSIGN_OR_RETURN(const MachineSpec spec, ToSpec(call, action.machine, action.strictness));
    failpoints_.Pass("driver", action.method, "before_effect");
    absl::StatusOr<Observation> observation = action.work(call, spec);
    failpoints_.Pass("driver", action.method, "after_effect");
    return observation;
  });
  const int64_t highest_token = gate_.Leave(context.machine_uid());
  absl::Status status = result.status();
  if (absl::IsCancelled(status) && highest_token > context.fencing_token()) {
    status = Error(absl::StatusCode::kAborted, machine::v1::ERROR_REASON_STALE_FENCING_TOKEN,
                   "a newer operation on the machine has begun");
  }
  status = Finished(action.method, context, action.trace_id, std::move(status), scrubber);
  if (status.ok()) {
    FillStateVersion(*result);
    ActionEvent event;
    *event.mutable_result() = *std::move(result);
    action.stream->PushWhenRoom(std::move(event));
  }
  action.stream->End(std::move(status));
  failpoints_.Pass("driver", action.method, "after_commit");
  running_.Remove(action.cancellation);
}

DriverService::ActionReactor* DriverService::Create(Context* context,
                                                    const ::driver::v1::CreateRequest* request) {
  return StartAction(context, "Create", request->machine(), Flags::Strictness::kCreate,
                     [this](DriverCall& call, const MachineSpec& machine) {
                       return driver_->Create(call, machine);
                     });
}

DriverService::ActionReactor* DriverService::Start(Context* context,
                                                   const ::driver::v1::StartRequest* request) {
  return StartAction(context, "Start", request->machine(), Flags::Strictness::kExisting,
                     [this](DriverCall& call, const MachineSpec& machine) {
                       return driver_->Start(call, machine);
                     });
}

DriverService::ActionReactor* DriverService::Stop(Context* context,
                                                  const ::driver::v1::StopRequest* request) {
  std::optional<absl::Duration> grace;
  if (request->has_grace_period()) {
    grace = absl::Nanoseconds(
        google::protobuf::util::TimeUtil::DurationToNanoseconds(request->grace_period()));
  }
  return StartAction(context, "Stop", request->machine(), Flags::Strictness::kExisting,
                     [this, grace](DriverCall& call, const MachineSpec& machine) {
                       return driver_->Stop(call, machine, grace);
                     });
}

DriverService::ActionReactor* DriverService::Kill(Context* context,
                                                  const ::driver::v1::KillRequest* request) {
  return StartAction(context, "Kill", request->machine(), Flags::Strictness::kExisting,
                     [this](DriverCall& call, const MachineSpec& machine) {
                       return driver_->Kill(call, machine);
                     });
}

DriverService::ActionReactor* DriverService::Restart(Context* context,
                                                     const ::driver::v1::RestartRequest* request) {
  return StartAction(context, "Restart", request->machine(), Flags::Strictness::kExisting,
                     [this](DriverCall& call, const MachineSpec& machine) {
                       return driver_->Restart(call, machine);
                     });
}

DriverService::ActionReactor* DriverService::Remove(Context* context,
                                                    const ::driver::v1::RemoveRequest* request) {
  return StartAction(
      context, "Remove", request->machine(), Flags::Strictness::kExisting,
      [this](DriverCall& call, const MachineSpec& machine) -> absl::StatusOr<Observation> {
        DM_RETURN_IF_ERROR(driver_->Remove(call, machine));
        Observation observation;
        observation.set_state(machine::v1::MACHINE_STATE_NOT_FOUND);
        return observation;
      });
}

grpc::ServerUnaryReactor* DriverService::Read(Context* context, const char* method, Queue queue,
                                              Scrubber scrubber,
                                              absl::AnyInvocable<absl::Status(DriverCall&)> work) {
  const auto unary = common::UnaryCall::Create();
  if (!running_.Add(unary->cancellation())) {
    unary->Reply(ShuttingDown());
    return unary.get();
  }
  auto task = [this, unary, method, scrubber = std::move(scrubber), deadline = DeadlineOf(*context),
               trace_id = common::TraceIdOf(*context), work = std::move(work)]() mutable {
    DriverCall call(deadline, unary->cancellation(), {});
    const absl::Status status = Guarded([&]() -> absl::Status {
      DM_RETURN_IF_ERROR(call.Check());
      return work(call);
    });
    unary->Reply(Finished(method, {}, trace_id, status, scrubber));
    running_.Remove(unary->cancellation());
  };
  if (queue == Queue::kNone) {
    reads_.Run(std::move(task));
  } else {
    Schedule(reads_, std::move(task));
  }
  return unary.get();
}

absl::StatusOr<Observation> DriverService::InspectOne(DriverCall& call, const MachineRef& machine) {
  DM_RETURN_IF_ERROR(CheckContext(machine.context()));
  DriverCall scope(call.deadline(), call.cancellation(), {}, machine.context());
  DM_ASSIGN_OR_RETURN(const MachineSpec spec, ToSpec(scope, machine, Flags::Strictness::kExisting));
  DM_ASSIGN_OR_RETURN(Observation observation, driver_->Inspect(scope, spec));
  FillStateVersion(observation);
  return observation;
}

grpc::ServerUnaryReactor* DriverService::GetIP(Context* context,
                                               const ::driver::v1::GetIPRequest* request,
                                               ::driver::v1::GetIPResponse* response) {
  Scrubber scrubber;
  scrubber.Add(request->machine());
  return Read(
      context, "GetIP", Queue::kDriver, std::move(scrubber),
      [this, request, response](DriverCall& call) -> absl::Status {
        DM_ASSIGN_OR_RETURN(const Observation observation, InspectOne(call, request->machine()));
        if (observation.state() == machine::v1::MACHINE_STATE_NOT_FOUND) {
          return InstanceGone("the provider no longer knows the instance");
        }
        if (observation.endpoint().ip_addresses().empty()) {
          return Error(absl::StatusCode::kFailedPrecondition,
                       machine::v1::ERROR_REASON_MACHINE_NOT_RUNNING, "the machine has no address");
        }
        response->set_ip_address(observation.endpoint().ip_addresses(0));
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* DriverService::GetState(Context* context,
                                                  const ::driver::v1::GetStateRequest* request,
                                                  ::driver::v1::GetStateResponse* response) {
  Scrubber scrubber;
  scrubber.Add(request->machine());
  return Read(context, "GetState", Queue::kDriver, std::move(scrubber),
              [this, request, response](DriverCall& call) -> absl::Status {
                DM_ASSIGN_OR_RETURN(const Observation observation,
                                    InspectOne(call, request->machine()));
                response->set_state(observation.state());
                return absl::OkStatus();
              });
}

grpc::ServerUnaryReactor* DriverService::Inspect(Context* context,
                                                 const ::driver::v1::InspectRequest* request,
                                                 ::driver::v1::InspectResponse* response) {
  Scrubber scrubber;
  scrubber.Add(request->machine());
  return Read(context, "Inspect", Queue::kDriver, std::move(scrubber),
              [this, request, response](DriverCall& call) -> absl::Status {
                DM_ASSIGN_OR_RETURN(*response->mutable_observation(),
                                    InspectOne(call, request->machine()));
                return absl::OkStatus();
              });
}

grpc::ServerUnaryReactor* DriverService::BatchInspect(
    Context* context, const ::driver::v1::BatchInspectRequest* request,
    ::driver::v1::BatchInspectResponse* response) {
  Scrubber scrubber;
  for (const MachineRef& machine : request->machines()) scrubber.Add(machine);
  return Read(
      context, "BatchInspect", Queue::kDriver, std::move(scrubber),
      [this, request, response](DriverCall& call) -> absl::Status {
        if (request->machines_size() > kMaxBatch) {
          return common::InvalidField(
              "machines", absl::StrCat(request->machines_size(), " machines; at most ", kMaxBatch,
                                       " fit in one call"));
        }
        std::vector<MachineSpec> specs;
        std::vector<int> places;  // Of each spec in the request.
        for (int i = 0; i < request->machines_size(); ++i) {
          const MachineRef& machine = request->machines(i);
          DM_RETURN_IF_ERROR(CheckContext(machine.context()));
          response->add_observations();
          // A state that cannot be read leaves this machine's observation empty, and no other's.
          absl::StatusOr<MachineSpec> spec = ToSpec(call, machine, Flags::Strictness::kExisting);
          if (!spec.ok()) continue;
          specs.push_back(*std::move(spec));
          places.push_back(i);
        }
        DM_ASSIGN_OR_RETURN(std::vector<Observation> observations,
                            driver_->BatchInspect(call, specs));
        if (observations.size() != specs.size()) {
          return absl::InternalError(absl::StrCat("the driver reported ", observations.size(),
                                                  " of ", specs.size(), " machines"));
        }
        for (size_t i = 0; i < observations.size(); ++i) {
          FillStateVersion(observations[i]);
          *response->mutable_observations(places[i]) = std::move(observations[i]);
        }
        return absl::OkStatus();
      });
}

grpc::ServerWriteReactor<::driver::v1::ListInstancesResponse>* DriverService::ListInstances(
    Context* context, const ::driver::v1::ListInstancesRequest* request) {
  const auto cancellation = std::make_shared<Cancellation>();
  const auto stream = OpenStream<::driver::v1::ListInstancesResponse>(cancellation);
  if (!running_.Add(cancellation)) {
    stream->End(ShuttingDown());
    return stream.get();
  }
  Schedule(reads_, [this, request = *request, cancellation, stream, deadline = DeadlineOf(*context),
                    trace_id = common::TraceIdOf(*context)] {
    Scrubber scrubber;
    for (const machine::v1::OptionValue& option : request.options()) scrubber.Add(option);
    DriverCall call(deadline, cancellation, {});
    const absl::Status status = Guarded([&]() -> absl::Status {
      DM_RETURN_IF_ERROR(call.Check());
      const std::vector<machine::v1::OptionValue> given(request.options().begin(),
                                                        request.options().end());
      DM_ASSIGN_OR_RETURN(const Options options,
                          flags_.Complete(info_.name, given, Flags::Strictness::kExisting));
      DM_ASSIGN_OR_RETURN(auto instances,
                          driver_->ListInstances(call, request.orchestrator_id(), options));
      for (auto& instance : instances) stream->PushWhenRoom(std::move(instance));
      return absl::OkStatus();
    });
    stream->End(Finished("ListInstances", {}, trace_id, status, scrubber));
    running_.Remove(cancellation);
  });
  return stream.get();
}

grpc::ServerUnaryReactor* DriverService::UpgradeState(
    Context* context, const ::driver::v1::UpgradeStateRequest* request,
    ::driver::v1::UpgradeStateResponse* response) {
  Scrubber scrubber;
  scrubber.Add(request->machine());
  return Read(context, "UpgradeState", Queue::kDriver, std::move(scrubber),
              [this, request, response](DriverCall& call) -> absl::Status {
                DM_RETURN_IF_ERROR(CheckContext(request->machine().context()));
                DM_ASSIGN_OR_RETURN(const MachineSpec spec,
                                    ToSpec(call, request->machine(), Flags::Strictness::kExisting));
                response->mutable_state()->set_version(info_.state_version);
                response->mutable_state()->set_data(spec.state.value_or(""));
                return absl::OkStatus();
              });
}

grpc::ServerUnaryReactor* DriverService::Shutdown(Context* context,
                                                  const ::driver::v1::ShutdownRequest*,
                                                  google::protobuf::Empty*) {
  request_shutdown_();
  return Answer(context, absl::OkStatus());
}

absl::Status DriverService::CheckStateVersion(int version) const {
  if (version <= info_.state_version) return absl::OkStatus();
  return Error(
      absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_STATE_TOO_NEW,
      absl::StrCat("the machine's state has version ", version, "; ", info_.name, " driver ",
                   info_.version, " knows up to ", info_.state_version, ": use a newer driver"),
      {{"state_version", absl::StrCat(version)},
       {"driver_state_version", absl::StrCat(info_.state_version)}});
}

absl::StatusOr<MachineSpec> DriverService::ToSpec(DriverCall& call, const MachineRef& machine,
                                                  Flags::Strictness strictness) {
  DM_RETURN_IF_ERROR(CheckStateVersion(machine.state().version()));
  const std::vector<machine::v1::OptionValue> given(machine.options().begin(),
                                                    machine.options().end());
  DM_ASSIGN_OR_RETURN(Options options, flags_.Complete(info_.name, given, strictness));
  if (strictness == Flags::Strictness::kCreate) DM_RETURN_IF_ERROR(driver_->Validate(options));
  MachineSpec spec = {.uid = machine.context().machine_uid(),
                      .name = machine.context().machine_name(),
                      .options = std::move(options),
                      .ssh_public_key = machine.ssh_public_key(),
                      .ssh_private_key = machine.ssh_private_key(),
                      .ssh_agent_socket = machine.ssh_agent_socket(),
                      .ssh_host_key_sha256 = machine.ssh_host_key_sha256()};
  if (!machine.has_state()) return spec;
  spec.state = machine.state().data();
  spec.state_version = machine.state().version();
  if (spec.state_version < info_.state_version) {
    DM_ASSIGN_OR_RETURN(spec.state, driver_->UpgradeState(call, spec));
    spec.state_version = info_.state_version;
  }
  return spec;
}

void DriverService::FillStateVersion(Observation& observation) const {
  if (!observation.has_driver_state()) return;
  observation.mutable_driver_state()->set_version(info_.state_version);
}

absl::Status DriverService::Finished(const char* method, const CallContext& about,
                                     const std::string& trace_id, absl::Status status,
                                     const Scrubber& scrubber) const {
  // To the orchestrator a call that ended because we end is one to repeat.
  if (absl::IsCancelled(status) && running_.draining()) status = ShuttingDown();
  status = scrubber.Clean(status);
  common::LogFields fields = {{"method", method}};
  if (!about.machine_uid().empty()) {
    fields.emplace_back("machine_uid", about.machine_uid());
    fields.emplace_back("operation", about.operation());
  }
  if (!trace_id.empty()) fields.emplace_back("trace_id", trace_id);
  if (!status.ok()) {
    fields.emplace_back("error", status.ToString(absl::StatusToStringMode::kWithNoExtraData));
  }
  log_.Write(status.ok() ? common::Severity::kDebug : common::Severity::kInfo,
             status.ok() ? "call done" : "call failed", fields);
  return status;
}

}  // namespace machine::driver
