// Server, channel and reactors together, over a real Unix socket.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "machine/v1/machines.grpc.pb.h"
#include "machine/v1/operations.grpc.pb.h"
#include "machine/v1/sessions.grpc.pb.h"
#include "services/common/rpc/channel.h"
#include "services/common/rpc/client_reactors.h"
#include "services/common/rpc/server.h"
#include "services/common/rpc/server_reactors.h"

namespace machine::common {
namespace {

using ::testing::HasSubstr;

// Streams as many events as the name says, then ends with OK.
class CountingEvents final : public machine::v1::OperationEvents::CallbackService {
 public:
  explicit CountingEvents(Executor& executor) : executor_(executor) {}

  grpc::ServerWriteReactor<machine::v1::OperationEvent>* WatchOperation(
      grpc::CallbackServerContext*, const machine::v1::WatchOperationRequest* request) override {
    auto stream = EventStream<machine::v1::OperationEvent>::Create();
    const int64_t count = request->after_sequence();
    if (request->name() == "flood") {
      Flood(stream, count);
      return stream.get();
    }
    executor_.Run([stream, count] {
      for (int64_t i = 1; i <= count; ++i) {
        machine::v1::OperationEvent event;
        event.set_sequence(i);
        stream->PushWhenRoom(std::move(event));
      }
      stream->End(absl::OkStatus());
    });
    return stream.get();
  }

  // Pushes without waiting for the reader.
  void Flood(const std::shared_ptr<EventStream<machine::v1::OperationEvent>>& stream,
             int64_t count) {
    executor_.Run([stream, count] {
      auto event = std::make_shared<machine::v1::OperationEvent>();
      event->mutable_log()->set_text(std::string(4096, 'x'));
      for (int64_t i = 0; i < count; ++i) {
        if (!stream->Push(event)) return;
      }
    });
  }

 private:
  Executor& executor_;
};

class SlowMachines final : public machine::v1::Machines::CallbackService {
 public:
  explicit SlowMachines(Executor& executor) : executor_(executor) {}

  grpc::ServerUnaryReactor* GetMachine(grpc::CallbackServerContext* context,
                                       const machine::v1::GetMachineRequest* request,
                                       machine::v1::Machine* response) override {
    return RunUnary(executor_, *context,
                    [this, request, response](CallScope& call) -> absl::Status {
                      if (request->name() == "wait") {
                        // Ends only when the client's deadline or cancellation reaches us.
                        while (call.Check().ok()) call.Sleep(absl::Minutes(1)).IgnoreError();
                        return call.Check();
                      }
                      response->set_name(request->name());
                      if (request->name() != "down") return absl::OkStatus();
                      ++refused_;
                      return absl::UnavailableError("the host is down");
                    });
  }

  int refused() const { return refused_; }

