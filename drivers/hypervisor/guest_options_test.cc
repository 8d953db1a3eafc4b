#include "drivers/hypervisor/guest_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "drivers/hypervisor/disk_format.h"
#include "drivers/hypervisor/host_ports.h"

namespace machine::driver::hypervisor {
namespace {

using ::testing::HasSubstr;

TEST(GuestOptionsTest, DifferencesAreNamedByFlag) {
  EXPECT_TRUE(CheckSameSettings("x", R"({"a": 1, "b": "2"})", R"({"b": "2", "a": 1})").ok());
  const absl::Status differs = CheckSameSettings("x", R"({"a": 1})", R"({"a": 2, "c": []})");
  EXPECT_EQ(differs.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(differs.message(), HasSubstr("--a was 1, asked for is 2"));
  EXPECT_THAT(differs.message(), HasSubstr("--c is not known"));
  EXPECT_FALSE(CheckSameSettings("x", "no JSON", R"({"a": 2})").ok());
}

TEST(GuestOptionsTest, EachInterfaceHasItsOwnAddress) {
  const std::string first = MacAddress("08:00:27", "uid", 1);
  EXPECT_EQ(first.size(), 17U);
  EXPECT_EQ(first, MacAddress("08:00:27", "uid", 1));
  EXPECT_NE(first, MacAddress("08:00:27", "uid", 2));
  EXPECT_NE(first, MacAddress("08:00:27", "other", 1));
}

TEST(DiskFormatTest, IsToldBySignature) {
  const std::string vdi = std::string(64, 'x') + "\x7f\x10\xda\xbe";
  EXPECT_EQ(FormatName(FormatOf("QFI\xfb rest")), "qcow2");
  EXPECT_EQ(FormatName(FormatOf("KDMV")), "vmdk");
  EXPECT_EQ(FormatName(FormatOf("# Disk DescriptorFile\n")), "vmdk");
  EXPECT_EQ(FormatName(FormatOf(vdi)), "vdi");
  EXPECT_EQ(FormatName(FormatOf("conectix")), "vpc");
  EXPECT_EQ(FormatName(FormatOf("vhdxfile")), "vhdx");
  EXPECT_EQ(FormatName(FormatOf("")), "raw");
  EXPECT_EQ(FormatName(FormatOf(std::string(512, '\0'))), "raw");
}

TEST(HostPortsTest, TakenOnesArePassedOver) {
  const absl::StatusOr<int> first = ChooseThreePorts("uid", [](int) { return true; });
  ASSERT_TRUE(first.ok()) << first.status();
  const absl::StatusOr<int> next =
      ChooseThreePorts("uid", [&](int port) { return port != *first + 2; });
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_NE(*next, *first);
  EXPECT_EQ(ChooseThreePorts("uid", [](int) { return false; }).status().code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace machine::driver::hypervisor
