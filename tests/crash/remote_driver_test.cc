// A driver on another host: registered by its address, called with TLS both ways, over a network
// that fails. The provider's ledger says whether anything was made twice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "services/common/crypto/certificates.h"
#include "tests/crash/listening_driver.h"
#include "tests/crash/simcloud_world.h"
#include "tests/integration/relay.h"

namespace machine::tests {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::Duration kLimit = absl::Minutes(2);

// The driver as a process of its own, and the certificates that it and the orchestrator show.
class RemoteDriverTest : public SimCloudWorldTest {
 protected:
  void SetUp() override {
    StartProvider(/*seed=*/1);
    certificates_.emplace(world_);
    StartDriver();
    ASSERT_EQ(Run(RegisterLine("far")).exit_code, 0);
  }

  // Starts the driver and leads the link to it.
  void StartDriver() {
    driver_.reset();
    driver_.emplace(world_, "tests/fakes/simcloud/driver/machine-driver-simcloud",
                    world_.Path("driver-data"));
    link_.LeadTo(driver_->port());
  }

  std::string RegisterLine(absl::string_view name, absl::string_view client = "") const {
    return certificates_->RegisterLine(name, link_.port(), client);
  }

  // What `driver ls` says of one.
  bool IsReady(absl::string_view name) const {
    for (absl::string_view line : absl::StrSplit(Run("driver ls").out, '\n')) {
      if (absl::StartsWith(line, absl::StrCat(name, " "))) {
        return absl::StrContains(line, " ready ");
      }
    }
    ADD_FAILURE() << name << " is not listed";
    return false;
  }

  // A create that has made an instance and waits for it to run, as long as the weather is so.
  RunningCommand BeginCreate() {
    cloud_->Behave({{"latency_ms", 1'000'000}});
    RunningCommand create = world_.Begin("create -d far dev");
    EXPECT_TRUE(Eventually(kLimit, [&] { return cloud_->Objects("instances").size() == 1; }));
    return create;
  }

  void ExpectMadeOnce(RunningCommand create) {
    cloud_->Behave({{"latency_ms", 0}});
    const Outcome outcome = create.Wait();
    EXPECT_EQ(outcome.exit_code, 0) << outcome;
    EXPECT_EQ(StateInLedger(), "Running");
    EXPECT_EQ(Run("status dev").out, "Running\n");
    EXPECT_EQ(Run("rm -y dev").exit_code, 0);
    EXPECT_EQ(StateInLedger(), "");
  }

  std::optional<DriverCertificates> certificates_;
  Relay link_;
  std::optional<ListeningDriver> driver_;
};

TEST_F(RemoteDriverTest, IsUsedLikeOneThatIsInstalled) {
  const Outcome listed = Run("driver ls");
  EXPECT_THAT(listed.out,
              testing::ContainsRegex(absl::StrCat("ready +0 +127.0.0.1:", link_.port())))
      << listed;
  EXPECT_THAT(Run("create -d far -h").out, HasSubstr("--simcloud-"));
  ASSERT_EQ(Run("create -d far dev").exit_code, 0);
  ASSERT_EQ(Run("create -d simcloud here").exit_code, 0);  // The same driver here.
  EXPECT_EQ(Run("stop dev").exit_code, 0);
  EXPECT_EQ(Run("ls --format {{.Name}}={{.State}}").out, "dev=Stopped\nhere=Running\n");
  const Outcome used = Run("driver rm far");
  EXPECT_EQ(used.exit_code, 1);
  EXPECT_THAT(used.err, HasSubstr("in use, for example by machines/dev"));
  EXPECT_EQ(Run("rm -y dev here").exit_code, 0);
  EXPECT_EQ(Run("driver rm far").exit_code, 0);
  EXPECT_THAT(Run("create -d far dev").err, HasSubstr("far"));
}

TEST_F(RemoteDriverTest, IsRegisteredOnlyIfBothSidesTrustEachOther) {
  const auto stranger = common::CertAuthority::Create("stranger", absl::Hours(1)).value();
  certificates_->WriteClient("stranger-", stranger);
  EXPECT_EQ(Run(RegisterLine("other", "stranger-")).exit_code, 1);
  certificates_->Write("ca.pem", stranger.cert_pem());
  EXPECT_EQ(Run(RegisterLine("other")).exit_code, 1);
  EXPECT_THAT(Run("driver register other 127.0.0.1:1").err, HasSubstr("--ca is missing"));
  EXPECT_THAT(Run("driver ls").out, Not(HasSubstr("other")));
}

TEST_F(RemoteDriverTest, KilledInMidCreateItGoesOnWhenItIsStartedAgain) {
  RunningCommand create = BeginCreate();
  driver_->Kill();
  StartDriver();
  ExpectMadeOnce(std::move(create));
}

TEST_F(RemoteDriverTest, CutOffInMidCreateItGoesOnWhenTheLinkIsBack) {
  RunningCommand create = BeginCreate();
  link_.Set(Relay::Link::kCut);
  EXPECT_EQ(Run("ls --format {{.Name}}={{.State}}").out, "dev=Creating\n");  // Nobody waits for it.
  link_.Set(Relay::Link::kUp);
  ExpectMadeOnce(std::move(create));
}

TEST_F(RemoteDriverTest, SilenceIsNoticedAndTheCreateGoesOnWhenTheLinkIsBack) {
  RunningCommand create = BeginCreate();
  EXPECT_TRUE(IsReady("far"));
  link_.Set(Relay::Link::kSilent);
  cloud_->Behave({{"latency_ms", 0}});
  EXPECT_TRUE(Eventually(kLimit, [&] { return !IsReady("far"); }));
  link_.Set(Relay::Link::kCut);  // What was said into the silence is lost.
  link_.Set(Relay::Link::kUp);
  ExpectMadeOnce(std::move(create));
}

}  // namespace
}  // namespace machine::tests
