#include "drivers/sdk/tcp_prober.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "drivers/sdk/listener_for_test.h"
#include "services/common/clock/clock.h"

namespace machine::driver {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

class TcpProberTest : public testing::Test {
 protected:
  std::vector<bool> Probe(const std::vector<TcpAddress>& addresses, absl::Duration timeout) {
    const common::CallScope call(absl::InfiniteFuture(), cancellation_, {});
    const absl::Duration start = common::Clock::Real().Steady();
    std::vector<bool> open = prober_.Probe(call, addresses, timeout);
    took_ = common::Clock::Real().Steady() - start;
    return open;
  }

  const std::shared_ptr<common::Cancellation> cancellation_ =
      std::make_shared<common::Cancellation>();
  TcpProber prober_;
  absl::Duration took_;
};

TEST_F(TcpProberTest, TellsOpenFromClosedInOrder) {
  const ListenerForTest open;
  int closed_port = 0;
  {
    const ListenerForTest gone;
    closed_port = gone.port();
  }
  EXPECT_THAT(Probe({{"127.0.0.1", open.port()},
                     {"127.0.0.1", closed_port},
                     {"localhost", open.port()},
                     {"", 1},
                     {"127.0.0.1", open.port()}},
                    absl::Minutes(5)),
              ElementsAre(true, false, true, false, true));
  EXPECT_LT(took_, absl::Minutes(1)) << "answers are not waited out";
}

TEST_F(TcpProberTest, ManySilentHostsTakeNoLongerThanOne) {
  const ListenerForTest open;
  const ListenerForTest silent(ListenerForTest::Kind::kSilent);
  std::vector<TcpAddress> addresses(500, {"127.0.0.1", silent.port()});
  addresses.push_back({"127.0.0.1", open.port()});
  const std::vector<bool> result = Probe(addresses, absl::Milliseconds(500));
  EXPECT_TRUE(result.back());
  EXPECT_THAT(std::vector<bool>(result.begin(), result.end() - 1), Each(false));
  EXPECT_LT(took_, absl::Minutes(1)) << "one after the other they would take 250 s";
}

TEST_F(TcpProberTest, ACancelledCallEndsEarly) {
  const ListenerForTest silent(ListenerForTest::Kind::kSilent);
  std::thread canceller([this] { cancellation_->Cancel(); });
  EXPECT_THAT(Probe({{"127.0.0.1", silent.port()}}, absl::Minutes(5)), ElementsAre(false));
  EXPECT_LT(took_, absl::Minutes(1));
  canceller.join();
}

TEST_F(TcpProberTest, NoAddressesNeedNoTime) {
  EXPECT_TRUE(Probe({}, absl::Minutes(5)).empty());
  EXPECT_LT(took_, absl::Minutes(1));
}

}  // namespace
}  // namespace machine::driver
