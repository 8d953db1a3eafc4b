#include "services/orchestrator/api/operations_service.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "services/common/rpc/server_reactors.h"
#include "services/common/status/status.h"
#include "services/orchestrator/access/gate.h"
#include "services/orchestrator/engine/admission.h"
#include "services/orchestrator/events/machine_index.h"

namespace machine::orchestrator {
namespace {

constexpr int kDefaultPage = 100;
constexpr int kMaxPage = 1000;
constexpr absl::Duration kLongestWait = absl::Hours(1);

absl::StatusOr<OperationRecord> FindOperation(Store& store, const std::string& name) {
  std::optional<OperationRecord> record;
  DM_RETURN_IF_ERROR(store.Read([&](StoreReader& reader) -> absl::Status {
    DM_ASSIGN_OR_RETURN(record, reader.FindOperation(name));
    return absl::OkStatus();
  }));
  if (!record.has_value()) {
    return common::Error(absl::StatusCode::kNotFound, machine::v1::ERROR_REASON_OPERATION_NOT_FOUND,
                         absl::StrCat("no operation ", name));
  }
  return *std::move(record);
}

struct Filter {
  std::string machine;
  std::string verb;
  bool open_only = false;
};

absl::StatusOr<Filter> ReadFilter(absl::string_view text) {
  Filter filter;
  for (absl::string_view term : absl::StrSplit(text, " AND ", absl::SkipWhitespace())) {
    term = absl::StripAsciiWhitespace(term);
    if (absl::ConsumePrefix(&term, "machine=")) {
      filter.machine = std::string(MachineId(term));
    } else if (absl::ConsumePrefix(&term, "verb=")) {
      filter.verb = std::string(term);
    } else if (term == "done=false") {
      filter.open_only = true;
    } else {
      return common::InvalidField(
          "filter", absl::StrCat("expected machine=, verb= or done=false, not \"", term, "\""));
    }
  }
  return filter;
}

// What a machine was that is gone is only for those who see all.
bool MaySee(const Caller& caller, absl::string_view machine_id, const MachineIndex& index,
            const AccessPolicy* policy) {
  if (policy == nullptr || caller.Has(machine::v1::ROLE_VIEWER)) return true;
  const MachinePointer machine = index.Find(machine_id);
  return machine != nullptr && policy->MayOn(caller, machine::v1::ROLE_VIEWER, machine->machine);
}

}  // namespace

OperationsService::OperationsService(Store& store, WatchHub& hub, common::Executor& executor,
                                     const MachineIndex& index, AccessPolicy* policy)
    : store_(store), hub_(hub), executor_(executor), index_(index), policy_(policy) {}

grpc::ServerUnaryReactor* OperationsService::ListOperations(
    grpc::CallbackServerContext* context, const google::longrunning::ListOperationsRequest* request,
    google::longrunning::ListOperationsResponse* response) {
  return common::RunUnary(
      executor_, *context,
      [this, request, response,
       caller = CallerOf(policy_, *context)](common::CallScope&) -> absl::Status {
        DM_ASSIGN_OR_RETURN(const Filter filter, ReadFilter(request->filter()));
        const int size = request->page_size() == 0 ? kDefaultPage
                                                   : std::clamp(request->page_size(), 1, kMaxPage);
        std::vector<OperationRecord> records;
        DM_RETURN_IF_ERROR(store_.Read([&](StoreReader& reader) -> absl::Status {
          DM_ASSIGN_OR_RETURN(records, reader.ListOperations(filter.machine, filter.open_only,
                                                             request->page_token(), size + 1));
          return absl::OkStatus();
        }));
        if (static_cast<int>(records.size()) > size) {
          records.pop_back();
          response->set_next_page_token(records.back().name());
        }
        for (const OperationRecord& record : records) {
          if (!filter.verb.empty() && record.metadata().verb() != filter.verb) continue;
          if (!MaySee(caller, record.machine_name(), index_, policy_)) continue;
          *response->add_operations() = ToOperation(record);
        }
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* OperationsService::GetOperation(
    grpc::CallbackServerContext* context, const google::longrunning::GetOperationRequest* request,
    google::longrunning::Operation* response) {
  return common::RunUnary(
      executor_, *context, [this, request, response](common::CallScope&) -> absl::Status {
        DM_ASSIGN_OR_RETURN(const OperationRecord record, FindOperation(store_, request->name()));
        *response = ToOperation(record);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* OperationsService::DeleteOperation(
    grpc::CallbackServerContext* context,
    const google::longrunning::DeleteOperationRequest* request, google::protobuf::Empty*) {
  return common::RunUnary(executor_, *context, [this, request](common::CallScope&) {
    return store_.WriteAndWait([request](StoreTransaction& transaction) {
      return transaction.DeleteOperation(request->name());
    });
  });
}

grpc::ServerUnaryReactor* OperationsService::CancelOperation(
    grpc::CallbackServerContext* context,
    const google::longrunning::CancelOperationRequest* request, google::protobuf::Empty*) {
  return common::RunUnary(executor_, *context, [this, request](common::CallScope&) {
    return store_.WriteAndWait([request](StoreTransaction& transaction) {
      return transaction.RequestCancel(request->name());
    });
  });
}

grpc::ServerUnaryReactor* OperationsService::WaitOperation(
    grpc::CallbackServerContext* context, const google::longrunning::WaitOperationRequest* request,
    google::longrunning::Operation* response) {
  auto call = common::UnaryCall::Create();
  absl::Duration timeout = std::min(kLongestWait, common::DeadlineOf(*context) - absl::Now());
  if (request->has_timeout()) {
    timeout = std::min(timeout, absl::Seconds(request->timeout().seconds()) +
                                    absl::Nanoseconds(request->timeout().nanos()));
  }
  // Answered by whichever comes first: the operation's end or the time.
  auto answered = std::make_shared<std::atomic<bool>>(false);
  auto answer = [this, call, request, response, answered] {
    if (answered->exchange(true)) return;
    absl::StatusOr<OperationRecord> record = FindOperation(store_, request->name());
    if (record.ok()) *response = ToOperation(*record);
    call->Reply(record.status());
  };
  executor_.RunAfter(timeout, answer);
  hub_.WhenDone(request->name(), answer);
  return call.get();
}

grpc::ServerWriteReactor<machine::v1::OperationEvent>* OperationEventsService::WatchOperation(
    grpc::CallbackServerContext*, const machine::v1::WatchOperationRequest* request) {
  auto stream = OperationStream::Create();
  hub_.WatchOperation(request->name(), request->after_sequence(), stream);
  return stream.get();
}

}  // namespace machine::orchestrator
