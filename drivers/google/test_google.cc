#include "drivers/google/test_google.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace machine::driver::gce {

using testing::ElementsAre;
using testing::IsEmpty;

CloudFacts GoogleCloud::Facts() const {
  const std::string verb = absl::StrCat("POST", &kGet[3], "/");
  return {.create = kCreate,
          .stop = verb + "stop",
          .start = verb + "start",
          .while_stopping = machine::v1::MACHINE_STATE_STOPPING,
          .stop_advice = "",  // There is nothing stronger than stop.
          .kill_asks_the_guest = true,
          .wrong_credentials = SecretOption(kTokenFlag, "ya29.wrong"),
          .refusal = {"--google-auth-token"},
          .check_reads = {"GET /compute/v1/projects/{project}",
                          "GET /compute/v1/projects/{project}/zones"},
          // Three pages of 500, and another look.
          .batch = {.machines = 1200, .requests = 4, .list = kList, .lists = 3},
          .killed = {.route = kZoneOperation},
          .requests_of_a_life = 20};
}

void GoogleCloud::ExpectNothingLeft() {
  EXPECT_THAT(fake->InstanceNames(), IsEmpty());
  EXPECT_THAT(fake->DiskNames(), IsEmpty());
  EXPECT_THAT(fake->FirewallNames(), IsEmpty());
  EXPECT_THAT(fake->AddressNames(), IsEmpty());
}

void GoogleCloud::ExpectMade(const Observation&) {
  EXPECT_THAT(fake->InstanceNames(), ElementsAre(kName));
  EXPECT_EQ(fake->FirewallNames().size(), 1u);
  EXPECT_EQ(fake->AddressNames().size(), 1u);
}

MachineState GoogleCloud::StateOf(absl::string_view word, absl::string_view) {
  MachineSpec machine = Machine();
  EXPECT_TRUE(Create(machine).ok());
  fake->SetStatus(kTestUid, word);
  return Inspect(machine);
}

}  // namespace machine::driver::gce
