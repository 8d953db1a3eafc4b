#include "drivers/vmwarefusion/vmx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/vmwarefusion/leases.h"

namespace machine::driver::vmwarefusion {
namespace {

using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

TEST(VmxTest, ReadsWhatItWrites) {
  const Vmx vmx = {{"displayname", "say \"hi\" | there\n"}, {"memsize", "1024"}};
  const std::string text = WriteVmx(vmx);
  EXPECT_THAT(text, StartsWith(".encoding = \"UTF-8\"\n"));
  EXPECT_THAT(text, HasSubstr("displayname = \"say |22hi|22 |7C there|0A\"\n"));
  Vmx again = ParseVmx(text);
  again.erase(".encoding");
  EXPECT_EQ(again, vmx);
}

TEST(VmxTest, ReadsWhatVmwareHasAdded) {
  EXPECT_THAT(
      ParseVmx("#!/usr/bin/vmware\n.encoding = \"windows-1252\"\r\n\nno pair\n = \"x\"\n"
               "Ethernet0.GeneratedAddress = \"00:0c:29:01:02:03\"\nmemsize=512\nx = \"|\"\n"),
      UnorderedElementsAre(Pair(".encoding", "windows-1252"),
                           Pair("ethernet0.generatedaddress", "00:0c:29:01:02:03"),
                           Pair("memsize", "512"), Pair("x", "|")));
}

TEST(LeasesTest, TheLastLeaseOfVmwareCounts) {
  const char kText[] =
      "# All times in this file are in UTC (GMT).\n"
      "lease 192.168.203.128 {\n\tstarts 4 2026/11/26 12:00:00;\n\tends 4 2026/11/26 12:30:00;\n"
      "\thardware ethernet 00:50:56:01:02:03;\n\tclient-hostname \"dev\";\n}\n"
      "lease 192.168.203.129 {\n\thardware ethernet 00:50:56:01:02:04;\n}\n"
      "lease 192.168.203.130 {\n\thardware ethernet 00:50:56:01:02:03;\n}\n";
  EXPECT_EQ(LeasedAddress(kText, "00:50:56:01:02:03"), "192.168.203.130");
  EXPECT_EQ(LeasedAddress(kText, "00:50:56:01:02:04"), "192.168.203.129");
  EXPECT_EQ(LeasedAddress(kText, "00:50:56:01:02:05"), "");
}

TEST(LeasesTest, MacosLeavesOutZeros) {
  const char kText[] =
      "{\n\tname=dev\n\tip_address=192.168.64.3\n\thw_address=1,0:50:56:1:2:3\n"
      "\tidentifier=1,0:50:56:1:2:3\n\tlease=0x65\n}\n"
      "{\n\tip_address=nonsense\n\thw_address=1,0:50:56:1:2:4\n}\n";
  EXPECT_EQ(LeasedAddress(kText, "00:50:56:01:02:03"), "192.168.64.3");
  EXPECT_EQ(LeasedAddress(kText, "00:50:56:01:02:04"), "");
}

TEST(LeasesTest, HalfALeaseIsNone) {
  EXPECT_EQ(LeasedAddress("lease 10.0.0.1 {\n hardware ethernet 00:50:56:01:02:03;\n",
                          "00:50:56:01:02:03"),
            "");
  EXPECT_EQ(LeasedAddress("", ""), "");
}

}  // namespace
}  // namespace machine::driver::vmwarefusion
