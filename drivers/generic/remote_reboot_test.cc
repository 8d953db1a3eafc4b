// Against a real sshd. It cannot reboot its kernel, so a forced command plays the host.
#include "drivers/generic/remote_reboot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "services/common/ssh/sshd_for_test.h"
#include "services/common/status/status.h"

namespace machine::driver::generic {
namespace {

using common::SshdForTest;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kUuid[] = "11111111-2222-3333-4444-555555555555";

// A host that "reboots" when it is told to: the second look after that shows another boot id.
constexpr char kHost[] = R"(#!/bin/sh
cd DIR
case "$SSH_ORIGINAL_COMMAND" in
  *boot_id*)
    if [ -f seen ]; then mv next boot; rm seen; fi
    if [ -f next ]; then touch seen; fi
    cat boot ;;
  *systemctl*) echo 'Failed to talk to init daemon' >&2; exit 1 ;;
  *shutdown*) echo asked >> log; echo 99999999-2222-3333-4444-555555555555 > next ;;
  *refuse*) echo 'a password is required' >&2; exit 7 ;;
esac
)";

class RemoteRebootTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::string script = absl::StrCat(folder_.path(), "/host");
    std::ofstream(script) << absl::StrReplaceAll(kHost, {{"DIR", folder_.path()}});
    std::ofstream(absl::StrCat(folder_.path(), "/boot")) << kUuid << "\n";
    ASSERT_EQ(chmod(script.c_str(), 0755), 0);
    auto sshd = SshdForTest::Start({absl::StrCat("ForceCommand ", script)});
    ASSERT_TRUE(sshd.ok()) << sshd.status();
    sshd_ = *std::move(sshd);
  }

  absl::Status Reboot(std::vector<std::string> commands) {
    SshRebooter rebooter(std::move(commands),
                         {.limit = absl::Minutes(5), .poll = absl::Milliseconds(20)}, clock_);
    DriverCall call(absl::InfiniteFuture(), cancellation_,
                    {.progress = [this](machine::v1::Progress) { clock_.Advance(step_); }}, {}, {},
                    clock_);
    return rebooter.Reboot(call, {.target = target_.value_or(sshd_->target()),
                                  .asked_in_boot = asked_in_boot_,
                                  .remember = [this](const std::string& boot_id) {
                                    EXPECT_EQ(TimesAsked(), 0) << "remembered first";
                                    remembered_ = boot_id;
                                  }});
  }

  // How often the host was told to reboot.
  int64_t TimesAsked() const {
    const std::string log = common::ReadFileForTest(absl::StrCat(folder_.path(), "/log"));
    return std::count(log.begin(), log.end(), '\n');
  }

  const common::ShortTempDirForTest folder_;
  std::unique_ptr<SshdForTest> sshd_;
  std::optional<common::SshTarget> target_;
  std::string asked_in_boot_;
  std::string remembered_;
  common::FakeClock clock_;
  absl::Duration step_;  // Passes with each progress message.
  const std::shared_ptr<common::Cancellation> cancellation_ =
      std::make_shared<common::Cancellation>();
};

TEST_F(RemoteRebootTest, EndsWhenTheBootIdHasChanged) {
  const absl::Status status = Reboot({"systemctl reboot", "shutdown -r now"});
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(remembered_, kUuid);
  EXPECT_EQ(TimesAsked(), 1);
}

TEST_F(RemoteRebootTest, AHostThatHasBootedSinceItWasAskedIsNotRebootedAgain) {
  asked_in_boot_ = "00000000-2222-3333-4444-555555555555";
  const absl::Status status = Reboot({"shutdown -r now"});
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(TimesAsked(), 0);
}

TEST_F(RemoteRebootTest, AHostThatIsStillInTheBootInWhichItWasAskedIsAskedAgain) {
  asked_in_boot_ = kUuid;
  const absl::Status status = Reboot({"shutdown -r now"});
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(TimesAsked(), 1);
}

TEST_F(RemoteRebootTest, AHostThatWasAskedAndIsDownIsWaitedFor) {
  target_ = sshd_->target();
  sshd_->Kill();
  asked_in_boot_ = kUuid;
  step_ = absl::Minutes(6);
  const absl::Status status = Reboot({"shutdown -r now"});
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_STEP_TIMEOUT) << status;
}

TEST_F(RemoteRebootTest, AHostThatIsDownBeforeItWasAskedIsAnErrorAtOnce) {
  target_ = sshd_->target();
  sshd_->Kill();
  EXPECT_EQ(common::ReasonOf(Reboot({"shutdown -r now"})),
            machine::v1::ERROR_REASON_SSH_UNREACHABLE);
}

TEST_F(RemoteRebootTest, ABootThatNeverComesIsATimeout) {
  step_ = absl::Minutes(3);
  const absl::Status status = Reboot({"true"});
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_STEP_TIMEOUT);
  EXPECT_THAT(std::string(status.message()), HasSubstr("it has not gone down yet"));
}

TEST_F(RemoteRebootTest, AHostThatRefusesSaysWhy) {
  const absl::Status status = Reboot({"systemctl reboot", "refuse"});
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_HOST_COMMAND_FAILED);
  EXPECT_THAT(std::string(status.message()), HasSubstr("Failed to talk to init daemon"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("exit status 7: a password is required"));
}

TEST_F(RemoteRebootTest, ARefusedKeyIsFinal) {
  const auto other = sshd_->MakeKey("other", {"-t", "ed25519", "-N", ""});
  ASSERT_TRUE(other.ok()) << other.status();
  target_ = sshd_->target();
  target_->private_key = common::ReadFileForTest(*other);
  target_->key_label = "other-key";
  const absl::Status status = Reboot({"shutdown -r now"});
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_SSH_KEY_REFUSED);
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr(target_->private_key)));
}

TEST_F(RemoteRebootTest, CanBeCancelledWhileItWaits) {
  absl::Status status;
  std::thread reboot([&] { status = Reboot({"true"}); });
  ASSERT_TRUE(sshd_->AwaitLog("Accepted publickey"));
  cancellation_->Cancel();
  reboot.join();
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
}

TEST(ParseBootIdTest, TellsBootsApart) {
  const std::string fields = " S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 ";
  const auto boot = [&](const std::string& rest) { return absl::StrCat(kUuid, "\n", rest); };
  const auto first = ParseBootId(boot("1 (systemd)" + fields + "42 1000\n"));
  const auto second = ParseBootId(boot("1 (a) b)" + fields + "43 1000\n"));
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(*first, absl::StrCat(kUuid, "/42"));
  EXPECT_EQ(*second, absl::StrCat(kUuid, "/43"));
  EXPECT_EQ(*ParseBootId(boot("")), kUuid) << "process 1 may be hidden";
  EXPECT_FALSE(ParseBootId("").ok());
  EXPECT_FALSE(ParseBootId("Permission denied\n").ok());
}

}  // namespace
}  // namespace machine::driver::generic
