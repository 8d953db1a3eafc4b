#include "drivers/qemu/driver_under_test.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "driver/v1/driver.grpc.pb.h"
#include "drivers/sdk/test_machine.h"

namespace machine::driver::qemu {
namespace {

constexpr char kProgram[] = "drivers/qemu/machine-driver-qemu";
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
  auto process = conformance::DriverProcess::Start(kProgram, folder_);
  ASSERT_TRUE(process.ok()) << process.status();
  process_ = *std::move(process);
}

void DriverUnderTest::Kill() const {
  ASSERT_EQ(kill(static_cast<pid_t>(process_->result().pid()), SIGKILL), 0);
}

void DriverUnderTest::End() { EXPECT_TRUE(process_->EndLifeline().ok()); }

std::string DriverUnderTest::MachineFolder(absl::string_view uid) const {
  return absl::StrCat(folder_, "/qemu/machines/", uid);
}

absl::Status DriverUnderTest::Create(const std::string& uid, int token,
                                     std::optional<int> kill_after) const {
  ::driver::v1::CreateRequest request;
  *request.mutable_machine() = Ref(uid, token, options_);
  grpc::ClientContext context;
  const common::Channel channel = process_->Channel();
  channel.Prepare(context, kLimit);
  const auto stub = ::driver::v1::Driver::NewStub(channel.grpc());
  const auto reader = stub->Create(&context, request);
  ::driver::v1::ActionEvent event;
  for (int events = 1; reader->Read(&event); ++events) {
    if (kill_after == events) Kill();
  }
  const grpc::Status status = reader->Finish();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

absl::Status DriverUnderTest::Remove(const std::string& uid, int token) const {
  ::driver::v1::RemoveRequest request;
  *request.mutable_machine() = Ref(uid, token, options_);
  grpc::ClientContext context;
  const common::Channel channel = process_->Channel();
  channel.Prepare(context, kLimit);
  const auto stub = ::driver::v1::Driver::NewStub(channel.grpc());
  const auto reader = stub->Remove(&context, request);
  ::driver::v1::ActionEvent event;
  while (reader->Read(&event)) continue;
  const grpc::Status status = reader->Finish();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

}  // namespace machine::driver::qemu
