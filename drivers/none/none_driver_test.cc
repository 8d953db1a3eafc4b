#include "drivers/none/none_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/listener_for_test.h"
#include "services/common/clock/clock.h"
#include "services/common/status/status.h"

namespace machine::driver::none {
namespace {

using ::testing::HasSubstr;

class NoneDriverTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(driver_.Init({.log = common::Logger(common::Severity::kError, "none")}).ok());
  }

  absl::StatusOr<Options> Validate(const std::string& url) const {
    machine::v1::OptionValue option;
    option.set_name("url");
    option.set_string_value(url);
    DM_ASSIGN_OR_RETURN(Options options,
                        driver_.flags().Complete("none", {option}, Flags::Strictness::kCreate));
    DM_RETURN_IF_ERROR(driver_.Validate(options));
    return options;
  }

  MachineSpec Machine(const std::string& url) const {
    return {.uid = "u", .name = "m", .options = *Validate(url)};
  }

  DriverCall call_{absl::InfiniteFuture(), std::make_shared<common::Cancellation>(), {}};
  NoneDriver driver_;
};

TEST_F(NoneDriverTest, TakesUrlsOfEngines) {
  const struct {
    const char* given;
    const char* standard;
  } cases[] = {
      {"tcp://10.0.0.1:2376", "tcp://10.0.0.1:2376"},
      {"tcp://host.example.com:2375/", "tcp://host.example.com:2375"},
      {"tcp://[::1]:2376", "tcp://[::1]:2376"},
  };
  for (const auto& row : cases) {
    const absl::StatusOr<Options> options = Validate(row.given);
    ASSERT_TRUE(options.ok()) << options.status();
    EXPECT_EQ(options->GetString("url"), row.standard);
  }
}

TEST_F(NoneDriverTest, RefusesOtherUrlsByName) {
  for (const char* url :
       {"none", "tcp://", "tcp://host", "tcp://:2376", "tcp://host:0", "tcp://host:port",
        "http://host:80", "unix:///var/run/docker.sock", "ssh://host", "host:2376",
        "tcp://a b:2376", "tcp://host:2376/path", "tcp://user@host:2376"}) {
    SCOPED_TRACE(url);
    const absl::Status status = Validate(url).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("--url"));
  }
}

TEST_F(NoneDriverTest, CreateAsksNobody) {
  const ListenerForTest engine;
  const auto observation =
      driver_.Create(call_, Machine(absl::StrCat("tcp://127.0.0.1:", engine.port())));
  ASSERT_TRUE(observation.ok()) << observation.status();
  EXPECT_FALSE(engine.WasAsked());
  EXPECT_EQ(observation->state(), machine::v1::MACHINE_STATE_UNSPECIFIED);
  EXPECT_EQ(observation->endpoint().ip_addresses(0), "127.0.0.1");
  EXPECT_EQ(observation->endpoint().docker_url(), absl::StrCat("tcp://127.0.0.1:", engine.port()));
  EXPECT_TRUE(observation->endpoint().docker_plaintext());
  EXPECT_EQ(observation->endpoint().ssh_host(), "");
}

TEST_F(NoneDriverTest, RunningIsWhatTakesConnections) {
  std::vector<MachineSpec> machines;
  const ListenerForTest open;
  machines.push_back(Machine(absl::StrCat("tcp://127.0.0.1:", open.port())));
  {
    const ListenerForTest closed;
    machines.push_back(Machine(absl::StrCat("tcp://127.0.0.1:", closed.port())));
  }
  const auto observations = driver_.BatchInspect(call_, machines);
  ASSERT_TRUE(observations.ok()) << observations.status();
  EXPECT_EQ(observations->at(0).state(), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ(observations->at(1).state(), machine::v1::MACHINE_STATE_STOPPED);
  EXPECT_EQ(observations->at(1).endpoint().docker_url(), machines[1].options.GetString("url"))
      << "the URL is the user's, and stays";
}

TEST_F(NoneDriverTest, ManySilentHostsDelayABatchByOneTimeoutOnly) {
  const ListenerForTest silent(ListenerForTest::Kind::kSilent);
  const std::vector<MachineSpec> machines(500,
                                          Machine(absl::StrCat("tcp://127.0.0.1:", silent.port())));
  const absl::Duration start = common::Clock::Real().Steady();
  const auto observations = driver_.BatchInspect(call_, machines);
  ASSERT_TRUE(observations.ok()) << observations.status();
  EXPECT_EQ(observations->size(), 500);
  // A second for all; one after the other they would take 500.
  EXPECT_LT(common::Clock::Real().Steady() - start, absl::Minutes(1));
}

TEST_F(NoneDriverTest, CannotPowerWhatItDoesNotRun) {
  const absl::Status status = driver_.Start(call_, MachineSpec()).status();
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_CAPABILITY_MISSING);
  EXPECT_EQ(status.message(), "hosts without a driver cannot be started");
}

}  // namespace
}  // namespace machine::driver::none
