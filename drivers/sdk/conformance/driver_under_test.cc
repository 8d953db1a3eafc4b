#include "drivers/sdk/conformance/driver_under_test.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/test_machine.h"
#include "services/common/status/grpc_status.h"

namespace machine::driver::conformance {
namespace {

constexpr absl::Duration kLimit = absl::Minutes(2);

::driver::v1::MachineRef Ref(const std::string& uid, int token,
                             const std::vector<machine::v1::OptionValue>& options) {
  ::driver::v1::MachineRef machine;
  machine.mutable_context()->set_machine_uid(uid);
  machine.mutable_context()->set_machine_name("killed");
  machine.mutable_context()->set_attempt(token);
  machine.mutable_context()->set_fencing_token(token);
  machine.mutable_context()->set_orchestrator_id(std::string(kTestOrchestrator));
  machine.set_ssh_public_key(std::string(kTestKey));
  for (const machine::v1::OptionValue& option : options) *machine.add_options() = option;
  return machine;
}

}  // namespace

void DriverUnderTest::Start() {
  auto process =
      DriverProcess::Start(absl::StrCat("drivers/", name_, "/machine-driver-", name_), folder_);
  ASSERT_TRUE(process.ok()) << process.status();
  process_ = *std::move(process);
}

void DriverUnderTest::Kill() const {
  ASSERT_EQ(kill(static_cast<pid_t>(process_->result().pid()), SIGKILL), 0);
}

void DriverUnderTest::End() { EXPECT_TRUE(process_->EndLifeline().ok()); }

std::string DriverUnderTest::MachineFolder(absl::string_view uid) const {
  return absl::StrCat(folder_, "/", name_, "/machines/", uid);
}

std::vector<std::string> DriverUnderTest::FoldersOf(absl::string_view uid) const {
  const std::string folder = MachineFolder(uid);
  if (!std::filesystem::exists(folder)) return {};
  return {folder};
}

absl::Status DriverUnderTest::Act(
    std::optional<int> kill_after,
    const std::function<Reader(::driver::v1::Driver::Stub&, grpc::ClientContext&)>& begin) const {
  grpc::ClientContext context;
  const common::Channel channel = process_->Channel();
  channel.Prepare(context, kLimit);
  const auto stub = ::driver::v1::Driver::NewStub(channel.grpc());
  const Reader reader = begin(*stub, context);
  ::driver::v1::ActionEvent event;
  for (int events = 1; reader->Read(&event); ++events) {
    if (kill_after == events) Kill();
  }
  return common::FromGrpcStatus(reader->Finish());
}

absl::Status DriverUnderTest::Create(const std::string& uid, int token,
                                     std::optional<int> kill_after) const {
  ::driver::v1::CreateRequest request;
  *request.mutable_machine() = Ref(uid, token, options_);
  return Act(kill_after, [&](auto& stub, auto& context) { return stub.Create(&context, request); });
}

absl::Status DriverUnderTest::Remove(const std::string& uid, int token,
                                     std::optional<int> kill_after) const {
  ::driver::v1::RemoveRequest request;
  *request.mutable_machine() = Ref(uid, token, options_);
  return Act(kill_after, [&](auto& stub, auto& context) { return stub.Remove(&context, request); });
}

absl::Status DriverUnderTest::Power(Verb verb, const std::string& uid, int token,
                                    std::optional<int> kill_after) const {
  const auto send = [&](auto request, auto method) {
    *request.mutable_machine() = Ref(uid, token, options_);
    return Act(kill_after,
               [&](auto& stub, auto& context) { return (stub.*method)(&context, request); });
  };
  using Stub = ::driver::v1::Driver::Stub;
  switch (verb) {
    case Verb::kStart:
      return send(::driver::v1::StartRequest(), &Stub::Start);
    case Verb::kStop:
      return send(::driver::v1::StopRequest(), &Stub::Stop);
    case Verb::kKill:
      return send(::driver::v1::KillRequest(), &Stub::Kill);
    case Verb::kRestart:
      return send(::driver::v1::RestartRequest(), &Stub::Restart);
  }
  return absl::InternalError("no such verb");
}

machine::v1::MachineState DriverUnderTest::StateOf(const std::string& uid) const {
  ::driver::v1::InspectRequest request;
  *request.mutable_machine() = Ref(uid, 0, options_);
  ::driver::v1::InspectResponse response;
  grpc::ClientContext context;
  const common::Channel channel = process_->Channel();
  channel.Prepare(context, kLimit);
  const absl::Status status = common::FromGrpcStatus(
      ::driver::v1::Driver::NewStub(channel.grpc())->Inspect(&context, request, &response));
  EXPECT_TRUE(status.ok()) << status;
  return response.observation().state();
}

}  // namespace machine::driver::conformance
