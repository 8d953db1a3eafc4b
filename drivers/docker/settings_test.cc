#include "drivers/docker/settings.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "drivers/sdk/test_machine.h"
#include "services/common/status/status.h"

namespace machine::driver::docker {
namespace {

using Values = std::vector<machine::v1::OptionValue>;

absl::StatusOr<Settings> Read(const Values& values) {
  DM_ASSIGN_OR_RETURN(const Options options,
                      DockerFlags().Complete("docker", values, Flags::Strictness::kCreate));
  return ReadSettings(options, "unix:///default.sock");
}

Values Remote() {
  return {Option("docker-endpoint", "tcp://engine.lan"), Option("docker-tls-ca-cert-pem", "a CA"),
          Option("docker-tls-cert-pem", "a certificate"), Option("docker-tls-key-pem", "a key")};
}

Values RemoteWithout(absl::string_view name) {
  Values values = Remote();
  values.erase(std::remove_if(values.begin(), values.end(),
                              [&](const auto& value) { return value.name() == name; }),
               values.end());
  return values;
}

TEST(SettingsTest, DefaultsMakeAMachineWithoutLimits) {
  const absl::StatusOr<Settings> settings = Read({});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->endpoint.ToString(), "unix:///default.sock");
  EXPECT_EQ(settings->image, "machine-host:bookworm");
  EXPECT_EQ(settings->memory_mib, 0);
  EXPECT_EQ(settings->nano_cpus, 0);
  EXPECT_EQ(settings->network, "bridge");
  EXPECT_EQ(settings->engine_port, 2376);
  EXPECT_EQ(settings->ssh_user, "root");
}

TEST(SettingsTest, EverythingGivenIsRead) {
  const absl::StatusOr<Settings> settings =
      Read({Option("docker-memory", 1024), Option("docker-cpus", "1.5"),
            Option("docker-volume", std::vector<std::string>{"/srv:/srv:ro", "cache:/cache"}),
            Option("docker-network", "lab"), Option("docker-ip", "10.1.2.3"),
            Option("docker-label", std::vector<std::string>{"a=b=c", "empty="})});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->memory_mib, 1024);
  EXPECT_EQ(settings->nano_cpus, 1'500'000'000);
  EXPECT_EQ(settings->volumes, (std::vector<std::string>{"/srv:/srv:ro", "cache:/cache"}));
  EXPECT_EQ(settings->ip, "10.1.2.3");
  using Pair = std::pair<std::string, std::string>;
  EXPECT_EQ(settings->labels, (std::vector<Pair>{{"a", "b=c"}, {"empty", ""}}));
}

TEST(SettingsTest, ARemoteEngineIsProvenByTls) {
  const absl::StatusOr<Settings> settings = Read(Remote());
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_TRUE(settings->endpoint.tls());
  EXPECT_EQ(settings->endpoint.cert_pem, "a certificate");
  EXPECT_EQ(settings->endpoint.key_pem, "a key");
  EXPECT_TRUE(Read({Option("docker-endpoint", "tcp://127.0.0.1:2375")}).ok());
}

struct BadCase {
  std::string label;
  Values options;
  std::string message;
};

class BadSettingsTest : public testing::TestWithParam<BadCase> {};

TEST_P(BadSettingsTest, TheFlagIsNamed) {
  const absl::Status status = Read(GetParam().options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_OPTION_OUT_OF_RANGE);
  EXPECT_TRUE(absl::StrContains(status.message(), GetParam().message)) << status;
}

INSTANTIATE_TEST_SUITE_P(
    Faults, BadSettingsTest,
    testing::ValuesIn<BadCase>({
        {"EndpointScheme", {Option("docker-endpoint", "ssh://x")}, "--docker-endpoint: "},
        {"NoCa", {Option("docker-endpoint", "tcp://engine.lan")}, "--docker-tls-ca-cert: "},
        {"NoCaBesideACertificate", RemoteWithout("docker-tls-ca-cert-pem"),
         "--docker-tls-ca-cert: "},
        {"NoKey", RemoteWithout("docker-tls-key-pem"), "--docker-tls-key: "},
        {"NoCertificate", RemoteWithout("docker-tls-cert-pem"), "--docker-tls-cert: "},
        {"TlsOnASocket", RemoteWithout("docker-endpoint"), "only a tcp:// endpoint"},
        {"TooLittleMemory", {Option("docker-memory", 5)}, "--docker-memory: "},
        {"NegativeMemory", {Option("docker-memory", -1)}, "--docker-memory: "},
        {"CpusInWords", {Option("docker-cpus", "two")}, "--docker-cpus: \"two\""},
        {"CpusNotANumber", {Option("docker-cpus", "nan")}, "--docker-cpus: "},
        {"NegativeCpus", {Option("docker-cpus", "-1")}, "--docker-cpus: "},
        {"EndlessCpus", {Option("docker-cpus", "inf")}, "--docker-cpus: "},
        {"VolumeWithoutTarget",
         {Option("docker-volume", std::vector<std::string>{"/srv"})},
         "--docker-volume: \"/srv\""},
        {"VolumeOverTheRoot",
         {Option("docker-volume", std::vector<std::string>{"/srv:/"})},
         "--docker-volume: "},
        {"VolumeMode",
         {Option("docker-volume", std::vector<std::string>{"/a:/b:z"})},
         "--docker-volume: "},
        {"HostNetwork", {Option("docker-network", "host")}, "--docker-network: \"host\""},
        {"IpInTheDefaultNetwork", {Option("docker-ip", "10.0.0.1")}, "--docker-ip: "},
        {"LabelWithoutKey",
         {Option("docker-label", std::vector<std::string>{"=v"})},
         "--docker-label: "},
        {"OwnLabel",
         {Option("docker-label", std::vector<std::string>{"org.machine.uid=x"})},
         "--docker-label: "},
        {"EnginePort", {Option("docker-engine-port", 0)}, "--docker-engine-port: "},
    }),
    [](const auto& info) { return info.param.label; });

}  // namespace
}  // namespace machine::driver::docker
