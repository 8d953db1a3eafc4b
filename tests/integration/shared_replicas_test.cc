// Users of two orchestrators on one PostgreSQL: who joins, is granted or is removed at one of them
// is so at the other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "machine/v1/access.grpc.pb.h"
#include "machine/v1/machines.grpc.pb.h"
#include "services/common/file/file.h"
#include "services/common/rpc/channel.h"
#include "services/common/status/grpc_status.h"
#include "services/orchestrator/store/postgres_for_test.h"
#include "tests/integration/shared_world.h"

namespace machine::tests {
namespace {

using machine::v1::Access;
using machine::v1::Machines;
using ::testing::HasSubstr;

constexpr absl::Duration kLimit = absl::Minutes(1);

class SharedReplicasTest : public SharedTest {
 protected:
  void SetUp() override {
    if (!orchestrator::PostgresForTest::Installed()) {
      GTEST_SKIP() << "PostgreSQL 15 is not installed";
    }
    database_ = orchestrator::PostgresForTest::Start().value();
    const std::string store = "--store=" + database_->Database("machines").value();
    // They share what seals the secrets, as their operator has arranged; the rest is in the store.
    ASSERT_TRUE(common::WriteFileAtomically(world_.Path("passphrase"), "open sesame\n", 0600).ok());
    const std::string passphrase = "--passphrase-file=" + world_.Path("passphrase");
    Start({store, passphrase});
    const std::string storage = world_.Path("second");
    second_ = std::make_unique<RunningCommand>(
        std::vector<std::string>{world_.libexec() + "/machine-orchestrator",
                                 "--storage-path=" + storage, "--listen=127.0.0.1:0", store,
                                 passphrase},
        world_.Environment(), world_.Path("home"));
    ASSERT_TRUE(Eventually(kLimit, [&] {
      const auto info = nlohmann::json::parse(
          common::ReadFile(storage + "/server/server.json").value_or(""), nullptr, false);
      second_address_ = info.is_object() ? info.value("listen", "") : "";
      return !second_address_.empty();
    })) << second_->ErrSoFar();
  }

  // A connection to the second with what the user has got from the first.
  common::Channel AtSecond(absl::string_view user) const {
    return common::Channel::Tls(
        second_address_,
        {.ca_pem = common::ReadFile(Credential(user, "ca.pem")).value_or(""),
         .client_cert_pem = common::ReadFile(Credential(user, "cert.pem")).value_or(""),
         .client_key_pem = common::ReadFile(Credential(user, "key.pem")).value_or("")});
  }

  template <typename Service, typename Method, typename Request, typename Response>
  static absl::Status Call(const common::Channel& channel, Method method, const Request& request,
                           Response& response) {
    const auto stub = Service::NewStub(channel.grpc());
    grpc::ClientContext context;
    channel.Prepare(context, absl::Seconds(20));
    return common::FromGrpcStatus((*stub.*method)(&context, request, &response));
  }

  absl::Status ListAtSecond(absl::string_view user, machine::v1::ListMachinesResponse& list) const {
    return Call<Machines>(AtSecond(user), &Machines::Stub::ListMachines,
                          machine::v1::ListMachinesRequest(), list);
  }

  std::unique_ptr<orchestrator::PostgresForTest> database_;
  std::unique_ptr<RunningCommand> second_;
  std::string second_address_;
};

TEST_F(SharedReplicasTest, AUserOfOneIsAUserOfTheOtherAndRemovedFromBoth) {
  StoreOf("ada", "admin");
  StoreOf("vera", "viewer");
  ASSERT_EQ(RunAs("ada", "create -d none --url tcp://127.0.0.1:1 dev").exit_code, 0);
  machine::v1::ListMachinesResponse list;
  EXPECT_TRUE(Eventually(kLimit, [&] {
    const absl::Status listed = ListAtSecond("vera", list);
    EXPECT_TRUE(listed.ok()) << listed;
    return list.machines_size() == 1;
  }));
  machine::v1::DeleteMachineRequest remove;
  remove.set_name("machines/dev");
  google::longrunning::Operation operation;
  EXPECT_EQ(
      Call<Machines>(AtSecond("vera"), &Machines::Stub::DeleteMachine, remove, operation).code(),
      absl::StatusCode::kPermissionDenied);

  ASSERT_EQ(RunAs("ada", "user role vera operator").exit_code, 0);
  EXPECT_TRUE(Eventually(kLimit, [&] {
    return Call<Machines>(AtSecond("vera"), &Machines::Stub::DeleteMachine, remove, operation).ok();
  }));
  ASSERT_EQ(RunAs("ada", "user rm vera").exit_code, 0);
  EXPECT_TRUE(
      Eventually(kLimit, [&] { return absl::IsUnauthenticated(ListAtSecond("vera", list)); }));
}

TEST_F(SharedReplicasTest, TheAuditLogIsOneChainOverBoth) {
  StoreOf("ada", "admin");
  for (int i = 0; i < 4; ++i) {
    ASSERT_EQ(RunAs("ada", absl::StrCat("create -d none --url tcp://127.0.0.1:1 a", i)).exit_code,
              0);
    machine::v1::CreateMachineRequest create;
    create.set_machine_id(absl::StrCat("b", i));
    create.mutable_machine()->set_driver("none");
    auto* const url = create.mutable_machine()->add_driver_options();
    url->set_name("url");
    url->set_string_value("tcp://127.0.0.1:1");
    google::longrunning::Operation operation;
    const absl::Status created =
        Call<Machines>(AtSecond("ada"), &Machines::Stub::CreateMachine, create, operation);
    ASSERT_TRUE(created.ok()) << created;
  }
  // The token, the join and eight creates.
  EXPECT_THAT(RunAs("ada", "audit --verify").out, HasSubstr("The audit log is whole: 10 entries"));
  machine::v1::VerifyAuditResponse response;
  EXPECT_TRUE(Call<Access>(AtSecond("ada"), &Access::Stub::VerifyAudit,
                           machine::v1::VerifyAuditRequest(), response)
                  .ok());
}

}  // namespace
}  // namespace machine::tests
