// A mutation that is asked for twice with one request_id is done once; every rpc that takes a
// request_id is found by reflection, so that a new one is tested, too.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/client_unary_call.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/longrunning/operations.grpc.pb.h"
#include "machine/options/v1/options.pb.h"
#include "machine/v1/machines.grpc.pb.h"
#include "services/common/file/file.h"
#include "services/common/rpc/channel.h"
#include "services/common/status/grpc_status.h"
#include "services/common/status/status.h"
#include "tests/integration/world.h"

namespace machine::tests {
namespace {

using google::protobuf::Message;
using google::protobuf::MethodDescriptor;

/// Services of which every mutation takes a request_id.
std::vector<const google::protobuf::ServiceDescriptor*> Services() {
  const auto* const file = machine::v1::CreateMachineRequest::descriptor()->file();
  return {file->FindServiceByName("Machines")};
}

std::vector<const MethodDescriptor*> Mutations() {
  std::vector<const MethodDescriptor*> methods;
  for (const auto* const service : Services()) {
    for (int i = 0; i < service->method_count(); ++i) {
      const MethodDescriptor* const method = service->method(i);
      const auto& rules = method->options().GetExtension(machine::options::v1::method);
      if (!rules.idempotent() && !method->server_streaming()) methods.push_back(method);
    }
  }
  return methods;
}

std::unique_ptr<Message> New(const google::protobuf::Descriptor* type) {
  return std::unique_ptr<Message>(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
}

void SetText(Message& message, const char* field, const std::string& value) {
  const auto* const descriptor = message.GetDescriptor()->FindFieldByName(field);
  if (descriptor == nullptr) return;
  message.GetReflection()->SetString(&message, descriptor, value);
}

using OptionTexts = std::vector<std::pair<std::string, std::string>>;

// A request of `method` on the machine `id`.
std::unique_ptr<Message> RequestFor(const MethodDescriptor& method, const std::string& id,
                                    const OptionTexts& options) {
  std::unique_ptr<Message> request = New(method.input_type());
  SetText(*request, "name", "machines/" + id);
  if (auto* const create = dynamic_cast<machine::v1::CreateMachineRequest*>(request.get())) {
    create->set_machine_id(id);
    create->mutable_machine()->set_driver("toy");
    create->set_skip_provision(true);
    // Nobody listens there.
    machine::v1::OptionValue& port = *create->mutable_machine()->add_driver_options();
    port.set_name("toy-ssh-port");
    port.set_int_value(1);
    for (const auto& [name, value] : options) {
      machine::v1::OptionValue& option = *create->mutable_machine()->add_driver_options();
      option.set_name(name);
      option.set_string_value(value);
    }
    // A map, whose bytes come in any order.
    for (int i = 0; i < 16; ++i) {
      (*create->mutable_machine()->mutable_labels())[absl::StrCat("label", i)] = "x";
    }
  }
  if (auto* const update = dynamic_cast<machine::v1::UpdateMachineRequest*>(request.get())) {
    update->mutable_machine()->set_name("machines/" + id);
    (*update->mutable_machine()->mutable_labels())["a"] = "b";
  }
  return request;
}

// The same request_id with another body.
std::unique_ptr<Message> Changed(const Message& request) {
  std::unique_ptr<Message> changed(request.New());
  changed->CopyFrom(request);
  SetText(*changed, "etag", "another");
  const auto* const field = changed->GetDescriptor()->FindFieldByName("machine");
  if (field != nullptr) {
    auto* const machine = dynamic_cast<machine::v1::Machine*>(
        changed->GetReflection()->MutableMessage(changed.get(), field));
    (*machine->mutable_labels())["more"] = "labels";
  }
  return changed;
}

class RequestIdTest : public WorldTest {
 protected:
  void SetUp() override {
    std::filesystem::copy_file("tests/golden/machine-driver-toy",
                               world_.libexec() + "/machine-driver-toy");
    std::filesystem::create_directories(world_.Path("toy"));
    ASSERT_EQ(Run("ls").exit_code, 0);
    const auto info = common::ReadFile(world_.server_dir() + "/server.json");
    ASSERT_TRUE(info.ok()) << info.status();
    const auto json = nlohmann::json::parse(*info);
    channel_ = std::make_unique<common::Channel>(common::Channel::Local(
        json.at("address").get<std::string>(), json.at("cookie").get<std::string>()));
  }

  absl::StatusOr<std::unique_ptr<Message>> Call(const MethodDescriptor& method,
                                                const Message& request) const {
    const std::string path = absl::StrCat("/", method.service()->full_name(), "/", method.name());
    const grpc::internal::RpcMethod rpc(path.c_str(), grpc::internal::RpcMethod::NORMAL_RPC);
    const std::string bytes = request.SerializeAsString();
    const grpc::Slice slice(bytes);
    const grpc::ByteBuffer in(&slice, 1);
    grpc::ByteBuffer out;
    grpc::ClientContext context;
    channel_->Prepare(context, absl::Minutes(1));
    const grpc::Status status =
        grpc::internal::BlockingUnaryCall<grpc::ByteBuffer, grpc::ByteBuffer>(
            channel_->grpc().get(), rpc, &context, in, &out);
    DM_RETURN_IF_ERROR(common::FromGrpcStatus(status));
    std::unique_ptr<Message> response = New(method.output_type());
    grpc::Slice all;
    if (!out.DumpToSingleSlice(&all).ok() ||
        !response->ParseFromArray(all.begin(), static_cast<int>(all.size()))) {
      return absl::InternalError("the answer cannot be read");
    }
    return response;
  }

  // A machine of the toy driver, whose create is done.
  void Create(const std::string& id) const {
    const auto* const create = Services()[0]->FindMethodByName("CreateMachine");
    const auto begun = Call(*create, *RequestFor(*create, id, Options()));
    ASSERT_TRUE(begun.ok()) << begun.status();
    google::longrunning::WaitOperationRequest wait;
    wait.set_name(dynamic_cast<const google::longrunning::Operation&>(**begun).name());
    google::longrunning::Operation done;
    grpc::ClientContext context;
    channel_->Prepare(context, absl::Minutes(1));
    const auto stub = google::longrunning::Operations::NewStub(channel_->grpc());
    const grpc::Status status = stub->WaitOperation(&context, wait, &done);
    ASSERT_TRUE(status.ok()) << status.error_message();
    ASSERT_TRUE(done.done() && !done.has_error()) << done.ShortDebugString();
  }

  OptionTexts Options() const {
    return {{"toy-folder", world_.Path("toy")}, {"toy-url", "tcp://127.0.0.1:1"}};
  }

  std::unique_ptr<common::Channel> channel_;
};

TEST_F(RequestIdTest, EveryMutationTakesOne) {
  EXPECT_GE(Mutations().size(), 10U);
  for (const MethodDescriptor* const method : Mutations()) {
    EXPECT_NE(method->input_type()->FindFieldByName("request_id"), nullptr) << method->full_name();
  }
}

TEST_F(RequestIdTest, EveryMutationIsDoneOnceForOneRequestIdAndRefusedForAnotherBody) {
  int count = 0;
  for (const MethodDescriptor* const method : Mutations()) {
    SCOPED_TRACE(method->full_name());
    const std::string id = absl::StrCat("dev", count++);
    if (method->name() != "CreateMachine") Create(id);
    std::unique_ptr<Message> request = RequestFor(*method, id, Options());
    SetText(*request, "request_id", "request-" + id);
    const auto first = Call(*method, *request);
    const auto second = Call(*method, *request);
    ASSERT_TRUE(first.ok()) << first.status();
    ASSERT_TRUE(second.ok()) << second.status();
    if (const auto* const operation =
            dynamic_cast<const google::longrunning::Operation*>(first->get())) {
      EXPECT_FALSE(operation->name().empty());
      EXPECT_EQ(dynamic_cast<const google::longrunning::Operation&>(**second).name(),
                operation->name());
    }
    const auto other = Call(*method, *Changed(*request));
    EXPECT_EQ(common::ReasonOf(other.status()), machine::v1::ERROR_REASON_REQUEST_ID_REUSED)
        << other.status();
  }
}

TEST_F(RequestIdTest, TheSameBodyOfAnotherRpcIsAnotherRequest) {
  Create("dev");
  const auto* const start = Services()[0]->FindMethodByName("StartMachine");
  const auto* const kill = Services()[0]->FindMethodByName("KillMachine");
  const auto ask = [&](const MethodDescriptor& method) {
    std::unique_ptr<Message> request = RequestFor(method, "dev", Options());
    SetText(*request, "request_id", "one");
    return Call(method, *request).status();
  };
  EXPECT_TRUE(ask(*start).ok());
  EXPECT_EQ(common::ReasonOf(ask(*kill)), machine::v1::ERROR_REASON_REQUEST_ID_REUSED);
}

}  // namespace
}  // namespace machine::tests
