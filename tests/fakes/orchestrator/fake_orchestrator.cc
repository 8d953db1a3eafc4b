#include "tests/fakes/orchestrator/fake_orchestrator.h"

#include <grpcpp/grpcpp.h>
#include <stdlib.h>

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "google/longrunning/operations.grpc.pb.h"
#include "google/protobuf/empty.pb.h"
#include "machine/v1/drivers.grpc.pb.h"
#include "machine/v1/machines.grpc.pb.h"
#include "machine/v1/operations.grpc.pb.h"
#include "machine/v1/sessions.grpc.pb.h"
#include "services/common/status/grpc_status.h"
#include "services/common/status/status.h"

namespace machine::fakes {
namespace {

using google::longrunning::Operation;
using machine::v1::Machine;
using machine::v1::OperationEvent;

std::string IdOf(absl::string_view name) {
  return std::string(absl::StripPrefix(name, "machines/"));
}

grpc::Status NotFound(absl::string_view id) {
  return common::ToGrpcStatus(common::Error(absl::StatusCode::kNotFound,
                                            machine::v1::ERROR_REASON_MACHINE_NOT_FOUND,
                                            absl::StrCat("no machine ", id)));
}

}  // namespace

struct FakeOrchestrator::State {
  struct Running {
    std::string machine;
    std::string verb;
    OperationScript script;
    bool broken_off = false;
    bool cancelled = false;
    bool done = false;
  };

  mutable absl::Mutex mu;
  std::string folder;
  std::map<std::string, machine::v1::DriverInfo> drivers;
  std::map<std::string, Machine> machines;
  machine::v1::AccessBundle bundle;
  std::map<std::string, OperationScript> scripts;
  std::map<std::string, Running> operations;
  std::vector<machine::v1::ExecResponse> exec_responses;
  machine::v1::CreateMachineRequest last_create;
  machine::v1::ExecStart last_exec;
  std::vector<std::string> log;
  int cancels = 0;
  bool ignore_cancel = false;
  int watches = 0;
  std::vector<std::unique_ptr<grpc::Service>> services;
  std::unique_ptr<grpc::Server> server;

  // Begins an operation, or says which one is in the way.
  grpc::Status Begin(const std::string& id, const std::string& verb, Operation& operation) {
    absl::MutexLock lock(&mu);
    for (const auto& [name, running] : operations) {
      if (running.machine == id && !running.done) {
        return common::ToGrpcStatus(common::Error(
            absl::StatusCode::kAborted, machine::v1::ERROR_REASON_OPERATION_IN_PROGRESS,
            absl::StrCat("another operation is under way: ", running.verb), {{"operation", name}}));
      }
    }
    log.push_back(absl::StrCat(verb, " ", id));
    operation = BeginLocked(id, verb, std::exchange(scripts[id], {}));
    return grpc::Status::OK;
  }

  Operation BeginLocked(const std::string& id, const std::string& verb, OperationScript script)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    const std::string name = absl::StrCat("operations/", operations.size() + 1);
    operations[name] = {.machine = id, .verb = verb, .script = std::move(script)};
    return Describe(name);
  }

  Operation Describe(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    const Running& running = operations[name];
    Operation operation;
    operation.set_name(name);
    machine::v1::OperationMetadata metadata;
    metadata.set_machine("machines/" + running.machine);
    metadata.set_verb(running.verb);
    operation.mutable_metadata()->PackFrom(metadata);
    return operation;
  }

  // The operation's end: what it does to the machine, and its result.
  Operation Finish(const std::string& name) {
    absl::MutexLock lock(&mu);
    Running& running = operations[name];
    Operation operation = Describe(name);
    operation.set_done(true);
    absl::Status result = running.script.result;
    if (running.cancelled) {
      result = common::Error(absl::StatusCode::kCancelled, machine::v1::ERROR_REASON_BY_USER,
                             "cancelled");
    }
    if (!result.ok()) {
      *operation.mutable_error() = common::ToRpcStatus(result);
    } else {
      if (!running.done) Apply(running);
      operation.mutable_response()->PackFrom(google::protobuf::Empty());
    }
    running.done = true;
    return operation;
  }

  void Apply(const Running& running) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    if (running.verb == "delete") {
      machines.erase(running.machine);
      return;
    }
    Machine& machine = machines[running.machine];
    const bool off = running.verb == "stop" || running.verb == "kill";
    machine.set_state(off ? machine::v1::MACHINE_STATE_STOPPED
                          : machine::v1::MACHINE_STATE_RUNNING);
    if (off) machine.mutable_endpoint()->clear_docker_url();
  }
};

