#include "services/common/ssh/wait_for_ssh.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/common/ssh/sshd_for_test.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

constexpr absl::Duration kLong = absl::Seconds(60);

class WaitForSshTest : public testing::Test {
 protected:
  void SetUp() override {
    auto sshd = SshdForTest::Start();
    ASSERT_TRUE(sshd.ok()) << sshd.status();
    sshd_ = *std::move(sshd);
    options_.limits.deadline = absl::Now() + kLong;
    options_.on_attempt = [this](const absl::Status& status) {
      ++attempts_;
      if (after_attempt_) after_attempt_(status);
    };
  }

  absl::StatusOr<std::shared_ptr<SshConnection>> Wait() {
    return WaitForSsh(loop_, sshd_->target(), options_);
  }

  SshLoop loop_;
  std::unique_ptr<SshdForTest> sshd_;
  WaitForSshOptions options_;
  int attempts_ = 0;
  std::function<void(const absl::Status&)> after_attempt_;
};

TEST_F(WaitForSshTest, GoesOnUntilTheServerAnswers) {
  sshd_->Freeze(true);
  SshLoop impatient({.handshake_timeout = absl::Milliseconds(200)});
  after_attempt_ = [this](const absl::Status& status) {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    if (attempts_ == 2) sshd_->Freeze(false);
  };
  // Once the server goes on, a busy machine may need more than 0.2 s for a handshake.
  const auto ssh = WaitForSsh(impatient, sshd_->target(), options_);
  EXPECT_TRUE(ssh.ok()) << ssh.status();
  EXPECT_GE(attempts_, 2);
}

TEST_F(WaitForSshTest, GivesUpWithTheTimeAndTheLastCause) {
  sshd_->Kill();
  options_.limits.deadline = absl::Now() + absl::Seconds(1);
  const absl::Status status = Wait().status();
  EXPECT_EQ(ReasonOf(status), machine::v1::ERROR_REASON_SSH_UNREACHABLE) << status;
  const std::string address = absl::StrCat("127.0.0.1:", sshd_->port());
  EXPECT_TRUE(
      absl::StartsWith(status.message(), absl::StrCat("waiting for SSH on ", address, " for ")))
      << status;
  EXPECT_TRUE(absl::EndsWith(status.message(),
                             absl::StrCat("connecting to ", address, ": Connection refused")))
      << status;
  EXPECT_GE(attempts_, 2);  // After 0, 0.1, 0.3 and 0.7 s, when the machine is not busy.
  EXPECT_LE(attempts_, 4);
}

TEST_F(WaitForSshTest, ARefusedKeyIsFinalAtOnceWithoutGrace) {
  sshd_->RevokeAllKeys();
  EXPECT_EQ(Wait().status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(attempts_, 1);
}

TEST_F(WaitForSshTest, AKeyThatComesWithinTheGraceIsWaitedFor) {
  sshd_->RevokeAllKeys();
  options_.key_refused_grace = absl::Seconds(10);
  after_attempt_ = [this](const absl::Status& status) {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << status;
    if (attempts_ > 1) return;
    EXPECT_TRUE(sshd_->Authorize(sshd_->dir() + "/client_ed25519").ok());
  };
  EXPECT_TRUE(Wait().ok());
  EXPECT_EQ(attempts_, 1);
}

TEST_F(WaitForSshTest, AKeyThatStaysRefusedIsFinalAfterTheGrace) {
  sshd_->RevokeAllKeys();
  options_.key_refused_grace = absl::Milliseconds(150);
  EXPECT_EQ(Wait().status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_LE(attempts_, 2);
}

TEST_F(WaitForSshTest, AChangedHostKeyIsFinalAtOnce) {
  SshTarget target = sshd_->target();
  target.host_key_sha256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
  EXPECT_EQ(ReasonOf(WaitForSsh(loop_, target, options_).status()),
            machine::v1::ERROR_REASON_SSH_HOST_KEY_CHANGED);
  EXPECT_EQ(attempts_, 1);
}

TEST_F(WaitForSshTest, CancellingEndsTheWait) {
  sshd_->Kill();
  options_.limits = {.cancelled = [this] { return attempts_ >= 2; }};
  EXPECT_EQ(Wait().status().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace machine::common
