#include "drivers/virtualbox/outputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace machine::driver::virtualbox {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

struct VersionCase {
  std::string text;
  int major;
  int minor;
};

class VersionTest : public testing::TestWithParam<VersionCase> {};

TEST_P(VersionTest, IsRead) {
  const absl::StatusOr<Version> version = ParseVersion(GetParam().text);
  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_EQ(version->major, GetParam().major);
  EXPECT_EQ(version->minor, GetParam().minor);
}

INSTANTIATE_TEST_SUITE_P(
    All, VersionTest,
    testing::Values(VersionCase{"7.2.0r170228\n", 7, 2},
                    VersionCase{"6.1.50_Ubuntur161033\n", 6, 1},
                    VersionCase{"7.1.0_BETA1r164257\r\n", 7, 1},
                    VersionCase{"WARNING: The vboxdrv kernel module is not loaded. Either there is "
                                "no module\n\t available for the current kernel (6.1.0-18-amd64) "
                                "or it failed to\n\t load.\n7.0.14r161095\n",
                                7, 0}));

TEST(OutputsTest, NoVersionIsAnError) {
  for (const char* const text : {"", "WARNING: none\n", "7", "7.", "7.x.1", "seven.2.0"}) {
    EXPECT_FALSE(ParseVersion(text).ok()) << text;
  }
}

TEST(OutputsTest, MachineReadableLinesAreRead) {
  const Fields fields = ParseMachineReadable(
      "WARNING: x = y\n"
      "name=\"dev\"\n"
      "memory=1024\n"
      "\"SATA-0-0\"=\"/srv/a b/disk.vdi\"\n"
      "VMState=\"poweroff\"\r\n"
      "description=\"two\nlines = here\"\n"
      "Forwarding(0)=\"ssh,tcp,127.0.0.1,2222,,22\"\n"
      "name=\"another\"\n");
  EXPECT_EQ(FieldOf(fields, "name"), "dev");
  EXPECT_EQ(FieldOf(fields, "memory"), "1024");
  EXPECT_EQ(FieldOf(fields, "SATA-0-0"), "/srv/a b/disk.vdi");
  EXPECT_EQ(FieldOf(fields, "VMState"), "poweroff");
  EXPECT_EQ(FieldOf(fields, "description"), "two\nlines = here");
  EXPECT_EQ(FieldOf(fields, "Forwarding(0)"), "ssh,tcp,127.0.0.1,2222,,22");
  EXPECT_EQ(FieldOf(fields, "nothing"), "");
}

TEST(OutputsTest, QuotesAreReadAsEachVersionWritesThem) {
  EXPECT_EQ(FieldOf(ParseMachineReadable("d=\"say \\\"hi\\\" \\\\ there\"\n"), "d"),
            "say \"hi\" \\ there");
  EXPECT_EQ(FieldOf(ParseMachineReadable("d=\"say \"hi\" there\"\ne=\"1\"\n"), "d"),
            "say \"hi\" there");
  EXPECT_EQ(FieldOf(ParseMachineReadable("d=\"C:\\Users\\me\"\n"), "d"), "C:\\Users\\me");
}

TEST(OutputsTest, AnUnclosedValueTakesNoOtherLines) {
  const Fields fields = ParseMachineReadable("d=\"open\nVMState=running\n");
  EXPECT_EQ(FieldOf(fields, "d"), "open");
  EXPECT_EQ(FieldOf(fields, "VMState"), "running");
}

TEST(OutputsTest, GroupsAreRead) {
  const std::vector<Fields> groups = ParseGroups(
      "Name:            vboxnet0\nIPAddress:       192.168.59.1\nIPV6Address:     fe80::1\n\n\n"
      "Name:            vboxnet1\nGlobal Configuration:\n    minLeaseTime:     default\n");
  ASSERT_THAT(groups, SizeIs(2));
  EXPECT_EQ(FieldOf(groups[0], "IPAddress"), "192.168.59.1");
  EXPECT_EQ(FieldOf(groups[0], "IPV6Address"), "fe80::1");
  EXPECT_EQ(FieldOf(groups[1], "Name"), "vboxnet1");
  EXPECT_EQ(groups[1].count("minLeaseTime"), 0U);
}

TEST(OutputsTest, MachinesAreListed) {
  const std::vector<ListedVm> vms = ParseVmList(
      "WARNING: none\n\"a \"b\" {c}\" {2D5F7AD8-3A2F-4F6E-9D51-0D1C5D3A9B01}\n"
      "\"<inaccessible>\" {2d5f7ad8-3a2f-4f6e-9d51-0d1c5d3a9b02}\n");
  ASSERT_THAT(vms, SizeIs(2));
  EXPECT_EQ(vms[0].name, "a \"b\" {c}");
  EXPECT_EQ(vms[0].uuid, "2d5f7ad8-3a2f-4f6e-9d51-0d1c5d3a9b01");
}

TEST(OutputsTest, PortsAndValuesAreFound) {
  EXPECT_THAT(NumbersAfter("host port = 2222, guest port = 22\nhost port = x, host port = 80",
                           "host port = "),
              ElementsAre(80, 2222));
  EXPECT_EQ(ParseValue("WARNING\nValue: {\"a\": 1}\n"), "{\"a\": 1}");
  EXPECT_EQ(ParseValue("No value set!\n"), "");
}

}  // namespace
}  // namespace machine::driver::virtualbox
