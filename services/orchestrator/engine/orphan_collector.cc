#include "services/orchestrator/engine/orphan_collector.h"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "services/common/status/grpc_status.h"
#include "services/common/status/status.h"
#include "services/orchestrator/engine/driver_steps.h"
#include "services/orchestrator/engine/instance_removal.h"
#include "services/orchestrator/engine/machine_material.h"
#include "services/orchestrator/events/machine_index.h"

namespace machine::orchestrator {
namespace {

constexpr absl::Duration kListTimeout = absl::Minutes(2);

absl::Status CannotList(absl::string_view driver) {
  return common::Error(absl::StatusCode::kUnimplemented,
                       machine::v1::ERROR_REASON_CAPABILITY_MISSING,
                       absl::StrCat("the ", driver, " driver cannot list instances"));
}

// Text that is equal for equal accounts.
std::string KeyOf(const std::string& driver, const std::vector<machine::v1::OptionValue>& options) {
  std::vector<std::string> parts;
  parts.reserve(options.size());
  for (const machine::v1::OptionValue& option : options) {
    parts.push_back(option.SerializeAsString());
  }
  std::sort(parts.begin(), parts.end());
  std::string key = driver;
  for (const std::string& part : parts) absl::StrAppend(&key, "\n", part.size(), ":", part);
  return key;
}

absl::StatusOr<std::shared_ptr<DriverConnection>> Connect(const EngineParts& parts,
                                                          const std::string& driver) {
  absl::StatusOr<std::shared_ptr<DriverConnection>> result;
  absl::Notification done;
  parts.drivers.GetDriver(driver,
                          [&](absl::StatusOr<std::shared_ptr<DriverConnection>> connection) {
                            result = std::move(connection);
                            done.Notify();
                          });
  done.WaitForNotification();
  return result;
}

}  // namespace

absl::StatusOr<std::vector<OrphanCollector::Account>> OrphanCollector::Accounts(
    const machine::v1::CollectOrphansRequest& request) const {
  std::vector<Account> accounts;
  if (request.driver().empty() && (request.options_size() > 0 || !request.credential().empty())) {
    return common::InvalidField("driver", "an account is named together with its driver");
  }
  std::set<std::string> seen;
  const auto add = [&](const std::string& driver, std::vector<machine::v1::OptionValue> options) {
    if (!request.driver().empty() && driver != request.driver()) return;
    if (seen.insert(KeyOf(driver, options)).second)
      accounts.push_back({driver, std::move(options)});
  };
  DM_RETURN_IF_ERROR(parts_.store.Read([&](StoreReader& reader) -> absl::Status {
    if (request.options_size() > 0 || !request.credential().empty()) {
      machine::v1::Machine account;
      account.set_driver(request.driver());
      account.set_credential(request.credential());
      *account.mutable_driver_options() = request.options();
      DM_ASSIGN_OR_RETURN(auto options, JoinSecrets(reader, parts_.vault, account));
      add(request.driver(), std::move(options));
      return absl::OkStatus();
    }
    std::vector<machine::v1::Machine> machines;
    DM_RETURN_IF_ERROR(reader.ForEachMachine(
        [&](MachineRecord record) { machines.push_back(std::move(*record.mutable_machine())); },
        nullptr));
    DM_ASSIGN_OR_RETURN(const auto tombstones,
                        reader.ListTombstones(absl::InfiniteFuture(), 10'000));
    for (const TombstoneRecord& tombstone : tombstones) {
      machines.push_back(tombstone.machine().machine());
    }
    DM_ASSIGN_OR_RETURN(const auto credentials, reader.ListCredentials());
    for (const CredentialRecord& credential : credentials) {
      machine::v1::Machine account;
      account.set_driver(credential.credential().driver());
      account.set_credential(credential.credential().name());
      machines.push_back(std::move(account));
    }
    for (const machine::v1::Machine& machine : machines) {
      // One machine with a damaged secret must not keep the others' accounts from being looked at.
      auto options = JoinSecrets(reader, parts_.vault, machine);
      if (options.ok()) add(machine.driver(), *std::move(options));
    }
    return absl::OkStatus();
  }));
  // A driver that nothing is known of yet finds its account by itself, or says what it needs.
  if (accounts.empty() && !request.driver().empty()) accounts.push_back({request.driver(), {}});
  return accounts;
}

absl::StatusOr<std::vector<::driver::v1::ListInstancesResponse>> OrphanCollector::List(
    const Account& account, bool must_be_able) const {
  std::vector<::driver::v1::ListInstancesResponse> instances;
  DM_ASSIGN_OR_RETURN(const auto driver, Connect(parts_, account.driver));
  if (!driver->Can(::driver::v1::CAPABILITY_LIST_INSTANCES)) {
    if (must_be_able) return CannotList(account.driver);
    return instances;
  }
  ::driver::v1::ListInstancesRequest request;
  request.set_orchestrator_id(parts_.store.orchestrator_id());
  request.mutable_options()->Assign(account.options.begin(), account.options.end());
  grpc::ClientContext context;
  driver->channel().Prepare(context, kListTimeout);
  const auto reader = driver->stub().ListInstances(&context, request);
  ::driver::v1::ListInstancesResponse instance;
  while (reader->Read(&instance)) instances.push_back(std::move(instance));
  const absl::Status status =
      DriverCallStatus(common::FromGrpcStatus(reader->Finish()), account.driver);
  DM_RETURN_IF_ERROR(
      common::Annotate(status, absl::StrCat("listing the instances of ", account.driver)));
  return instances;
}

// Read after the listing: a machine's record is there before its instance is, so an instance in the
// list without a record has been left by it. While an operation is under way there is a record.
absl::StatusOr<bool> OrphanCollector::IsOrphan(machine::v1::Orphan& orphan) const {
  bool is_orphan = false;
  DM_RETURN_IF_ERROR(parts_.store.Read([&](StoreReader& reader) -> absl::Status {
    DM_ASSIGN_OR_RETURN(const auto machine, reader.FindMachine(orphan.machine_uid()));
    if (machine.has_value()) return absl::OkStatus();
    is_orphan = true;
    DM_ASSIGN_OR_RETURN(const auto tombstone, reader.FindTombstone(orphan.machine_uid()));
    if (!tombstone.has_value()) return absl::OkStatus();
    orphan.set_tombstone(true);
    orphan.set_machine_id(std::string(MachineId(tombstone->machine().machine().name())));
    return absl::OkStatus();
  }));
  return is_orphan;
}

absl::Status OrphanCollector::Remove(const Account& account, const machine::v1::Orphan& orphan) {
  absl::Status result;
  absl::Notification done;
  const auto on_done = [&](absl::Status status) {
    result = std::move(status);
    done.Notify();
  };
  if (orphan.tombstone()) {
    reaper_.Chase(orphan.machine_uid(), on_done);
    done.WaitForNotification();
    // The reaper was quicker.
    return absl::IsNotFound(result) ? absl::OkStatus() : result;
  }
  ::driver::v1::MachineRef machine;
  auto& context = *machine.mutable_context();
  context.set_machine_uid(orphan.machine_uid());
  context.set_machine_name(orphan.machine_uid());
  context.set_orchestrator_id(parts_.store.orchestrator_id());
  // More than any operation of that machine can have had.
  context.set_fencing_token(absl::ToUnixMicros(parts_.clock.Now()));
  context.set_attempt(1);
  machine.mutable_options()->Assign(account.options.begin(), account.options.end());
  RemoveInstance(parts_, account.driver, std::move(machine), on_done);
  done.WaitForNotification();
  return result;
}

absl::Status OrphanCollector::Collect(const machine::v1::CollectOrphansRequest& request,
                                      absl::FunctionRef<bool(machine::v1::Orphan)> report) {
  DM_ASSIGN_OR_RETURN(const std::vector<Account> accounts, Accounts(request));
  absl::Status first_error;
  std::set<std::pair<std::string, std::string>> seen;  // Driver and instance.
  for (const Account& account : accounts) {
    parts_.log.Info("looking for orphans", {{"driver", account.driver}});
    const auto instances = List(account, /*must_be_able=*/!request.driver().empty());
    if (!instances.ok()) {
      first_error.Update(instances.status());
      continue;
    }
    for (const ::driver::v1::ListInstancesResponse& instance : *instances) {
      machine::v1::Orphan orphan;
      orphan.set_driver(account.driver);
      orphan.set_instance_id(instance.observation().instance_id());
      orphan.set_machine_uid(instance.machine_uid());
      orphan.set_state(instance.observation().state());
      // Without a uid nobody can say whose it is: better left alone.
      if (orphan.machine_uid().empty()) continue;
      if (!seen.emplace(account.driver, orphan.instance_id()).second) continue;
      DM_ASSIGN_OR_RETURN(const bool is_orphan, IsOrphan(orphan));
      if (!is_orphan) continue;
      if (!request.dry_run()) {
        const absl::Status removed = Remove(account, orphan);
        orphan.set_removed(removed.ok());
        if (!removed.ok()) *orphan.mutable_error() = common::ToRpcStatus(removed);
        parts_.log.Info("orphan", {{"driver", account.driver},
                                   {"instance", orphan.instance_id()},
                                   {"machine_uid", orphan.machine_uid()},
                                   {"outcome", std::string(removed.message())}});
      }
      if (!report(std::move(orphan))) return absl::CancelledError("nobody wants to know any more");
    }
  }
  return first_error;
}

}  // namespace machine::orchestrator
