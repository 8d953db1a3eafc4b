#include "tests/integration/replica.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "services/common/file/file.h"
#include "services/common/status/grpc_status.h"
#include "services/common/status/status.h"

namespace machine::tests {
namespace {

constexpr absl::Duration kStartLimit = absl::Minutes(1);
constexpr absl::Duration kCallLimit = absl::Seconds(5);
constexpr absl::Duration kWatchLimit = absl::Minutes(2);

}  // namespace

Replica::Replica(const World& world, absl::string_view name, absl::string_view database,
                 absl::string_view lease)
    : world_(world),
      name_(name),
      storage_(world.Path(name)),
      database_(absl::StrCat(database, "&application_name=", name)),
      lease_(lease) {
  std::filesystem::create_directories(storage_ + "/server");
  chmod((storage_ + "/server").c_str(), 0700);
  const std::string key(64, 'a');
  EXPECT_TRUE(common::WriteFileAtomically(storage_ + "/server/sealing.key", key, 0600).ok());
}

bool Replica::Start() {
  // Of one that was killed.
  std::error_code ignored;
  std::filesystem::remove(storage_ + "/server/server.json", ignored);
  process_.emplace(std::vector<std::string>{world_.libexec() + "/machine-orchestrator",
                                            "--storage-path=" + storage_, "--store=" + database_,
                                            "--lease-time=" + lease_},
                   world_.Environment(), world_.Path(""));
  const bool serves = Eventually(kStartLimit, [&] { return Machines().ok(); });
  EXPECT_TRUE(serves) << name_ << " does not serve: " << Log();
  return serves;
}

void Replica::Kill() {
  process_->Signal(SIGKILL);
  process_->Wait();
}

void Replica::Stop() {
  process_->Signal(SIGTERM);
  EXPECT_EQ(process_->Wait().exit_code, 0);
}

absl::StatusOr<common::Channel> Replica::Connect() const {
  DM_ASSIGN_OR_RETURN(const std::string text, common::ReadFile(storage_ + "/server/server.json"));
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return absl::UnavailableError("no server.json");
  return common::Channel::Local(json.value("address", ""), json.value("cookie", ""));
}

absl::StatusOr<google::longrunning::Operation> Replica::Create(
    const machine::v1::CreateMachineRequest& request) const {
  DM_ASSIGN_OR_RETURN(const common::Channel channel, Connect());
  grpc::ClientContext context;
  channel.Prepare(context, kCallLimit);
  google::longrunning::Operation operation;
  DM_RETURN_IF_ERROR(common::FromGrpcStatus(machine::v1::Machines::NewStub(channel.grpc())
                                                ->CreateMachine(&context, request, &operation)));
  return operation;
}

absl::StatusOr<google::longrunning::Operation> Replica::Operation(const std::string& name) const {
  DM_ASSIGN_OR_RETURN(const common::Channel channel, Connect());
  grpc::ClientContext context;
  channel.Prepare(context, kCallLimit);
  google::longrunning::GetOperationRequest request;
  request.set_name(name);
  google::longrunning::Operation operation;
  DM_RETURN_IF_ERROR(common::FromGrpcStatus(google::longrunning::Operations::NewStub(channel.grpc())
                                                ->GetOperation(&context, request, &operation)));
  return operation;
}

absl::Status Replica::Cancel(const std::string& operation) const {
  DM_ASSIGN_OR_RETURN(const common::Channel channel, Connect());
  grpc::ClientContext context;
  channel.Prepare(context, kCallLimit);
  google::longrunning::CancelOperationRequest request;
  request.set_name(operation);
  google::protobuf::Empty empty;
  return common::FromGrpcStatus(google::longrunning::Operations::NewStub(channel.grpc())
                                    ->CancelOperation(&context, request, &empty));
}

absl::StatusOr<std::vector<std::string>> Replica::Machines() const {
  DM_ASSIGN_OR_RETURN(const common::Channel channel, Connect());
  grpc::ClientContext context;
  channel.Prepare(context, kCallLimit);
  machine::v1::ListMachinesRequest request;
  request.set_page_size(1000);
  machine::v1::ListMachinesResponse response;
  DM_RETURN_IF_ERROR(common::FromGrpcStatus(
      machine::v1::Machines::NewStub(channel.grpc())->ListMachines(&context, request, &response)));
  std::vector<std::string> lines;
  for (const machine::v1::Machine& machine : response.machines()) {
    lines.push_back(absl::StrCat(
        machine.name(), " ", machine::v1::MachineState_Name(machine.state()), " ", machine.etag()));
  }
  return lines;
}

absl::StatusOr<std::vector<machine::v1::OperationEvent>> Replica::Events(
    const std::string& operation) const {
  DM_ASSIGN_OR_RETURN(const common::Channel channel, Connect());
  grpc::ClientContext context;
  channel.Prepare(context, kWatchLimit);
  machine::v1::WatchOperationRequest request;
  request.set_name(operation);
  const auto stub = machine::v1::OperationEvents::NewStub(channel.grpc());
  const auto stream = stub->WatchOperation(&context, request);
  std::vector<machine::v1::OperationEvent> events;
  while (stream->Read(&events.emplace_back())) {
  }
  events.pop_back();
  DM_RETURN_IF_ERROR(common::FromGrpcStatus(stream->Finish()));
  return events;
}

}  // namespace machine::tests
