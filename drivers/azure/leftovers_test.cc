// What a create that was broken off leaves, and whether it is found.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/azure/test_azure.h"

namespace machine::driver::azure {
namespace {

using fakes::Fault;
using testing::IsEmpty;
using testing::SizeIs;

class LeftoversTest : public AzureTest {
 protected:
  std::vector<::driver::v1::ListInstancesResponse> List() {
    const auto listed = driver_.ListInstances(*Call(), kTestOrchestrator, Machine().options);
    EXPECT_TRUE(listed.ok()) << listed.status();
    return listed.ok() ? *listed : std::vector<::driver::v1::ListInstancesResponse>();
  }
};

TEST_F(LeftoversTest, AGroupWithoutAMachineIsListed) {
  MachineSpec machine = Machine();
  // Nothing comes after the group.
  fake_.Order({.kind = Fault::Kind::kStatus,
               .route = "PUT /subscriptions/{subscription}/resourceGroups/{group}/providers/"
                        "Microsoft.Network/networkSecurityGroups/{name}",
               .times = 1000,
               .status = 400});
  ASSERT_FALSE(Create(machine).ok());
  ASSERT_THAT(fake_.GroupNames(), SizeIs(1));
  const auto listed = List();
  ASSERT_THAT(listed, SizeIs(1));
  EXPECT_EQ(listed.front().machine_uid(), kTestUid);
  EXPECT_EQ(listed.front().observation().state(), machine::v1::MACHINE_STATE_ERROR);

  // As one that knows no more of it than that, as `gc` does.
  MachineSpec orphan = Machine();
  const absl::Status removed = driver_.Remove(*Call(), orphan);
  EXPECT_TRUE(removed.ok()) << removed;
  EXPECT_THAT(List(), IsEmpty());
  ExpectNothingLeft();
}

TEST_F(LeftoversTest, AGroupWithItsMachineIsListedOnce) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  const auto listed = List();
  ASSERT_THAT(listed, SizeIs(1));
  EXPECT_EQ(listed.front().observation().state(), machine::v1::MACHINE_STATE_RUNNING);
}

}  // namespace
}  // namespace machine::driver::azure
