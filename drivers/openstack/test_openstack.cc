#include "drivers/openstack/test_openstack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace machine::driver::openstack {

using testing::IsEmpty;

CloudFacts OpenStackCloud::Facts() const {
  return {.create = kCreate,
          .stop = kAct,
          .start = kAct,
          .restart_meets_faults = true,
          .stop_advice = "",  // Nova stops in one way, and has the last word.
          .kill_asks_the_guest = true,
          .wrong_credentials = SecretOption(kPasswordFlag, "wrong-secret"),
          .refusal = {"requires authentication"},
          .check_reads = {kSignIn, "GET /compute/v2.1/flavors/detail"},
          // Three pages of 200, and another look; signed in before.
          .batch = {.machines = 450, .requests = 4, .signs_in = true},
          .killed = {.route = kList, .after = 1, .reply_lost = true},
          .requests_of_a_life = 25};
}

void OpenStackCloud::ExpectNothingLeft() {
  EXPECT_THAT(fake->ServerNames(), IsEmpty());
  EXPECT_THAT(fake->KeyPairNames(), IsEmpty());
  EXPECT_THAT(fake->PortNames(), IsEmpty());
  EXPECT_THAT(fake->GroupNames(), IsEmpty());
  EXPECT_THAT(fake->FloatingIps(), IsEmpty());
  EXPECT_THAT(fake->VolumeNames(), IsEmpty());
}

MachineState OpenStackCloud::StateOf(absl::string_view status, absl::string_view task) {
  const MachineState state = StateOfServer(status, task);
  if (status != "ACTIVE") return state;
  MachineSpec machine = Machine();
  EXPECT_TRUE(Create(machine).ok());
  fake->SetStatus(kTestUid, status, task);
  EXPECT_EQ(Inspect(machine), state);
  return state;
}

}  // namespace machine::driver::openstack