 private:
  Executor& executor_;
  std::atomic<int> refused_ = 0;
};

// Sends back what it gets.
class EchoSessions final : public machine::v1::Sessions::CallbackService {
 public:
  grpc::ServerBidiReactor<machine::v1::ExecRequest, machine::v1::ExecResponse>* Exec(
      grpc::CallbackServerContext*) override {
    auto stream = BidiStream<machine::v1::ExecRequest, machine::v1::ExecResponse>::Create();
    auto* raw = stream.get();
    stream->Begin({
        .on_read =
            [raw](machine::v1::ExecRequest request) {
              machine::v1::ExecResponse response;
              response.set_stdout(request.stdin());
              raw->Write(std::move(response));
              raw->ReadNext();
            },
        .on_reads_done = [raw] { raw->End(absl::OkStatus()); },
        .on_drained = {},
        .on_done = {},
    });
    return raw;
  }
};

class RpcTest : public testing::Test {
 protected:
  RpcTest() {
    char folder[] = "/tmp/rpcXXXXXX";
    folder_ = mkdtemp(folder);
    auto server = RpcServer::Start({.address = absl::StrCat("unix:", folder_, "/s"),
                                    .cookie = "biscuit",
                                    .services = {&events_, &machines_, &sessions_},
                                    .metrics = &metrics_});
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  ~RpcTest() override {
    server_->Shutdown(absl::Seconds(5));
    unlink(absl::StrCat(folder_, "/s").c_str());
    rmdir(folder_.c_str());
  }

  Channel Connect(absl::string_view cookie = "biscuit") const {
    return Channel::Local(server_->address(), cookie);
  }

  Executor executor_{8};
  Metrics metrics_;
  CountingEvents events_{executor_};
  SlowMachines machines_{executor_};
  EchoSessions sessions_;
  std::string folder_;
  std::unique_ptr<RpcServer> server_;
};

TEST_F(RpcTest, AUnaryCallIsAnsweredFromTheExecutorAndCounted) {
  const Channel channel = Connect();
  auto stub = machine::v1::Machines::NewStub(channel.grpc());
  grpc::ClientContext context;
  channel.Prepare(context, absl::Seconds(10));
  machine::v1::GetMachineRequest request;
  request.set_name("machines/dev");
  machine::v1::Machine response;
  ASSERT_TRUE(stub->GetMachine(&context, request, &response).ok());
  EXPECT_EQ(response.name(), "machines/dev");
  EXPECT_THAT(metrics_.Serialize(), HasSubstr("/machine.v1.Machines/GetMachine"));
}

TEST_F(RpcTest, AnUnavailableThatTheServerAnswersIsNotRepeated) {
  const Channel channel = Connect();
  auto stub = machine::v1::Machines::NewStub(channel.grpc());
  grpc::ClientContext context;
  channel.Prepare(context, absl::Seconds(30));
  machine::v1::GetMachineRequest request;
  request.set_name("down");
  machine::v1::Machine response;
  const absl::Status status = FromGrpcStatus(stub->GetMachine(&context, request, &response));
  EXPECT_EQ(status, absl::UnavailableError("the host is down"));
  EXPECT_EQ(machines_.refused(), 1);
}

TEST_F(RpcTest, ACallWithAWrongCookieIsRefused) {
  const Channel channel = Connect("crumb");
  auto stub = machine::v1::Machines::NewStub(channel.grpc());
  grpc::ClientContext context;
  channel.Prepare(context, absl::Seconds(10));
  machine::v1::Machine response;
  EXPECT_EQ(stub->GetMachine(&context, {}, &response).error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(RpcTest, ACancelledCallWakesItsWork) {
  const Channel channel = Connect();
  auto stub = machine::v1::Machines::NewStub(channel.grpc());
  grpc::ClientContext context;
  channel.Prepare(context, absl::InfiniteDuration());
  machine::v1::GetMachineRequest request;
  request.set_name("wait");
  machine::v1::Machine response;
  std::thread canceller([&] { context.TryCancel(); });
  EXPECT_EQ(stub->GetMachine(&context, request, &response).error_code(),
            grpc::StatusCode::CANCELLED);
  canceller.join();
}

TEST_F(RpcTest, AStreamArrivesWholeAndInOrder) {
  const Channel channel = Connect();
  auto stub = machine::v1::OperationEvents::NewStub(channel.grpc());
  machine::v1::WatchOperationRequest request;
  request.set_after_sequence(5000);
  int64_t next = 1;
  absl::Notification done;
  absl::Status status;
  auto stream = ReadStream<machine::v1::OperationEvent>::Create(
      [&](machine::v1::OperationEvent event) { EXPECT_EQ(event.sequence(), next++); },
      [&](absl::Status end) {
        status = std::move(end);
        done.Notify();
      });
  channel.Prepare(stream->context(), absl::Seconds(30));
  stub->async()->WatchOperation(&stream->context(), &request, stream.get());
  stream->Begin();
  done.WaitForNotification();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(next, 5001);
}

TEST_F(RpcTest, AReaderThatLagsIsEndedWithTheReason) {
  const Channel channel = Connect();
  auto stub = machine::v1::OperationEvents::NewStub(channel.grpc());
  machine::v1::WatchOperationRequest request;
  request.set_name("flood");
  request.set_after_sequence(100'000);
  grpc::ClientContext context;
  channel.Prepare(context, absl::Seconds(30));
  const auto reader = stub->WatchOperation(&context, request);
  machine::v1::OperationEvent event;
  while (reader->Read(&event)) {
  }
  const absl::Status status = FromGrpcStatus(reader->Finish());
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(status), machine::v1::ERROR_REASON_WATCH_LAGGED);
}

TEST_F(RpcTest, ATwoWayStreamEchoesAndEnds) {
  const Channel channel = Connect();
  auto stub = machine::v1::Sessions::NewStub(channel.grpc());
  std::string echoed;
  absl::Notification done;
  absl::Status status;
  ClientBidi<machine::v1::ExecRequest, machine::v1::ExecResponse>* raw = nullptr;
  auto stream = ClientBidi<machine::v1::ExecRequest, machine::v1::ExecResponse>::Create({
      .on_read =
          [&](machine::v1::ExecResponse response) {
            echoed += response.stdout();
            raw->ReadNext();
          },
      .on_drained = {},
      .on_done =
          [&](absl::Status end) {
            status = std::move(end);
            done.Notify();
          },
  });
  raw = stream.get();
  channel.Prepare(stream->context(), absl::Seconds(30));
  stub->async()->Exec(&stream->context(), stream.get());
  stream->Begin();
  for (const char* word : {"one ", "two ", "three"}) {
    machine::v1::ExecRequest request;
    request.set_stdin(word);
    stream->Write(std::move(request));
  }
  stream->WritesDone();
  done.WaitForNotification();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(echoed, "one two three");
}

TEST_F(RpcTest, AStaleSocketFileDoesNotKeepAServerFromStarting) {
  const std::string path = absl::StrCat(folder_, "/s");
  server_->Shutdown(absl::Seconds(1));
  auto again = RpcServer::Start({.address = absl::StrCat("unix:", path)});
  ASSERT_TRUE(again.ok()) << again.status();
  (*again)->Shutdown(absl::Seconds(1));
}

TEST(RpcServerTest, APathThatIsTooLongIsRefusedWithItsLength) {
  const std::string path(120, 'x');
  const auto server = RpcServer::Start({.address = absl::StrCat("unix:/tmp/", path)});
  EXPECT_EQ(server.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(server.status().message()), HasSubstr("107"));
}

TEST(RpcServerTest, PlainTcpBeyondLoopbackIsRefused) {
  EXPECT_EQ(RpcServer::Start({.address = "0.0.0.0:0"}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Channel::InsecureLoopback("10.0.0.1:80").status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace machine::common
