#include "services/orchestrator/engine/refresher.h"

#include <algorithm>
#include <map>
#include <utility>

#include "google/protobuf/util/message_differencer.h"
#include "services/common/status/grpc_status.h"
#include "services/common/status/status.h"
#include "services/orchestrator/engine/driver_steps.h"
#include "services/orchestrator/engine/machine_material.h"

namespace machine::orchestrator {
namespace {

constexpr size_t kMaxBatch = 500;  // As driver.v1.BatchInspectRequest allows.
constexpr absl::Duration kRefreshTimeout = absl::Seconds(10);

// A create knows its state itself until it is done, and nobody can be asked about a machine whose
// record cannot be read.
bool IsSettled(const machine::v1::Machine& machine) {
  return machine.pending_operation().empty() && !machine.driver().empty() &&
         machine.state() != machine::v1::MACHINE_STATE_CREATING &&
         machine.state() != machine::v1::MACHINE_STATE_REMOVING;
}

}  // namespace

struct Refresher::Batch {
  std::string driver;
  absl::Duration timeout;
  std::vector<MachinePointer> machines;
  std::shared_ptr<DriverConnection> connection;
  grpc::ClientContext context;
  ::driver::v1::BatchInspectRequest request;
  ::driver::v1::BatchInspectResponse response;
  // Shared by the batches of one refresh; runs `done` when the last one goes.
  std::shared_ptr<void> rest;
};

Refresher::Refresher(EngineParts parts, MachineIndex& index) : parts_(parts), index_(index) {}

void Refresher::Start(absl::Duration interval) {
  interval_ = interval;
  parts_.executor.Run([this] { Tick(); });
}

void Refresher::Stop() { stopping_ = true; }

void Refresher::Tick() {
  if (stopping_) return;
  // Of several orchestrators one asks the providers for all; what it finds comes to the others by
  // the store.
  const absl::StatusOr<bool> ours = parts_.store.TakeRole("refresh");
  if (!ours.ok() || !*ours) {
    return parts_.executor.RunAfter(interval_, [this] { Tick(); });
  }
  const int64_t start_us = absl::ToUnixMicros(parts_.clock.Now());
  Refresh(index_.All(), kRefreshTimeout, [this, start_us] {
    if (!stopping_) parts_.store.TellObserved(start_us);
    parts_.executor.RunAfter(interval_, [this] { Tick(); });
  });
}

void Refresher::Refresh(const std::vector<MachinePointer>& machines, absl::Duration timeout,
                        absl::AnyInvocable<void()> done) {
  std::map<std::string, std::vector<MachinePointer>> by_driver;
  for (const MachinePointer& machine : machines) {
    if (IsSettled(machine->machine)) by_driver[machine->machine.driver()].push_back(machine);
  }
  auto shared_done = std::make_shared<absl::AnyInvocable<void()>>(std::move(done));
  const std::shared_ptr<void> rest(nullptr, [shared_done](void*) { (*shared_done)(); });
  for (auto& [driver, all] : by_driver) {
    for (size_t begin = 0; begin < all.size(); begin += kMaxBatch) {
      auto batch = std::make_shared<Batch>();
      batch->driver = driver;
      batch->timeout = timeout;
      batch->machines.assign(
          all.begin() + static_cast<ptrdiff_t>(begin),
          all.begin() + static_cast<ptrdiff_t>(std::min(begin + kMaxBatch, all.size())));
      batch->rest = rest;
      parts_.drivers.GetDriver(
          driver, [this, batch](absl::StatusOr<std::shared_ptr<DriverConnection>> connection) {
            if (!connection.ok()) return Apply(*batch, connection.status());
            batch->connection = *std::move(connection);
            RunBatch(batch);
          });
    }
  }
}

void Refresher::RunBatch(const std::shared_ptr<Batch>& batch) {
  std::vector<MachinePointer> readable;
  const absl::Status status = parts_.store.Read([&](StoreReader& reader) -> absl::Status {
    for (const MachinePointer& machine : batch->machines) {
      const auto record = reader.FindMachine(machine->machine.uid());
      if (!record.ok() || !record->has_value()) continue;  // Damaged, or removed meanwhile.
      absl::StatusOr<::driver::v1::MachineRef> ref = BuildMachineRef(reader, parts_, **record, {});
      if (!ref.ok()) continue;
      *batch->request.add_machines() = *std::move(ref);
      readable.push_back(machine);
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return Apply(*batch, status);
  batch->machines = std::move(readable);
  batch->connection->channel().Prepare(batch->context, batch->timeout);
  batch->connection->stub().async()->BatchInspect(&batch->context, &batch->request,
                                                  &batch->response,
                                                  [this, batch](const grpc::Status& status) {
                                                    parts_.executor.Run([this, batch, status] {
                                                      Apply(*batch, common::FromGrpcStatus(status));
                                                    });
                                                  });
}

void Refresher::Apply(const Batch& batch, const absl::Status& status) {
  if (stopping_) return;
  const bool complete =
      status.ok() && batch.response.observations_size() == static_cast<int>(batch.machines.size());
  for (size_t i = 0; i < batch.machines.size(); ++i) {
    if (complete) {
      Record(batch, batch.machines[i], batch.response.observations(static_cast<int>(i)));
      continue;
    }
    ::driver::v1::Observation silent;
    silent.set_state(machine::v1::MACHINE_STATE_TIMEOUT);
    *silent.mutable_endpoint() = batch.machines[i]->machine.endpoint();
    Record(batch, batch.machines[i], silent);
  }
}

void Refresher::Record(const Batch& batch, const MachinePointer& machine,
                       const ::driver::v1::Observation& observation) {
  const absl::Time now = parts_.clock.Now();
  const machine::v1::Machine& known = machine->machine;
  machine::v1::Endpoint endpoint = observation.endpoint();
  machine::v1::MachineState state = observation.state();
  // A machine of which the driver could say nothing is where it was.
  const bool silent = state == machine::v1::MACHINE_STATE_TIMEOUT ||
                      (state == machine::v1::MACHINE_STATE_UNSPECIFIED &&
                       endpoint.ip_addresses().empty() && endpoint.docker_url().empty());
  if (silent) {
    state = machine::v1::MACHINE_STATE_TIMEOUT;
    endpoint = known.endpoint();
  }
  if (endpoint.ssh_host_key_sha256().empty()) {
    endpoint.set_ssh_host_key_sha256(known.endpoint().ssh_host_key_sha256());
  }
  // A create that failed stays an error until somebody mends it, whatever the instance does.
  const bool failed = known.state() == machine::v1::MACHINE_STATE_ERROR;
  if (failed || (known.state() == state &&
                 google::protobuf::util::MessageDifferencer::Equals(known.endpoint(), endpoint))) {
    machine->observed_us = absl::ToUnixMicros(now);
    return;
  }
  parts_.store.Write(
      [uid = known.uid(), state, endpoint, now](StoreTransaction& transaction) -> absl::Status {
        DM_ASSIGN_OR_RETURN(auto record, transaction.FindMachine(uid));
        // Another operation may have begun meanwhile; then it knows better.
        if (!record.has_value() || !IsSettled(record->machine())) return absl::OkStatus();
        record->mutable_machine()->set_state(state);
        *record->mutable_machine()->mutable_endpoint() = endpoint;
        record->mutable_machine()->mutable_observe_time()->set_seconds(absl::ToUnixSeconds(now));
        return transaction.UpdateMachine(*record);
      },
      // Who waits for the refresh is to see what came of it.
      [rest = batch.rest](absl::Status) {});
}

}  // namespace machine::orchestrator