class FakeOrchestrator::MachinesService final : public machine::v1::Machines::Service {
 public:
  explicit MachinesService(State& state) : state_(state) {}

  grpc::Status GetMachine(grpc::ServerContext*, const machine::v1::GetMachineRequest* request,
                          Machine* response) override {
    absl::MutexLock lock(&state_.mu);
    const auto it = state_.machines.find(IdOf(request->name()));
    if (it == state_.machines.end()) return NotFound(IdOf(request->name()));
    *response = it->second;
    return grpc::Status::OK;
  }

  // Two to a page, whatever was asked for, so that clients must turn pages.
  grpc::Status ListMachines(grpc::ServerContext*, const machine::v1::ListMachinesRequest* request,
                            machine::v1::ListMachinesResponse* response) override {
    absl::MutexLock lock(&state_.mu);
    auto it = state_.machines.upper_bound(request->page_token());
    for (; it != state_.machines.end() && response->machines_size() < 2; ++it) {
      *response->add_machines() = it->second;
    }
    if (it != state_.machines.end()) response->set_next_page_token(std::prev(it)->first);
    return grpc::Status::OK;
  }

  grpc::Status CreateMachine(grpc::ServerContext*, const machine::v1::CreateMachineRequest* request,
                             Operation* response) override {
    {
      absl::MutexLock lock(&state_.mu);
      state_.last_create = *request;
      Machine& machine = state_.machines[request->machine_id()];
      if (!machine.name().empty()) {
        return common::ToGrpcStatus(common::Error(
            absl::StatusCode::kAlreadyExists, machine::v1::ERROR_REASON_MACHINE_EXISTS, "exists"));
      }
      machine = request->machine();
      machine.set_name("machines/" + request->machine_id());
    }
    return state_.Begin(request->machine_id(), "create", *response);
  }

  grpc::Status GetAccessBundle(grpc::ServerContext*,
                               const machine::v1::GetAccessBundleRequest* request,
                               machine::v1::AccessBundle* response) override {
    absl::MutexLock lock(&state_.mu);
    const auto it = state_.machines.find(IdOf(request->name()));
    if (it == state_.machines.end()) return NotFound(IdOf(request->name()));
    *response = state_.bundle;
    *response->mutable_endpoint() = it->second.endpoint();
    return grpc::Status::OK;
  }

#define DM_FAKE_VERB(Method, verb)                                                       \
  grpc::Status Method(grpc::ServerContext*, const machine::v1::Method##Request* request, \
                      Operation* response) override {                                    \
    return Verb(request->name(), verb, *response);                                       \
  }
  DM_FAKE_VERB(DeleteMachine, "delete")
  DM_FAKE_VERB(StartMachine, "start")
  DM_FAKE_VERB(StopMachine, "stop")
  DM_FAKE_VERB(KillMachine, "kill")
  DM_FAKE_VERB(RestartMachine, "restart")
  DM_FAKE_VERB(ProvisionMachine, "provision")
  DM_FAKE_VERB(UpgradeMachine, "upgrade")
  DM_FAKE_VERB(RegenerateMachineCerts, "regenerate-certs")
#undef DM_FAKE_VERB

 private:
  grpc::Status Verb(const std::string& name, const std::string& verb, Operation& response) {
    {
      absl::MutexLock lock(&state_.mu);
      if (state_.machines.count(IdOf(name)) == 0) return NotFound(IdOf(name));
    }
    return state_.Begin(IdOf(name), verb, response);
  }

  State& state_;
};

class FakeOrchestrator::OperationsService final : public google::longrunning::Operations::Service {
 public:
  explicit OperationsService(State& state) : state_(state) {}

  grpc::Status GetOperation(grpc::ServerContext*,
                            const google::longrunning::GetOperationRequest* request,
                            Operation* response) override {
    absl::MutexLock lock(&state_.mu);
    if (state_.operations.count(request->name()) == 0) return NotFound(request->name());
    *response = state_.Describe(request->name());
    return grpc::Status::OK;
  }

  grpc::Status CancelOperation(grpc::ServerContext*,
                               const google::longrunning::CancelOperationRequest* request,
                               google::protobuf::Empty*) override {
    absl::MutexLock lock(&state_.mu);
    ++state_.cancels;
    state_.operations[request->name()].cancelled = !state_.ignore_cancel;
    return grpc::Status::OK;
  }

 private:
  State& state_;
};

class FakeOrchestrator::EventsService final : public machine::v1::OperationEvents::Service {
 public:
  explicit EventsService(State& state) : state_(state) {}

