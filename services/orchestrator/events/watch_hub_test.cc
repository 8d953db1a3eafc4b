// Watches over a real store and a real stream.
#include "services/orchestrator/events/watch_hub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "machine/v1/machines.grpc.pb.h"
#include "machine/v1/operations.grpc.pb.h"
#include "services/common/rpc/channel.h"
#include "services/common/rpc/server.h"
#include "services/common/status/grpc_status.h"
#include "services/common/status/status.h"
#include "services/orchestrator/store/sqlite_store.h"
#include "services/orchestrator/store/test_records.h"

namespace machine::orchestrator {
namespace {

using ::testing::ElementsAre;

class Watches final : public machine::v1::OperationEvents::CallbackService {
 public:
  explicit Watches(WatchHub& hub) : hub_(hub) {}
  grpc::ServerWriteReactor<machine::v1::OperationEvent>* WatchOperation(
      grpc::CallbackServerContext*, const machine::v1::WatchOperationRequest* request) override {
    auto stream = OperationStream::Create();
    hub_.WatchOperation(request->name(), request->after_sequence(), stream);
    return stream.get();
  }

 private:
  WatchHub& hub_;
};

class MachineWatches final : public machine::v1::Machines::CallbackService {
 public:
  explicit MachineWatches(WatchHub& hub) : hub_(hub) {}
  grpc::ServerWriteReactor<machine::v1::MachineEvent>* WatchMachines(
      grpc::CallbackServerContext*, const machine::v1::WatchMachinesRequest* request) override {
    auto stream = MachineStream::Create();
    hub_.WatchMachines(*MachineFilter::Parse(request->filter()), request->resume_token(),
                       request->send_initial(), stream);
    return stream.get();
  }

 private:
  WatchHub& hub_;
};

class WatchHubTest : public testing::Test {
 protected:
  WatchHubTest() {
    store_ = *SqliteStore::Open(folder_ + "/store.db");
    hub_ = std::make_unique<WatchHub>(*store_, index_, executor_, common::Clock::Real());
    store_->SetListener([this](const StoreChanges& changes) {
      index_.Apply(changes);
      hub_->Apply(changes);
    });
    watches_ = std::make_unique<Watches>(*hub_);
    machine_watches_ = std::make_unique<MachineWatches>(*hub_);
    server_ = *common::RpcServer::Start({.address = absl::StrCat("unix:", socket_folder_, "/s"),
                                         .services = {watches_.get(), machine_watches_.get()}});
    channel_.emplace(common::Channel::Local(server_->address(), ""));
    operation_ = TestOperation("dev", "create");
    EXPECT_TRUE(store_
                    ->WriteAndWait([this](StoreTransaction& transaction) -> absl::Status {
                      DM_RETURN_IF_ERROR(transaction.InsertMachine(TestMachine("dev")));
                      return transaction.InsertOperation(operation_, "owner");
                    })
                    .ok());
  }
  ~WatchHubTest() override {
    hub_->EndAll();
    server_->Shutdown(absl::Seconds(5));
    std::filesystem::remove_all(socket_folder_);
  }

  void Append(absl::string_view text) {
    EXPECT_TRUE(store_
                    ->WriteAndWait([&](StoreTransaction& transaction) {
                      machine::v1::OperationEvent event = TestEvent(text);
                      return transaction.AppendEvent(operation_.name(), event);
                    })
                    .ok());
  }
  void Finish() {
    EXPECT_TRUE(store_
                    ->WriteAndWait([&](StoreTransaction& transaction) {
                      machine::v1::OperationEvent event;
                      event.mutable_operation()->set_done(true);
                      return transaction.AppendEvent(operation_.name(), event);
                    })
                    .ok());
  }

  // A socket's path is short; the test's own folder need not be.
  static std::string NewSocketFolder() {
    char folder[] = "/tmp/whXXXXXX";
    return mkdtemp(folder);
  }

  std::string folder_ = NewTestFolder();
  const std::string socket_folder_ = NewSocketFolder();
  common::Executor executor_{8};
  MachineIndex index_;
  std::unique_ptr<SqliteStore> store_;
  std::unique_ptr<WatchHub> hub_;
  std::unique_ptr<Watches> watches_;
  std::unique_ptr<MachineWatches> machine_watches_;
  std::unique_ptr<common::RpcServer> server_;
  std::optional<common::Channel> channel_;
  OperationRecord operation_;
};

TEST_F(WatchHubTest, AWatcherGetsWhatWasAndWhatComesWithoutGapOrRepetition) {
  Append("one");
  Append("two");
  const auto stub = machine::v1::OperationEvents::NewStub(channel_->grpc());
  machine::v1::WatchOperationRequest request;
  request.set_name(operation_.name());
  request.set_after_sequence(1);
  grpc::ClientContext context;
  channel_->Prepare(context, absl::Seconds(60));
  const auto reader = stub->WatchOperation(&context, request);
  machine::v1::OperationEvent event;
  ASSERT_TRUE(reader->Read(&event));  // The watch is on; what follows comes live.
  std::vector<int64_t> sequences = {event.sequence()};
  Append("three");
  Finish();
  while (reader->Read(&event)) sequences.push_back(event.sequence());
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_THAT(sequences, ElementsAre(2, 3, 4));
  EXPECT_TRUE(event.has_operation());
}

TEST_F(WatchHubTest, AnUnknownOperationIsNotFound) {
  const auto stub = machine::v1::OperationEvents::NewStub(channel_->grpc());
  machine::v1::WatchOperationRequest request;
  request.set_name("operations/none");
  grpc::ClientContext context;
  channel_->Prepare(context, absl::Seconds(60));
  const auto reader = stub->WatchOperation(&context, request);
  machine::v1::OperationEvent event;
  EXPECT_FALSE(reader->Read(&event));
  EXPECT_EQ(common::ReasonOf(common::FromGrpcStatus(reader->Finish())),
            machine::v1::ERROR_REASON_OPERATION_NOT_FOUND);
}

TEST_F(WatchHubTest, MachinesAreShownThenFollowedAndResumed) {
  const auto stub = machine::v1::Machines::NewStub(channel_->grpc());
  machine::v1::WatchMachinesRequest request;
  request.set_send_initial(true);
  grpc::ClientContext context;
  channel_->Prepare(context, absl::Seconds(60));
  const auto reader = stub->WatchMachines(&context, request);
  machine::v1::MachineEvent event;
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_EQ(event.type(), machine::v1::MachineEvent::ADDED);
  EXPECT_EQ(MachineId(event.machine().name()), "dev");
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_EQ(event.type(), machine::v1::MachineEvent::BOOKMARK);
  const std::string token = event.resume_token();
  context.TryCancel();
  while (reader->Read(&event)) {
  }

  EXPECT_TRUE(store_
                  ->WriteAndWait([](StoreTransaction& transaction) {
                    return transaction.InsertMachine(TestMachine("late"));
                  })
                  .ok());
  request.set_resume_token(token);
  grpc::ClientContext again;
  channel_->Prepare(again, absl::Seconds(60));
  const auto resumed = stub->WatchMachines(&again, request);
  ASSERT_TRUE(resumed->Read(&event));
  EXPECT_EQ(event.type(), machine::v1::MachineEvent::MODIFIED);
  EXPECT_EQ(MachineId(event.machine().name()), "late");
  hub_->EndAll();
  while (resumed->Read(&event)) {
  }
  EXPECT_EQ(common::ReasonOf(common::FromGrpcStatus(resumed->Finish())),
            machine::v1::ERROR_REASON_SHUTTING_DOWN);
}

}  // namespace
}  // namespace machine::orchestrator
