#include "drivers/virtualbox/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/sdk/test_machine.h"
#include "drivers/virtualbox/virtualbox_driver.h"

namespace machine::driver::virtualbox {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;
using Values = std::vector<machine::v1::OptionValue>;

absl::StatusOr<Settings> Read(const Values& values) {
  const VirtualboxDriver driver;
  absl::StatusOr<Options> options = MakeOptions(driver, values);
  if (!options.ok()) return options.status();
  return ReadSettings(*options);
}

machine::v1::OptionValue List(absl::string_view name, const std::string& value) {
  return Option(name, std::vector<std::string>{value});
}

TEST(SettingsTest, DefaultsAreASmallMachineOnTheHostOnlyNetwork) {
  const absl::StatusOr<Settings> settings = Read({});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->memory_mib, 1024);
  EXPECT_EQ(settings->cpus, 1);
  EXPECT_EQ(settings->disk_mib, 20000);
  EXPECT_TRUE(settings->host_only);
  EXPECT_EQ(settings->range.host, "192.168.59.1");
  EXPECT_EQ(settings->range.netmask, "255.255.255.0");
  EXPECT_EQ(settings->range.dhcp, "192.168.59.2");
  EXPECT_EQ(settings->range.lower, "192.168.59.102");
  EXPECT_EQ(settings->range.upper, "192.168.59.254");
  EXPECT_EQ(settings->nat_address, "127.0.0.1");
  EXPECT_EQ(settings->ssh_user(), "machine");
  EXPECT_TRUE(settings->dns_proxy);
  EXPECT_THAT(settings->guest.image.url, HasSubstr(".vmdk"));
  EXPECT_THAT(settings->guest.image.checksum, HasSubstr("SHA256SUMS"));
}

TEST(SettingsTest, AnotherHostHasNatPortsAtAllItsAddresses) {
  const absl::StatusOr<Settings> settings = Read({Option("virtualbox-host", "ssh://me@box:2222"),
                                                  SecretOption("virtualbox-host-key-text", "key")});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_FALSE(settings->host_only);
  EXPECT_EQ(settings->nat_address, "");
  EXPECT_EQ(settings->host.private_key, "key");
  EXPECT_THAT(FixedSettings(*settings), ::testing::Not(HasSubstr("key-text")));
}

TEST(SettingsTest, Boot2dockerHasItsOwnAccount) {
  const absl::StatusOr<Settings> settings =
      Read({Option("virtualbox-boot2docker-url", "file:///srv/boot2docker.iso")});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->ssh_user(), "docker");
}

TEST(SettingsTest, SharesAreReadInBothForms) {
  const absl::StatusOr<Settings> settings = Read(
      {Option("virtualbox-share-folder", std::vector<std::string>{"/srv/a:data", "/srv/b:/b:ro"})});
  ASSERT_TRUE(settings.ok()) << settings.status();
  ASSERT_THAT(settings->shares, SizeIs(2));
  EXPECT_EQ(settings->shares[0].target, "/data");
  EXPECT_TRUE(settings->shares[1].read_only);
}

struct RefusedCase {
  std::string label;
  Values values;
  std::string words;
};

class RefusedTest : public testing::TestWithParam<RefusedCase> {};

TEST_P(RefusedTest, NamesTheFlag) {
  const absl::StatusOr<Settings> settings = Read(GetParam().values);
  EXPECT_EQ(settings.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(settings.status().message(), HasSubstr(GetParam().words));
}

INSTANTIATE_TEST_SUITE_P(
    All, RefusedTest,
    testing::Values(
        RefusedCase{"Import",
                    {Option("virtualbox-import-boot2docker-vm", "boot2docker-vm")},
                    "make a new machine from --virtualbox-image"},
        RefusedCase{"NoCpu", {Option("virtualbox-cpu-count", 0)}, "-1 for all"},
        RefusedCase{"TooManyCpus", {Option("virtualbox-cpu-count", 65)}, "virtualbox-cpu-count"},
        RefusedCase{"LittleMemory", {Option("virtualbox-memory", 4)}, "virtualbox-memory"},
        RefusedCase{"Cidr", {Option("virtualbox-hostonly-cidr", "192.168.59.1")}, "prefix"},
        RefusedCase{
            "CidrNetwork", {Option("virtualbox-hostonly-cidr", "192.168.59.0/24")}, "one of"},
        RefusedCase{
            "CidrLast", {Option("virtualbox-hostonly-cidr", "192.168.59.254/24")}, "one of"},
        RefusedCase{"CidrSmall", {Option("virtualbox-hostonly-cidr", "192.168.59.1/30")}, "prefix"},
        RefusedCase{"Network", {Option("virtualbox-network", "bridged")}, "virtualbox-network"},
        RefusedCase{"NatAddress", {Option("virtualbox-nat-address", "box")}, "IPv4"},
        RefusedCase{"Image", {Option("virtualbox-image", "image.vmdk")}, "absolute path"},
        RefusedCase{"Http", {Option("virtualbox-image", "http://a/b.vmdk")}, "https"},
        RefusedCase{"Iso", {Option("virtualbox-boot2docker-url", "boot2docker.iso")}, "URL"},
        RefusedCase{
            "IsoAndImage",
            {Option("virtualbox-boot2docker-url", "/a.iso"), Option("virtualbox-image", "/a.vmdk")},
            "exclude each other"},
        RefusedCase{"Share", {List("virtualbox-share-folder", "data")}, "/source:/target"},
        RefusedCase{
            "ShareAndNone",
            {List("virtualbox-share-folder", "/a:/b"), BoolOption("virtualbox-no-share", true)},
            "exclude each other"},
        RefusedCase{"Nic", {Option("virtualbox-nat-nictype", "ne2000")}, "virtualbox-nat-nictype"},
        RefusedCase{"Ui", {Option("virtualbox-ui-type", "vnc")}, "virtualbox-ui-type"},
        RefusedCase{"User", {Option("virtualbox-ssh-user", "root")}, "sudo"},
        RefusedCase{"Host", {Option("virtualbox-host", "box")}, "ssh://USER@HOST"},
        RefusedCase{"KeyWithoutHost",
                    {SecretOption("virtualbox-host-key-text", "key")},
                    "--virtualbox-host names"}),
    [](const auto& tested) { return tested.param.label; });

}  // namespace
}  // namespace machine::driver::virtualbox
