#include "services/provisioner/service/connection_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "absl/synchronization/notification.h"
#include "services/common/status/status.h"

namespace machine::provisioner {
namespace {

using ::machine::common::SshConnection;
using ::provisioner::v1::SshTarget;

class FakeConnection final : public SshConnection {
 public:
  explicit FakeConnection(int* closed) : closed_(closed) {}
  ~FakeConnection() override { ++*closed_; }

  std::string host_key_sha256() const override { return "key"; }
  bool alive() const override { return alive_; }
  int64_t commands_run() const override { return 0; }
  absl::StatusOr<common::CommandResult> Run(absl::string_view, common::CommandOptions) override {
    return absl::InternalError("not in this test");
  }
  absl::Status Upload(absl::string_view, mode_t, absl::string_view,
                      const common::CallLimits&) override {
    return absl::InternalError("not in this test");
  }
  absl::StatusOr<std::string> Download(absl::string_view, size_t,
                                       const common::CallLimits&) override {
    return absl::InternalError("not in this test");
  }
  absl::StatusOr<std::shared_ptr<common::SshSession>> OpenExec(const common::ExecSpec&,
                                                               common::SessionCallbacks) override {
    return absl::InternalError("not in this test");
  }
  absl::StatusOr<std::shared_ptr<common::SshSession>> OpenTunnel(
      absl::string_view, int, common::SessionCallbacks) override {
    return absl::InternalError("not in this test");
  }

  bool alive_ = true;

 private:
  int* const closed_;
};

class ConnectionPoolTest : public testing::Test {
 protected:
  ConnectionPoolTest() {
    target_.set_host("h");
    target_.set_user("root");
    target_.set_private_key("K");
    target_.set_machine_uid("u");
    target_.set_fencing_token(1);
  }

  absl::StatusOr<PooledConnection> Acquire() {
    common::CallScope call(absl::InfiniteFuture(), std::make_shared<common::Cancellation>(), {});
    return pool_->Acquire(call, target_, [this](const common::SshTarget&) {
      ++made_;
      last_ = std::make_shared<FakeConnection>(&closed_);
      return absl::StatusOr<std::shared_ptr<SshConnection>>(last_);
    });
  }

  void MakePool(absl::Duration sweep_interval) {
    pool_ = std::make_unique<ConnectionPool>(
        executor_, metrics_,
        ConnectionPool::Options{.idle_limit = absl::Minutes(5), .sweep_interval = sweep_interval},
        clock_);
  }

