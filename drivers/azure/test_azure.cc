#include "drivers/azure/test_azure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/azure/state.pb.h"

namespace machine::driver::azure {
namespace {

std::string BatchUid(int number) {
  return absl::StrCat(10'000'000 + number, "-0000-4000-8000-000000000000");
}

}  // namespace

CloudFacts AzureCloud::Facts() const {
  return {.create = Route("PUT", kVm),
          .stop = Route("POST", absl::StrCat(kVm, "/deallocate")),
          .start = Route("POST", absl::StrCat(kVm, "/start")),
          .while_stopping = machine::v1::MACHINE_STATE_STOPPING,
          .kill_asks_the_guest = true,
          .wrong_credentials = SecretOption(kTokenFlag, "another"),
          .refusal = {"--azure-access-token"},
          .check_reads = {"GET /subscriptions/{subscription}"},
          .batch = {.machines = 150, .requests = 3, .list = kList, .lists = 2},
          .killed = {.route = Route("GET", kOperation), .lag = 2},
          .creates_after_kill = 0,
          .requests_of_a_life = 25};
}

void AzureCloud::ExpectNothingLeft() {
  EXPECT_THAT(fake->GroupNames(), testing::IsEmpty());
  EXPECT_THAT(fake->ResourceNames(), testing::IsEmpty());
}

void AzureCloud::AddInstances(int count) {
  std::vector<std::string> uids;
  for (int i = 0; i < count; ++i) uids.push_back(BatchUid(i));
  fake->AddMachines(uids);
}

void AzureCloud::BeOfBatch(int number, MachineSpec& machine) {
  machine.uid = BatchUid(number);
  machine.name = "dev";
  State state;
  state.set_private_ip("192.168.0.4");
  machine.state = state.SerializeAsString();
}

MachineState AzureCloud::StateOf(absl::string_view power, absl::string_view provisioning) {
  MachineSpec machine = Machine();
  EXPECT_TRUE(Create(machine).ok());
  fake->SetPower(kTestUid, power);
  fake->SetProvisioning(kTestUid, provisioning);
  const auto seen = driver().BatchInspect(*Call(), {machine});
  EXPECT_TRUE(seen.ok()) << seen.status();
  const MachineState state = Inspect(machine);
  if (!seen.ok()) return machine::v1::MACHINE_STATE_ERROR;
  EXPECT_EQ(seen->front().state(), state);
  return state;
}

}  // namespace machine::driver::azure
