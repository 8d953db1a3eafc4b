#include "drivers/generic/generic_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "drivers/sdk/listener_for_test.h"
#include "services/common/status/status.h"

namespace machine::driver::generic {
namespace {

using machine::v1::OptionValue;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Notes what it was asked for; the host is in "boot 1".
class FakeRebooter final : public Rebooter {
 public:
  explicit FakeRebooter(RebootRequest& asked) : asked_(asked) {}

  absl::Status Reboot(DriverCall&, const RebootRequest& request) override {
    asked_ = request;
    request.remember("boot 1");
    return absl::OkStatus();
  }

 private:
  RebootRequest& asked_;
};

OptionValue Text(absl::string_view name, absl::string_view value) {
  OptionValue option;
  option.set_name(std::string(name));
  option.set_string_value(std::string(value));
  return option;
}

OptionValue Number(absl::string_view name, int64_t value) {
  OptionValue option;
  option.set_name(std::string(name));
  option.set_int_value(value);
  return option;
}

class GenericDriverTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(driver_.Init({.log = common::Logger(common::Severity::kError, "generic")}).ok());
  }

  absl::StatusOr<Options> Validate(const std::vector<OptionValue>& values) const {
    DM_ASSIGN_OR_RETURN(Options options,
                        driver_.flags().Complete("generic", values, Flags::Strictness::kCreate));
    DM_RETURN_IF_ERROR(driver_.Validate(options));
    return options;
  }

  MachineSpec Machine(const std::vector<OptionValue>& values) const {
    return {.uid = "u", .name = "m", .options = *Validate(values)};
  }

  // Lines that Create shows.
  std::vector<std::string> LinesOfCreate(const MachineSpec& machine) {
    std::vector<std::string> lines;
    DriverCall call(absl::InfiniteFuture(), std::make_shared<common::Cancellation>(),
                    {.log = [&](machine::v1::LogLine line) { lines.push_back(line.text()); }});
    EXPECT_TRUE(driver_.Create(call, machine).ok());
    return lines;
  }

  RebootRequest asked_;
  DriverCall call_{absl::InfiniteFuture(), std::make_shared<common::Cancellation>(), {}};
  GenericDriver driver_{std::make_unique<FakeRebooter>(asked_)};
};

TEST_F(GenericDriverTest, ReportsWhereTheHostIs) {
  const auto observation = driver_.Create(
      call_, Machine({Text("generic-ip-address", "192.0.2.7"), Text("generic-ssh-user", "admin"),
                      Number("generic-ssh-port", 2222), Number("generic-engine-port", 3376)}));
  ASSERT_TRUE(observation.ok()) << observation.status();
  const machine::v1::Endpoint& endpoint = observation->endpoint();
  EXPECT_THAT(endpoint.ip_addresses(), ElementsAre("192.0.2.7"));
  EXPECT_EQ(endpoint.ssh_host(), "192.0.2.7");
  EXPECT_EQ(endpoint.ssh_port(), 2222);
  EXPECT_EQ(endpoint.ssh_user(), "admin");
  EXPECT_EQ(endpoint.docker_url(), "tcp://192.0.2.7:3376");
  EXPECT_FALSE(endpoint.docker_plaintext());
}

TEST_F(GenericDriverTest, PutsBracketsAroundIpv6InUrls) {
  const auto observation =
      driver_.Create(call_, Machine({Text("generic-ip-address", "2001:db8::1")}));
  ASSERT_TRUE(observation.ok()) << observation.status();
  EXPECT_EQ(observation->endpoint().docker_url(), "tcp://[2001:db8::1]:2376");
  EXPECT_EQ(observation->endpoint().ssh_host(), "2001:db8::1");
  EXPECT_EQ(observation->endpoint().ssh_user(), "root");
  EXPECT_EQ(observation->endpoint().ssh_port(), 22);
}

TEST_F(GenericDriverTest, SaysWhichKeyItTakes) {
  const OptionValue address = Text("generic-ip-address", "host");
  EXPECT_THAT(LinesOfCreate(Machine({address, Text("generic-ssh-key", "/home/u/key")})),
              ElementsAre("Importing SSH key..."));
  EXPECT_THAT(LinesOfCreate(Machine({address})),
              ElementsAre("No SSH key specified. Assuming an existing key at the default "
                          "location."));
}