  grpc::Status WatchOperation(grpc::ServerContext* context,
                              const machine::v1::WatchOperationRequest* request,
                              grpc::ServerWriter<OperationEvent>* writer) override {
    OperationScript script;
    bool break_off = false;
    {
      absl::MutexLock lock(&state_.mu);
      ++state_.watches;
      State::Running& running = state_.operations[request->name()];
      script = running.script;
      break_off = script.break_after >= 0 && !std::exchange(running.broken_off, true);
    }
    int64_t sequence = 0;
    for (OperationEvent& event : script.events) {
      if (break_off && sequence == script.break_after) {
        return {script.break_code, "the stream broke off"};
      }
      event.set_sequence(++sequence);
      if (sequence > request->after_sequence()) writer->Write(event);
    }
    if (script.hold != nullptr && !AwaitRelease(*context, *script.hold, request->name())) {
      return {grpc::StatusCode::CANCELLED, "the client has gone"};
    }
    OperationEvent last;
    last.set_sequence(sequence + 1);
    *last.mutable_operation() = state_.Finish(request->name());
    writer->Write(last);
    return grpc::Status::OK;
  }

 private:
  // False when the client went first.
  bool AwaitRelease(grpc::ServerContext& context, const absl::Notification& hold,
                    const std::string& name) {
    absl::MutexLock lock(&state_.mu);
    const auto released = [&] {
      state_.mu.AssertHeld();
      return hold.HasBeenNotified() || state_.operations[name].cancelled || context.IsCancelled();
    };
    // Neither the notification nor the client's going wakes the mutex.
    while (!state_.mu.AwaitWithTimeout(absl::Condition(&released), absl::Milliseconds(5))) continue;
    return !context.IsCancelled();
  }

  State& state_;
};

class FakeOrchestrator::DriversService final : public machine::v1::Drivers::Service {
 public:
  explicit DriversService(State& state) : state_(state) {}

  grpc::Status ListDrivers(grpc::ServerContext*, const machine::v1::ListDriversRequest*,
                           machine::v1::ListDriversResponse* response) override {
    absl::MutexLock lock(&state_.mu);
    for (const auto& [name, driver] : state_.drivers) response->add_drivers()->set_name(name);
    return grpc::Status::OK;
  }

  grpc::Status GetDriver(grpc::ServerContext*, const machine::v1::GetDriverRequest* request,
                         machine::v1::DriverInfo* response) override {
    absl::MutexLock lock(&state_.mu);
    const auto it = state_.drivers.find(request->name());
    if (it == state_.drivers.end()) {
      return common::ToGrpcStatus(common::Error(absl::StatusCode::kNotFound,
                                                machine::v1::ERROR_REASON_DRIVER_NOT_FOUND,
                                                "no such driver"));
    }
    *response = it->second;
    return grpc::Status::OK;
  }

 private:
  State& state_;
};

class FakeOrchestrator::SessionsService final : public machine::v1::Sessions::Service {
 public:
  using ExecStream = grpc::ServerReaderWriter<machine::v1::ExecResponse, machine::v1::ExecRequest>;

  explicit SessionsService(State& state) : state_(state) {}

  grpc::Status Exec(grpc::ServerContext*, ExecStream* stream) override {
    machine::v1::ExecRequest request;
    stream->Read(&request);
    std::vector<machine::v1::ExecResponse> responses;
    {
      absl::MutexLock lock(&state_.mu);
      const std::string id = IdOf(request.start().name());
      const auto it = state_.machines.find(id);
      if (it == state_.machines.end()) return NotFound(id);
      if (it->second.state() != machine::v1::MACHINE_STATE_RUNNING) {
        return common::ToGrpcStatus(common::Error(absl::StatusCode::kFailedPrecondition,
                                                  machine::v1::ERROR_REASON_MACHINE_NOT_RUNNING,
                                                  "not running"));
      }
      state_.last_exec = request.start();
      responses = state_.exec_responses;
    }
    if (responses.empty()) Echo(*stream);
    for (const auto& response : responses) stream->Write(response);
    return grpc::Status::OK;
  }

 private:
  static void Echo(ExecStream& stream) {
    machine::v1::ExecRequest request;
    machine::v1::ExecResponse response;
    response.set_stdout("welcome\n");
    stream.Write(response);
    while (stream.Read(&request) && !request.eof() && request.stdin() != "exit\n") {
      response.set_stdout(request.has_window() ? absl::StrCat(request.window().columns(), "x",
                                                              request.window().rows(), "\n")
                                               : request.stdin());
      stream.Write(response);
    }
    response.mutable_exit()->set_code(0);
    stream.Write(response);
  }

