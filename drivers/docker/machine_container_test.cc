#include "drivers/docker/machine_container.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace machine::driver::docker {
namespace {

using Json = nlohmann::json;

Settings SomeSettings() {
  Settings settings;
  settings.endpoint = ParseEndpoint("unix:///x").value();
  settings.image = "machine-host:bookworm";
  settings.network = "bridge";
  settings.engine_port = 2376;
  settings.ssh_user = "root";
  return settings;
}

Identity SomeIdentity() { return {"uid-1", "dev", "orchestrator-1"}; }

struct StateCase {
  std::string status;
  MachineState state;
};

class StateOfTest : public testing::TestWithParam<StateCase> {};

TEST_P(StateOfTest, EachStatusIsAState) { EXPECT_EQ(StateOf(GetParam().status), GetParam().state); }

INSTANTIATE_TEST_SUITE_P(Statuses, StateOfTest,
                         testing::ValuesIn<StateCase>({
                             {"created", machine::v1::MACHINE_STATE_STOPPED},
                             {"running", machine::v1::MACHINE_STATE_RUNNING},
                             {"paused", machine::v1::MACHINE_STATE_PAUSED},
                             {"restarting", machine::v1::MACHINE_STATE_STARTING},
                             {"removing", machine::v1::MACHINE_STATE_REMOVING},
                             {"exited", machine::v1::MACHINE_STATE_STOPPED},
                             {"dead", machine::v1::MACHINE_STATE_ERROR},
                             {"unheard_of", machine::v1::MACHINE_STATE_UNSPECIFIED},
                         }),
                         [](const auto& info) { return info.param.status; });

TEST(MachineContainerTest, NamesDependOnTheUidAlone) {
  EXPECT_EQ(ContainerName(SomeIdentity()), ContainerName({"uid-1", "dev", "another"}));
  EXPECT_NE(ContainerName(SomeIdentity()), ContainerName({"uid-2", "dev", "orchestrator-1"}));
  EXPECT_NE(VolumeName(SomeIdentity(), "docker"), VolumeName(SomeIdentity(), "containerd"));
}

TEST(MachineContainerTest, PortsToTryStayInTheirRangeAndDoNotRepeatSoon) {
  std::set<int> seen;
  for (int attempt = 0; attempt < 100; ++attempt) {
    const PublishedPorts ports = PortsToTry("uid-1", attempt);
    for (const int port : {ports.ssh, ports.engine}) {
      EXPECT_GE(port, 20'000);
      EXPECT_LT(port, 32'768);
      EXPECT_TRUE(seen.insert(port).second);
    }
  }
}

TEST(MachineContainerTest, TheSpecificationHasWhatSystemdAndAnEngineNeed) {
  const Json all = Json::parse(MachineSpecification(SomeIdentity(), SomeSettings(), {}, {}));
  EXPECT_EQ(all["Image"], "machine-host:bookworm");
  EXPECT_EQ(all["Hostname"], "dev");
  EXPECT_EQ(all["StopSignal"], "SIGRTMIN+3");
  EXPECT_EQ(all["Labels"]["org.machine.uid"], "uid-1");
  EXPECT_EQ(all["Labels"]["org.machine.orchestrator"], "orchestrator-1");
  EXPECT_EQ(all["Labels"]["org.machine.name"], "dev");
  const Json& host = all["HostConfig"];
  EXPECT_EQ(host["Privileged"], true);
  EXPECT_EQ(host["RestartPolicy"]["Name"], "unless-stopped");
  EXPECT_EQ(host["CgroupnsMode"], "private");
  EXPECT_EQ(host["SecurityOpt"],
            Json::array({"seccomp=unconfined", "apparmor=unconfined", "label=disable"}));
  EXPECT_EQ(host["MaskedPaths"], Json::array());
  EXPECT_EQ(host["ReadonlyPaths"], Json::array());
  EXPECT_EQ(host["DeviceCgroupRules"], Json::array({"a *:* rwm"}));
  EXPECT_EQ(host["Tmpfs"].size(), 3u);
  ASSERT_EQ(host["Mounts"].size(), 2u);
  EXPECT_EQ(host["Mounts"][0]["Target"], "/var/lib/docker");
  EXPECT_EQ(host["Mounts"][1]["Target"], "/var/lib/containerd");
  EXPECT_FALSE(host.contains("PortBindings"));
}

TEST(MachineContainerTest, LimitsAddressesAndPortsAreWritten) {
  Settings settings = SomeSettings();
  settings.memory_mib = 512;
  settings.nano_cpus = 1'500'000'000;
  settings.network = "lab";
  settings.ip = "10.0.0.7";
  settings.labels = {{"tier", "test"}};
  settings.volumes = {"/srv:/srv:ro"};
  Privileges privileges;
  privileges.set_by_capabilities(true);
  privileges.set_bounding_set(0b11);
  const Json all = Json::parse(
      MachineSpecification(SomeIdentity(), settings, privileges, PublishedPorts{20000, 20001}));
  const Json& host = all["HostConfig"];
  EXPECT_EQ(host["Memory"], 536870912);
  EXPECT_EQ(host["NanoCpus"], 1500000000);
  EXPECT_EQ(host["Binds"], Json::array({"/srv:/srv:ro"}));
  EXPECT_EQ(host["CapAdd"], Json::array({"CHOWN", "DAC_OVERRIDE"}));
  EXPECT_FALSE(host.contains("Privileged"));
  EXPECT_EQ(host["PortBindings"]["22/tcp"][0]["HostPort"], "20000");
  EXPECT_EQ(host["PortBindings"]["20001/tcp"][0]["HostPort"], "20001");
  EXPECT_EQ(all["NetworkingConfig"]["EndpointsConfig"]["lab"]["IPAMConfig"]["IPv4Address"],
            "10.0.0.7");
  EXPECT_EQ(all["Labels"]["tier"], "test");
  EXPECT_EQ(all["Labels"]["org.machine.engine-port"], "20001");
}

TEST(MachineContainerTest, ALongNameIsCutForTheHostName) {
  const std::string name = absl::StrCat(std::string(62, 'a'), "-bcd");
  const Json all =
      Json::parse(MachineSpecification({"uid-1", name, "orchestrator-1"}, SomeSettings(), {}, {}));
  EXPECT_EQ(all["Hostname"], std::string(62, 'a'));
}

TEST(MachineContainerTest, TextThatIsNoUtf8BreaksNothing) {
  Settings settings = SomeSettings();
  settings.image = "\xff\xfe";
  EXPECT_TRUE(Json::accept(MachineSpecification(SomeIdentity(), settings, {}, {})));
}

TEST(MachineContainerTest, BoundingSetsAreReadAsProcShowsThem) {
  EXPECT_EQ(ParseBoundingSet("CapBnd:\t000001fffeffffff\r\n").value(), 0x1fffeffffffu);
  for (const char* const text : {"", "CapBnd:", "CapBnd:\tzz", "CapBnd:\t0", "grep: not found"}) {
    EXPECT_EQ(ParseBoundingSet(text).status().code(), absl::StatusCode::kFailedPrecondition)
        << text;
  }
  EXPECT_EQ(CapabilityNames(~uint64_t{0}).size(), 38u);
  EXPECT_EQ(CapabilityNames(uint64_t{1} << 21), std::vector<std::string>{"SYS_ADMIN"});
}

TEST(MachineContainerTest, ADifferenceInSettingsIsNamed) {
  const Settings settings = SomeSettings();
  Container container;
  container.labels = MachineLabels(SomeIdentity(), settings, 2376);
  EXPECT_TRUE(CheckSameSettings(container, settings).ok());
  Settings other = settings;
  other.image = "other:1";
  const absl::Status status = CheckSameSettings(container, other);
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(absl::StrContains(
      status.message(), R"(--docker-image was "machine-host:bookworm", asked for is "other:1")"))
      << status;
  container.labels.erase("org.machine.settings");
  EXPECT_EQ(CheckSameSettings(container, settings).code(), absl::StatusCode::kAlreadyExists);
}

Container Running() {
  Container container;
  container.id = "0123456789abcdef";
  container.status = "running";
  container.labels = MachineLabels(SomeIdentity(), SomeSettings(), 2376);
  container.network = "lab";
  container.addresses = {{"bridge", "172.17.0.2"}, {"lab", "10.0.0.2"}};
  return container;
}

TEST(MachineContainerTest, AMachineIsReachedInTheNetworkItWasMadeFor) {
  const Observation machine = ObservationOf(Running(), ParseEndpoint("unix:///x").value());
  EXPECT_EQ(machine.instance_id(), "0123456789ab");
  EXPECT_EQ(machine.endpoint().ip_addresses(0), "10.0.0.2");
  EXPECT_EQ(machine.endpoint().ssh_host(), "10.0.0.2");
  EXPECT_EQ(machine.endpoint().ssh_port(), 22);
  EXPECT_EQ(machine.endpoint().docker_url(), "tcp://10.0.0.2:2376");
}

TEST(MachineContainerTest, AMachineOfARemoteEngineIsReachedByItsPorts) {
  Container container = Running();
  container.labels = MachineLabels(SomeIdentity(), SomeSettings(), 20001);
  container.ports = {{20001, 20001}, {22, 20000}, {2376, 0}};
  const Observation machine = ObservationOf(container, ParseEndpoint("tcp://[fd00::1]").value());
  EXPECT_EQ(machine.endpoint().ssh_host(), "fd00::1");
  EXPECT_EQ(machine.endpoint().ssh_port(), 20000);
  EXPECT_EQ(machine.endpoint().docker_url(), "tcp://[fd00::1]:20001");
}

TEST(MachineContainerTest, AMachineThatIsDownHasNoEndpoint) {
  Container container = Running();
  container.status = "exited";
  container.addresses.clear();
  EXPECT_FALSE(ObservationOf(container, ParseEndpoint("unix:///x").value()).has_endpoint());
  EXPECT_FALSE(ObservationOf(container, ParseEndpoint("tcp://engine").value()).has_endpoint());
}

}  // namespace
}  // namespace machine::driver::docker
