#include "services/orchestrator/engine/swarm_members.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/common/clock/clock.h"
#include "services/orchestrator/events/machine_index.h"
#include "services/orchestrator/store/sqlite_store.h"
#include "services/orchestrator/store/test_records.h"

namespace machine::orchestrator {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

MachineRecord Member(const std::string& id, const std::string& joined, bool manager) {
  MachineRecord record = TestMachine(id);
  machine::v1::Machine& machine = *record.mutable_machine();
  machine.mutable_swarm()->set_is_swarm(true);
  machine.mutable_swarm()->set_engine_mode(true);
  machine.mutable_swarm()->set_master(manager);
  if (!joined.empty()) machine.mutable_swarm()->set_discovery(absl::StrCat("machine://", joined));
  machine.mutable_endpoint()->set_docker_url(absl::StrCat("tcp://", id, ":2376"));
  record.set_provisioned(true);
  return record;
}

class SwarmMembersTest : public testing::Test {
 protected:
  void Put(const MachineRecord& record) {
    const absl::Status status = store_->WriteAndWait(
        [&](StoreTransaction& transaction) { return transaction.InsertMachine(record); });
    ASSERT_TRUE(status.ok()) << status;
  }

  std::vector<std::string> ManagersFor(const MachineRecord& leaving) {
    const auto managers = OtherSwarmManagers(*store_, leaving.machine());
    EXPECT_TRUE(managers.ok()) << managers.status();
    std::vector<std::string> ids;
    for (const MachineRecord& each : *managers) ids.emplace_back(MachineId(each.machine().name()));
    return ids;
  }

  common::FakeClock clock_;
  std::unique_ptr<SqliteStore> store_ =
      *SqliteStore::Open(absl::StrCat(NewTestFolder(), "/store.db"), clock_);
};

TEST_F(SwarmMembersTest, WhoJoinedByAnotherIsKnownToAllManagersOfTheSwarm) {
  const MachineRecord third = Member("third", "second", false);
  Put(Member("zero", "", false));
  Put(Member("second", "zero", true));
  Put(third);
  Put(Member("worker", "zero", false));
  Put(Member("apart", "", true));
  EXPECT_THAT(ManagersFor(third), ElementsAre("zero", "second"));
  EXPECT_THAT(ManagersFor(Member("zero", "", false)), ElementsAre("second"));
}

TEST_F(SwarmMembersTest, OnesThatWereNeverSetUpOrAreInTheOtherKindOfSwarmAreNotAsked) {
  MachineRecord unfinished = Member("unfinished", "leaving", true);
  unfinished.set_provisioned(false);
  Put(unfinished);
  MachineRecord standalone = Member("standalone", "leaving", true);
  standalone.mutable_machine()->mutable_swarm()->set_engine_mode(false);
  Put(standalone);
  const MachineRecord leaving = Member("leaving", "", true);
  Put(leaving);
  EXPECT_THAT(ManagersFor(leaving), IsEmpty());
}

TEST_F(SwarmMembersTest, MachinesThatNameEachOtherAreNoEndlessLoop) {
  const MachineRecord one = Member("one", "two", true);
  Put(one);
  Put(Member("two", "one", true));
  // Which of the two is taken for the first does not matter: the other one is asked.
  EXPECT_LE(ManagersFor(one).size(), 1U);
}

TEST_F(SwarmMembersTest, TheFounderThatIsGoneStillTellsWhoBelongsTogether) {
  const MachineRecord one = Member("one", "gone", false);
  Put(one);
  Put(Member("two", "gone", true));
  EXPECT_THAT(ManagersFor(one), ElementsAre("two"));
}

TEST(AddSwarmManagersTest, OneWhoseCertificatesCannotBeReadDoesNotHideTheOthers) {
  MachineRecord off = Member("off", "", true);
  off.mutable_machine()->mutable_endpoint()->clear_docker_url();
  ::provisioner::v1::LeaveSwarmRequest request;
  AddSwarmManagers(
      {Member("damaged", "", true), off, Member("well", "", true)},
      [](const MachineRecord& each) -> absl::StatusOr<ClientBundle> {
        if (MachineId(each.machine().name()) == "damaged") return absl::DataLossError("sealed");
        return ClientBundle{.ca_pem = "ca", .cert_pem = "cert", .key_pem = "key"};
      },
      request);
  ASSERT_EQ(request.managers_size(), 1);
  EXPECT_EQ(request.managers(0).docker_url(), "tcp://well:2376");
  EXPECT_EQ(request.managers(0).tls().ca_pem(), "ca");
  EXPECT_EQ(request.managers(0).tls().client_cert_pem(), "cert");
  EXPECT_EQ(request.managers(0).tls().client_key_pem(), "key");
}

}  // namespace
}  // namespace machine::orchestrator