  State& state_;
};

FakeOrchestrator::FakeOrchestrator() : state_(std::make_unique<State>()) {
  char folder[] = "/tmp/dm-fake-XXXXXX";  // Short, for the socket's sake.
  state_->folder = mkdtemp(folder);
  state_->services.push_back(std::make_unique<MachinesService>(*state_));
  state_->services.push_back(std::make_unique<OperationsService>(*state_));
  state_->services.push_back(std::make_unique<EventsService>(*state_));
  state_->services.push_back(std::make_unique<DriversService>(*state_));
  state_->services.push_back(std::make_unique<SessionsService>(*state_));
  grpc::ServerBuilder builder;
  builder.AddListeningPort(absl::StrCat("unix:", state_->folder, "/o.sock"),
                           grpc::experimental::LocalServerCredentials(UDS));
  for (const auto& service : state_->services) builder.RegisterService(service.get());
  state_->server = builder.BuildAndStart();
}

FakeOrchestrator::~FakeOrchestrator() {
  state_->server->Shutdown(std::chrono::system_clock::now());
  std::filesystem::remove_all(state_->folder);
}

common::Channel FakeOrchestrator::channel() const {
  return common::Channel::Local(absl::StrCat("unix:", state_->folder, "/o.sock"), "cookie");
}

void FakeOrchestrator::AddDriver(const machine::v1::DriverInfo& driver) {
  absl::MutexLock lock(&state_->mu);
  state_->drivers[driver.name()] = driver;
}

void FakeOrchestrator::PutMachine(const Machine& machine) {
  absl::MutexLock lock(&state_->mu);
  state_->machines[IdOf(machine.name())] = machine;
}

void FakeOrchestrator::RemoveMachine(absl::string_view id) {
  absl::MutexLock lock(&state_->mu);
  state_->machines.erase(std::string(id));
}

bool FakeOrchestrator::HasMachine(absl::string_view id) const {
  absl::MutexLock lock(&state_->mu);
  return state_->machines.count(std::string(id)) > 0;
}

void FakeOrchestrator::set_bundle(const machine::v1::AccessBundle& bundle) {
  absl::MutexLock lock(&state_->mu);
  state_->bundle = bundle;
}

void FakeOrchestrator::Script(absl::string_view id, OperationScript script) {
  absl::MutexLock lock(&state_->mu);
  state_->scripts[std::string(id)] = std::move(script);
}

void FakeOrchestrator::BeginElsewhere(absl::string_view id, absl::string_view verb,
                                      OperationScript script) {
  absl::MutexLock lock(&state_->mu);
  state_->BeginLocked(std::string(id), std::string(verb), std::move(script));
}

void FakeOrchestrator::set_ignore_cancel(bool ignore) {
  absl::MutexLock lock(&state_->mu);
  state_->ignore_cancel = ignore;
}

void FakeOrchestrator::ScriptExec(std::vector<machine::v1::ExecResponse> responses) {
  absl::MutexLock lock(&state_->mu);
  state_->exec_responses = std::move(responses);
}

machine::v1::CreateMachineRequest FakeOrchestrator::last_create() const {
  absl::MutexLock lock(&state_->mu);
  return state_->last_create;
}

machine::v1::ExecStart FakeOrchestrator::last_exec() const {
  absl::MutexLock lock(&state_->mu);
  return state_->last_exec;
}

std::vector<std::string> FakeOrchestrator::operations() const {
  absl::MutexLock lock(&state_->mu);
  return state_->log;
}

int FakeOrchestrator::cancels() const {
  absl::MutexLock lock(&state_->mu);
  return state_->cancels;
}

int FakeOrchestrator::watches() const {
  absl::MutexLock lock(&state_->mu);
  return state_->watches;
}

OperationEvent StepEvent(int index, int count, absl::string_view message) {
  OperationEvent event;
  event.mutable_progress()->set_step_index(index);
  event.mutable_progress()->set_step_count(count);
  event.mutable_progress()->set_message(std::string(message));
  return event;
}

OperationEvent LogEvent(machine::v1::LogLine::Severity severity, absl::string_view component,
                        absl::string_view text) {
  OperationEvent event;
  event.mutable_log()->set_severity(severity);
  event.mutable_log()->set_component(std::string(component));
  event.mutable_log()->set_text(std::string(text));
  return event;
}

}  // namespace machine::fakes