TEST_F(GenericDriverTest, RefusesBadValuesByName) {
  const OptionValue address = Text("generic-ip-address", "host");
  const struct {
    const char* label;
    std::vector<OptionValue> values;
    const char* message;
  } cases[] = {
      {"no address",
       {},
       "generic driver requires the --generic-ip-address option (environment variable "
       "GENERIC_IP_ADDRESS)"},
      {"bad address", {Text("generic-ip-address", "10.0.0.256")}, "--generic-ip-address"},
      {"user in the address", {Text("generic-ip-address", "root@host")}, "--generic-ip-address"},
      {"bad user", {address, Text("generic-ssh-user", "-oProxyCommand=x")}, "--generic-ssh-user"},
      {"bad port", {address, Number("generic-ssh-port", 0)}, "--generic-ssh-port"},
      {"bad engine port", {address, Number("generic-engine-port", 65536)}, "--generic-engine-port"},
  };
  for (const auto& row : cases) {
    SCOPED_TRACE(row.label);
    const absl::Status status = Validate(row.values).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(row.message));
  }
}

TEST_F(GenericDriverTest, RunningIsWhatTakesConnectionsOnItsSshPort) {
  const ListenerForTest open;
  const OptionValue address = Text("generic-ip-address", "127.0.0.1");
  std::vector<MachineSpec> machines = {Machine({address, Number("generic-ssh-port", open.port())})};
  {
    const ListenerForTest closed;
    machines.push_back(Machine({address, Number("generic-ssh-port", closed.port())}));
  }
  const auto observations = driver_.BatchInspect(call_, machines);
  ASSERT_TRUE(observations.ok()) << observations.status();
  EXPECT_EQ(observations->at(0).state(), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ(observations->at(0).endpoint().docker_url(), "tcp://127.0.0.1:2376");
  EXPECT_EQ(observations->at(1).state(), machine::v1::MACHINE_STATE_STOPPED);
  EXPECT_EQ(observations->at(1).endpoint().docker_url(), "") << "nothing runs there";
  EXPECT_THAT(observations->at(1).endpoint().ip_addresses(), ElementsAre("127.0.0.1"));
}

TEST_F(GenericDriverTest, RestartLogsInAsTheMachineSays) {
  MachineSpec machine =
      Machine({Text("generic-ip-address", "192.0.2.7"), Text("generic-ssh-user", "admin"),
               Text("generic-ssh-key", "/home/u/key")});
  machine.ssh_private_key = "the key";
  machine.ssh_agent_socket = "/run/agent";
  machine.ssh_host_key_sha256 = "the host's key";
  const auto observation = driver_.Restart(call_, machine);
  ASSERT_TRUE(observation.ok()) << observation.status();
  EXPECT_EQ(observation->state(), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ(asked_.target.host, "192.0.2.7");
  EXPECT_EQ(asked_.target.user, "admin");
  EXPECT_EQ(asked_.target.port, 22);
  EXPECT_EQ(asked_.target.private_key, "the key");
  EXPECT_EQ(asked_.target.agent_socket, "/run/agent");
  EXPECT_EQ(asked_.target.host_key_sha256, "the host's key");
  EXPECT_EQ(asked_.target.key_label, "/home/u/key");
}

TEST_F(GenericDriverTest, ARestartThatWasCutOffKnowsTheBootInWhichItAsked) {
  std::optional<std::string> stored;
  const auto restart = [&](const std::string& operation) {
    ::driver::v1::CallContext context;
    context.set_operation(operation);
    DriverCall call(absl::InfiniteFuture(), std::make_shared<common::Cancellation>(), {}, context,
                    [&](std::string data) { stored = std::move(data); });
    MachineSpec machine = Machine({Text("generic-ip-address", "192.0.2.7")});
    machine.state = stored;
    EXPECT_TRUE(driver_.Restart(call, machine).ok());
    return asked_.asked_in_boot;
  };
  EXPECT_EQ(restart("operations/a"), "");
  EXPECT_EQ(restart("operations/a"), "boot 1");
  EXPECT_EQ(restart("operations/b"), "") << "another restart";
}

TEST_F(GenericDriverTest, CannotSwitchHostsOnOrOff) {
  EXPECT_EQ(driver_.Start(call_, MachineSpec()).status().message(),
            "generic driver does not support start");
  EXPECT_EQ(driver_.Stop(call_, MachineSpec(), std::nullopt).status().message(),
            "generic driver does not support stop");
  EXPECT_EQ(driver_.Kill(call_, MachineSpec()).status().message(),
            "generic driver does not support kill");
}

}  // namespace
}  // namespace machine::driver::generic