  common::FakeClock clock_;
  common::Metrics metrics_;
  int made_ = 0;
  int closed_ = 0;
  std::shared_ptr<FakeConnection> last_;
  SshTarget target_;
  common::Executor executor_{4};
  std::unique_ptr<ConnectionPool> pool_ =
      std::make_unique<ConnectionPool>(executor_, metrics_, ConnectionPool::Options(), clock_);
};

TEST_F(ConnectionPoolTest, IsReusedWhileNothingChanges) {
  const auto first = Acquire();
  const auto second = Acquire();
  EXPECT_TRUE(first->opened());
  EXPECT_FALSE(second->opened());
  EXPECT_EQ(first->get(), second->get());
  target_.set_host_key_sha256("key");  // Pinned since.
  EXPECT_FALSE(Acquire()->opened());
  target_.set_fencing_token(0);
  EXPECT_FALSE(Acquire()->opened());
  EXPECT_EQ(made_, 1);
}

struct ChangeCase {
  absl::string_view label;
  void (*change)(SshTarget& target);
};

class ChangeTest : public ConnectionPoolTest, public testing::WithParamInterface<ChangeCase> {};

TEST_P(ChangeTest, MakesANewConnection) {
  ASSERT_TRUE(Acquire().ok());
  GetParam().change(target_);
  EXPECT_TRUE(Acquire()->opened());
  EXPECT_FALSE(Acquire()->opened());
}

INSTANTIATE_TEST_SUITE_P(Changes, ChangeTest,
                         testing::ValuesIn<ChangeCase>({
                             {"Host", [](SshTarget& t) { t.set_host("i"); }},
                             {"Port", [](SshTarget& t) { t.set_port(23); }},
                             {"User", [](SshTarget& t) { t.set_user("deb"); }},
                             {"Key", [](SshTarget& t) { t.set_private_key("L"); }},
                             {"Agent", [](SshTarget& t) { t.set_agent_socket("/s"); }},
                             {"Operation", [](SshTarget& t) { t.set_fencing_token(2); }},
                             {"Machine", [](SshTarget& t) { t.set_machine_uid("v"); }},
                         }),
                         [](const auto& info) { return std::string(info.param.label); });

TEST_F(ConnectionPoolTest, AnotherPinnedHostKeyMakesANewConnection) {
  ASSERT_TRUE(Acquire().ok());
  target_.set_host_key_sha256("other");
  EXPECT_TRUE(Acquire()->opened());
}

TEST_F(ConnectionPoolTest, ALostConnectionIsReplacedButStaysWithItsUser) {
  auto first = Acquire();
  last_->alive_ = false;
  last_.reset();
  EXPECT_TRUE(Acquire()->opened());
  EXPECT_EQ(closed_, 0);
  first = absl::CancelledError();
  EXPECT_EQ(closed_, 1);
}

TEST_F(ConnectionPoolTest, ADiscardedOneIsForgotten) {
  const auto first = Acquire();
  pool_->Discard(target_, first->get());
  const auto second = Acquire();
  EXPECT_TRUE(second->opened());
  pool_->Discard(target_, first->get());  // Late, and not about the second.
  EXPECT_FALSE(Acquire()->opened());
}

TEST_F(ConnectionPoolTest, AnOlderOperationIsTurnedAway) {
  target_.set_fencing_token(5);
  ASSERT_TRUE(Acquire().ok());
  target_.set_fencing_token(4);
  EXPECT_EQ(common::ReasonOf(Acquire().status()), machine::v1::ERROR_REASON_STALE_FENCING_TOKEN);
}

TEST_F(ConnectionPoolTest, WithoutAMachineNothingIsKept) {
  target_.clear_machine_uid();
  EXPECT_TRUE(Acquire()->opened());
  EXPECT_TRUE(Acquire()->opened());
}

TEST_F(ConnectionPoolTest, AFailureIsPassedOnAndTriedAgain) {
  common::CallScope call(absl::InfiniteFuture(), std::make_shared<common::Cancellation>(), {});
  const auto failed = pool_->Acquire(call, target_, [](const common::SshTarget&) {
    return absl::StatusOr<std::shared_ptr<SshConnection>>(absl::UnavailableError("no"));
  });
  EXPECT_EQ(failed.status().message(), "no");
  EXPECT_TRUE(Acquire()->opened());
}

TEST_F(ConnectionPoolTest, TwoCallsAtOnceMakeOneConnection) {
  absl::Notification connecting;
  absl::Notification go_on;
  std::thread first([&] {
    common::CallScope call(absl::InfiniteFuture(), std::make_shared<common::Cancellation>(), {});
    const auto connection = pool_->Acquire(call, target_, [&](const common::SshTarget&) {
      connecting.Notify();
      go_on.WaitForNotification();
      ++made_;
      return absl::StatusOr<std::shared_ptr<SshConnection>>(
          std::make_shared<FakeConnection>(&closed_));
    });
    EXPECT_TRUE(connection->opened());
  });
  connecting.WaitForNotification();
  {
    // Who waits can be cancelled.
    common::CallScope call(absl::InfiniteFuture(), std::make_shared<common::Cancellation>(), {});
    call.cancellation()->Cancel();
    EXPECT_TRUE(
        absl::IsCancelled(pool_
                              ->Acquire(call, target_,
                                        [](const common::SshTarget&) {
                                          return absl::StatusOr<std::shared_ptr<SshConnection>>(
                                              absl::InternalError("unused"));
                                        })
                              .status()));
  }
  std::thread second([&] { EXPECT_FALSE(Acquire()->opened()); });
  go_on.Notify();
  first.join();
  second.join();
  EXPECT_EQ(made_, 1);
}

TEST_F(ConnectionPoolTest, IdleConnectionsAreClosed) {
  MakePool(absl::Milliseconds(1));
  { ASSERT_TRUE(Acquire().ok()); }
  absl::Notification done;
  std::weak_ptr<FakeConnection> connection = last_;
  last_.reset();
  EXPECT_FALSE(connection.expired());
  clock_.Advance(absl::Minutes(6));
  const absl::Time give_up = absl::Now() + absl::Seconds(30);
  while (!connection.expired() && absl::Now() < give_up) std::this_thread::yield();
  EXPECT_TRUE(connection.expired());
}

TEST_F(ConnectionPoolTest, ConnectionsInUseAreNotIdle) {
  MakePool(absl::Milliseconds(1));
  const auto first = Acquire();
  clock_.Advance(absl::Minutes(6));
  // Sweeps go on behind this; each must leave it alone.
  absl::Notification swept;
  executor_.RunAfter(absl::Milliseconds(20), [&swept] { swept.Notify(); });
  swept.WaitForNotification();
  EXPECT_FALSE(Acquire()->opened());
}

TEST(ToSshTargetTest, NamesWhatIsMissing) {
  SshTarget target;
  EXPECT_EQ(ToSshTarget(target).status().code(), absl::StatusCode::kInvalidArgument);
  target.set_host("h");
  target.set_user("u");
  EXPECT_EQ(ToSshTarget(target).status().code(), absl::StatusCode::kInvalidArgument);
  target.set_agent_socket("/s");
  ASSERT_TRUE(ToSshTarget(target).ok());
  EXPECT_EQ(ToSshTarget(target)->port, 22);
  target.set_port(70000);
  EXPECT_EQ(ToSshTarget(target).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace machine::provisioner
