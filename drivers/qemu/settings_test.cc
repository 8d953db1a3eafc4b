#include "drivers/qemu/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "drivers/qemu/qemu_driver.h"
#include "drivers/sdk/test_machine.h"

namespace machine::driver::qemu {
namespace {

using ::testing::HasSubstr;
using Values = std::vector<machine::v1::OptionValue>;

absl::StatusOr<Settings> Read(const Values& values) {
  const QemuDriver driver;
  absl::StatusOr<Options> options = MakeOptions(driver, values);
  if (!options.ok()) return options.status();
  return ReadSettings(*options);
}

machine::v1::OptionValue List(absl::string_view name, const std::string& value) {
  return Option(name, std::vector<std::string>{value});
}

TEST(SettingsTest, DefaultsAreASmallMachineOnForwardedPorts) {
  const absl::StatusOr<Settings> settings = Read({});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->image, "");
  EXPECT_EQ(settings->cpus, 2);
  EXPECT_EQ(settings->memory_mib, 1024);
  EXPECT_EQ(settings->disk_mib, 20000);
  EXPECT_EQ(settings->accelerator, "auto");
  EXPECT_EQ(settings->address, "127.0.0.1");
  EXPECT_EQ(settings->ssh_user, "machine");
  EXPECT_TRUE(settings->forwards_ports());
}

TEST(SettingsTest, ListsAreTakenApart) {
  const absl::StatusOr<Settings> settings =
      Read({List("qemu-forward", "8080:80"), List("qemu-share", "/srv/data:/data:ro")});
  ASSERT_TRUE(settings.ok()) << settings.status();
  ASSERT_EQ(settings->forwards.size(), 1U);
  EXPECT_EQ(settings->forwards[0].host, 8080);
  EXPECT_EQ(settings->forwards[0].guest, 80);
  ASSERT_EQ(settings->shares.size(), 1U);
  EXPECT_EQ(settings->shares[0].source, "/srv/data");
  EXPECT_EQ(settings->shares[0].target, "/data");
  EXPECT_TRUE(settings->shares[0].read_only);
}

struct RefusedCase {
  std::string label;
  Values values;
  std::string words;
};

class RefusedSettingsTest : public testing::TestWithParam<RefusedCase> {};

TEST_P(RefusedSettingsTest, AreRefusedNamingTheFlag) {
  const absl::Status status = Read(GetParam().values).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().words));
}

INSTANTIATE_TEST_SUITE_P(
    Rows, RefusedSettingsTest,
    testing::ValuesIn<RefusedCase>({
        {"ImageIsARelativePath", {Option("qemu-image", "a.qcow2")}, "--qemu-image"},
        {"ImageOverHttpIsUnchecked", {Option("qemu-image", "http://h/a.qcow2")}, "use https"},
        {"ChecksumOfAFile",
         {Option("qemu-image", "/a"), Option("qemu-image-checksum", "sha256:00")},
         "--qemu-image-checksum"},
        {"NoMemory", {Option("qemu-memory", 1)}, "--qemu-memory"},
        {"NoCpu", {Option("qemu-cpus", 0)}, "--qemu-cpus"},
        {"UnknownAccelerator", {Option("qemu-accelerator", "xen")}, "--qemu-accelerator"},
        {"UnknownFirmware", {Option("qemu-firmware", "coreboot")}, "--qemu-firmware"},
        {"BridgeWithAnOption", {Option("qemu-bridge", "br0,x=y")}, "--qemu-bridge"},
        {"BridgeAndTap", {Option("qemu-bridge", "br0"), Option("qemu-tap", "tap0")}, "exclude"},
        {"BridgeAndForwardedPort",
         {Option("qemu-bridge", "br0"), Option("qemu-ssh-port", 2222)},
         "no ports are forwarded"},
        {"TapAndForward", {Option("qemu-tap", "tap0"), List("qemu-forward", "1:2")}, "--qemu-tap"},
        {"AnyAddress", {Option("qemu-address", "0.0.0.0")}, "--qemu-address"},
        {"NoAddress", {Option("qemu-address", "localhost")}, "--qemu-address"},
        {"OnePortForTwo",
         {Option("qemu-ssh-port", 2222), Option("qemu-engine-port", 2222)},
         "given twice"},
        {"PortForwardedTwice",
         {Option("qemu-ssh-port", 2222), List("qemu-forward", "2222:80")},
         "given twice"},
        {"ForwardWithoutGuest", {List("qemu-forward", "8080")}, "--qemu-forward"},
        {"ForwardOutOfRange", {List("qemu-forward", "8080:70000")}, "--qemu-forward"},
        {"ShareOfARelativePath", {List("qemu-share", "a:/b")}, "--qemu-share"},
        {"ShareOnTheRoot", {List("qemu-share", "/a:/")}, "--qemu-share"},
        {"ShareWithABlank", {List("qemu-share", "/a b:/c")}, "--qemu-share"},
        {"RootAsUser", {Option("qemu-ssh-user", "root")}, "--qemu-ssh-user"},
        {"UserWithAColon", {Option("qemu-ssh-user", "a:b")}, "--qemu-ssh-user"},
    }),
    [](const auto& info) { return info.param.label; });

TEST(SettingsTest, WhatDiffersIsNamed) {
  const Settings made = *Read({Option("qemu-memory", 512)});
  EXPECT_TRUE(CheckSameSettings("uid", FixedSettings(made), made).ok());
  const Settings wanted = *Read({Option("qemu-memory", 256), Option("qemu-accelerator", "tcg")});
  const absl::Status status = CheckSameSettings("uid", FixedSettings(made), wanted);
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--qemu-memory was 512, asked for is 256"));
  EXPECT_EQ(CheckSameSettings("uid", "no json", made).code(), absl::StatusCode::kAlreadyExists);
}

TEST(SettingsTest, UserDataIsNotKeptInTheClear) {
  const Settings settings = *Read({Option("qemu-userdata-text", "#!/bin/sh\necho password")});
  EXPECT_THAT(FixedSettings(settings), ::testing::Not(HasSubstr("password")));
}

}  // namespace
}  // namespace machine::driver::qemu
