#include "drivers/template/template_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/sdk/conformance/cloud_options_suite.h"
#include "drivers/sdk/conformance/cloud_suite.h"
#include "drivers/template/settings.h"
#include "tests/fakes/template/fake_template.h"

namespace machine::driver::template_cloud {
namespace {

using fakes::FakeTemplate;
using fakes::Fault;
using machine::v1::OptionValue;
using testing::IsEmpty;

constexpr char kCreate[] = "POST /v1/instances";
constexpr char kList[] = "GET /v1/instances";
constexpr char kAct[] = "POST /v1/instances/{id}/{verb}";

// What the shared suite must know; see cloud_under_test.h.
class TemplateCloud final : public CloudOf<FakeTemplate, TemplateDriver> {
 public:
  TemplateCloud()
      : CloudOf(std::make_unique<FakeTemplate>(),
                std::make_unique<TemplateDriver>(FastTiming<Timing>())) {}

  CloudFacts Facts() const override {
    return {.create = kCreate,
            .stop = kAct,
            .start = kAct,
            .wrong_credentials = SecretOption(kTokenFlag, "wrong-token"),
            .refusal = {"--template-token"},
            .check_reads = {"GET /v1/sizes"},
            // Three pages of 100, and another look.
            .batch = {.machines = 250, .requests = 4},
            .killed = {.route = kList, .after = 1, .reply_lost = true},
            .may_make_twice = true,
            .requests_of_a_life = 20};
  }
  std::vector<OptionValue> Account() override {
    return {SecretOption(kTokenFlag, FakeTemplate::kToken), Option(kEndpointFlag, fake->url())};
  }

  std::vector<std::string> Instances() override { return fake->InstanceNames(); }
  void ExpectNothingLeft() override { EXPECT_THAT(fake->InstanceNames(), IsEmpty()); }
  // The description is part of the fake.
  bool Checked() override { return true; }

  void HoldShutdown(bool hold) override { fake->IgnoreStop(hold); }
  void ReachLimit() override { fake->SetLimit(0); }
  void AddInstances(int count) override { fake->AddInstances(count, kMachineTag, UidTag("")); }
  MachineState StateOf(absl::string_view word, absl::string_view) override {
    return StateOfInstance(word);
  }

  static std::vector<FaultRow> Faults() {
    return CommonFaults({.create = kCreate,
                         .list = kList,
                         .poll = "GET /v1/instances/{id}",
                         .read = "GET /v1/sizes"});
  }
  static std::vector<FaultRow> RemoveFaults() {
    return CommonRemoveFaults("DELETE /v1/instances/{id}", kList);
  }
  static std::vector<StateRow> States() {
    return {
        {"building", machine::v1::MACHINE_STATE_STARTING},
        {"running", machine::v1::MACHINE_STATE_RUNNING},
        {"stopping", machine::v1::MACHINE_STATE_STOPPING},
        {"stopped", machine::v1::MACHINE_STATE_STOPPED},
        {"unknown", machine::v1::MACHINE_STATE_UNSPECIFIED},
    };
  }
  static std::vector<CheckRow> Checks() {
    return {
        {"UnknownRegion", {Option(kRegionFlag, "mars")}, {"\"mars\"; there are north, south"}},
        {"UnknownSize", {Option(kSizeFlag, "xxl")}, {"there are large, small, tiny"}},
        {"SizeOfAnotherRegion", {Option(kSizeFlag, "huge")}, {"in region north"}},
        {"UnknownImage", {Option(kImageFlag, "beos")}, {"there are debian-12"}},
        {"RetiredImage", {Option(kImageFlag, "ubuntu-14.04")}, {"newest Ubuntu LTS"}},
    };
  }
  static std::vector<BadOptionRow> BadOptions() {
    return {
        {"TokenWithALineEnd", {SecretOption(kTokenFlag, "abc\nX-Evil: 1")}},
        {"PlainHttp", {Option(kEndpointFlag, "http://api.example.com")}},
        {"TooMuchUserData", {Option("template-userdata-text", std::string(70'000, 'x'))}},
    };
  }
  // Docker Machine had no driver of this name: nothing is imported.
  static std::vector<ImportRow> BadImports() { return {}; }
};
INSTANTIATE_CLOUD_SUITE(TemplateCloud);
INSTANTIATE_CLOUD_OPTIONS_SUITE(TemplateCloud);

class TemplateDriverTest : public CloudFixture<TemplateCloud> {};

TEST_F(TemplateDriverTest, CreatesWithDefaultsThatAreFoundByQuery) {
  MachineSpec machine = Machine();
  EXPECT_TRUE(driver_.PreCreateCheck(*Call(), machine).ok());
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->state(), machine::v1::MACHINE_STATE_RUNNING);
  const nlohmann::json asked = fake_.LastCreate();
  EXPECT_EQ(asked["name"], "dev-one");
  EXPECT_EQ(asked["region"], "north");
  EXPECT_EQ(asked["image"], "ubuntu-24.04");
  EXPECT_EQ(asked["size"], "small");
  EXPECT_EQ(asked["tags"], nlohmann::json({UidTag(kTestUid), "docker-machine",
                                           OrchestratorTag(kTestOrchestrator)}));
  const machine::v1::Endpoint& endpoint = made->endpoint();
  ASSERT_EQ(endpoint.ip_addresses_size(), 1);
  EXPECT_EQ(endpoint.ssh_user(), "root");
  EXPECT_EQ(endpoint.docker_url(), absl::StrCat("tcp://", endpoint.ip_addresses(0), ":2376"));
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_THAT(fake_.InstanceNames(), IsEmpty());
}

}  // namespace
}  // namespace machine::driver::template_cloud
