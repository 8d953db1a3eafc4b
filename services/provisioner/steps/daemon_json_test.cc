#include "services/provisioner/steps/daemon_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "services/common/status/status.h"

namespace machine::provisioner {
namespace {

using ::nlohmann::json;

struct MergeCase {
  absl::string_view label;
  std::optional<std::string> existing;
  DaemonSetting setting;
  std::string merged;
  bool changed;
  int warnings;
};

class MergeTest : public testing::TestWithParam<MergeCase> {};

TEST_P(MergeTest, KeepsWhatIsOthersAndSetsWhatIsOurs) {
  const MergeCase& c = GetParam();
  EngineSettings settings;
  settings.daemon_json.push_back(c.setting);
  const absl::StatusOr<MergedDaemonJson> got = MergeDaemonJson(c.existing, settings);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(json::parse(got->text), json::parse(c.merged)) << got->text;
  EXPECT_EQ(got->changed, c.changed);
  EXPECT_EQ(got->warnings.size(), c.warnings);
  if (!c.changed) {
    EXPECT_EQ(got->text, c.existing);
  }
}

const DaemonSetting kDebug{"debug", "debug", true};
const DaemonSetting kLabels{"labels", "label", StringList{"a=1", "provider=x"}};
const DaemonSetting kLogOpts{"log-opts", "log-opt", StringMap{{"max-size", "1m"}}};
const DaemonSetting kMtu{"mtu", "mtu", int64_t{1400}};

INSTANTIATE_TEST_SUITE_P(
    Cases, MergeTest,
    testing::ValuesIn<MergeCase>({
        {"NoFile", std::nullopt, kDebug, R"({"debug":true})", true, 0},
        {"AnEmptyFile", " \n", kDebug, R"({"debug":true})", true, 0},
        {"AnEmptyObject", "{}", kDebug, R"({"debug":true})", true, 0},
        {"OthersStay", R"({"bip":"1/24"})", kDebug, R"({"bip":"1/24","debug":true})", true, 0},
        {"SameValue", "{ \"debug\" :true }\n", kDebug, R"({"debug":true})", false, 0},
        {"OtherValue", R"({"debug":false})", kDebug, R"({"debug":true})", true, 1},
        {"OtherType", R"({"debug":"no"})", kDebug, R"({"debug":true})", true, 1},
        {"ANumber", R"({"mtu":1400})", kMtu, R"({"mtu":1400})", false, 0},
        {"ListsAreUnited", R"({"labels":["b=2"]})", kLabels,
         R"({"labels":["b=2","a=1","provider=x"]})", true, 0},
        {"OneLabelHasOneValue", R"({"labels":["a=9","aa=9"]})", kLabels,
         R"({"labels":["aa=9","a=1","provider=x"]})", true, 0},
        {"TheSameList", R"({"labels":["provider=x","a=1"]})", kLabels,
         R"({"labels":["provider=x","a=1"]})", false, 0},
        {"AListThatIsNone", R"({"labels":"b"})", kLabels, R"({"labels":["a=1","provider=x"]})",
         true, 1},
        {"MapsAreUnited", R"({"log-opts":{"max-file":"3","max-size":"9m"}})", kLogOpts,
         R"({"log-opts":{"max-file":"3","max-size":"1m"}})", true, 0},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST(MergeDaemonJsonTest, TheOrderOfKeysIsKept) {
  EngineSettings settings;
  settings.daemon_json.push_back(kDebug);
  const auto got = MergeDaemonJson(R"({"z":1,"a":2})", settings);
  EXPECT_EQ(got->text, "{\n  \"z\": 1,\n  \"a\": 2,\n  \"debug\": true\n}\n");
}

TEST(MergeDaemonJsonTest, AFileThatListsHostsGetsOurs) {
  EngineSettings settings;
  settings.hosts = {"tcp://0.0.0.0:2376"};
  const auto with = MergeDaemonJson(R"({"hosts":["fd://"]})", settings);
  EXPECT_TRUE(with->lists_hosts);
  EXPECT_EQ(json::parse(with->text)["hosts"], json::parse(R"(["fd://","tcp://0.0.0.0:2376"])"));
  EXPECT_FALSE(MergeDaemonJson("{}", settings)->lists_hosts);
}

TEST(MergeDaemonJsonTest, WhatIsNoObjectIsRefused) {
  for (const char* text : {"{", "[]", "null", "{\"a\":1,}"}) {
    const absl::Status status = MergeDaemonJson(text, EngineSettings()).status();
    EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_HOST_COMMAND_FAILED) << text;
  }
}

TEST(DaemonJsonTest, ReadsSingleKeys) {
  EXPECT_EQ(StorageDriverIn(R"({"storage-driver":"vfs"})"), "vfs");
  EXPECT_EQ(StorageDriverIn("{"), "");
  EXPECT_EQ(StorageDriverIn(std::nullopt), "");
  EXPECT_TRUE(LiveRestoreIn(R"({"live-restore":true})"));
  EXPECT_FALSE(LiveRestoreIn(R"({"live-restore":false})"));
  EXPECT_FALSE(LiveRestoreIn(std::nullopt));
}

}  // namespace
}  // namespace machine::provisioner
