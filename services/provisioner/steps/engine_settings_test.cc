#include "services/provisioner/steps/engine_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "services/common/status/status.h"

namespace machine::provisioner {
namespace {

using ::provisioner::v1::ProvisionRequest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

using Value = decltype(DaemonSetting::value);

std::optional<Value> Find(const EngineSettings& settings, absl::string_view key) {
  for (const DaemonSetting& setting : settings.daemon_json) {
    if (setting.key == key) return setting.value;
  }
  return std::nullopt;
}

struct FlagCase {
  absl::string_view label;
  std::string flag;
  std::string key;  // Empty: goes to the command line.
  Value value;
};

class KnownFlagTest : public testing::TestWithParam<FlagCase> {};

TEST_P(KnownFlagTest, GoesWhereItBelongsWithItsType) {
  const FlagCase& c = GetParam();
  ProvisionRequest request;
  request.mutable_engine()->add_arbitrary_flags(c.flag);
  const absl::StatusOr<EngineSettings> settings = ReadEngineSettings(request);
  ASSERT_TRUE(settings.ok()) << settings.status();
  if (c.key.empty()) {
    EXPECT_THAT(settings->flags, ElementsAre(std::get<std::string>(c.value)));
  } else {
    EXPECT_EQ(Find(*settings, c.key), c.value);
    EXPECT_THAT(settings->flags, ElementsAre());
  }
}

INSTANTIATE_TEST_SUITE_P(
    Flags, KnownFlagTest,
    testing::ValuesIn<FlagCase>({
        {"ABoolWithAValue", "debug=true", "debug", true},
        {"ABoolWithout", "debug", "debug", true},
        {"ABoolThatIsFalse", "userland-proxy=false", "userland-proxy", false},
        {"ANumber", "mtu=1400", "mtu", int64_t{1400}},
        {"AText", "log-level=debug", "log-level", std::string("debug")},
        {"ATextWithEqualsSign", "bip=a=b", "bip", std::string("a=b")},
        {"AList", "dns=1.1.1.1", "dns", StringList{"1.1.1.1"}},
        {"AListByItsKey", "storage-opts=size=1G", "storage-opts", StringList{"size=1G"}},
        {"AMap", "log-opt=max-size=10m", "log-opts", StringMap{{"max-size", "10m"}}},
        {"WithDashes", "--icc=false", "icc", false},
        {"AnUnknownOne", "new-thing=a b", "", std::string("--new-thing=a b")},
        {"AnUnknownOneWithoutValue", "new-thing", "", std::string("--new-thing")},
    }),
    [](const auto& info) { return std::string(info.param.label); });

struct WrongCase {
  absl::string_view label;
  std::string flag;
  absl::string_view message;
};

class WrongFlagTest : public testing::TestWithParam<WrongCase> {};

TEST_P(WrongFlagTest, IsRefusedWithTheReason) {
  ProvisionRequest request;
  request.mutable_engine()->add_arbitrary_flags(GetParam().flag);
  const absl::Status status = ReadEngineSettings(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr(std::string(GetParam().message)));
}

INSTANTIATE_TEST_SUITE_P(Flags, WrongFlagTest,
                         testing::ValuesIn<WrongCase>({
                             {"BoolOfNoBool", "debug=maybe", "\"debug\" needs true or false"},
                             {"NumberOfNoNumber", "mtu=big", "\"mtu\" needs a number"},
                             {"TextWithoutValue", "bip", "\"bip\" needs a value"},
                             {"MapWithoutValue", "log-opt=x", "NAME=VALUE"},
                             {"NoName", "=x", "NAME=VALUE"},
                             {"NameWithBlank", "a b=x", "NAME=VALUE"},
                             {"TwoLines", "a=x\nExecStartPre=/bin/sh", "NAME=VALUE"},
                             {"OurOwn", "tlsverify=false", "set by the machine itself"},
                             {"AnotherConfiguration", "config-file=/x",
                              "set by the machine itself"},
                             {"ADeadStorageDriver", "storage-driver=aufs", "no longer exists"},
                         }),
                         [](const auto& info) { return std::string(info.param.label); });

TEST(EngineSettingsTest, TlsAndThePortAreAlwaysThere) {
  const absl::StatusOr<EngineSettings> settings = ReadEngineSettings(ProvisionRequest());
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(Find(*settings, "tlsverify"), Value(true));
  EXPECT_EQ(Find(*settings, "tlskey"), Value(std::string("/etc/docker/server-key.pem")));
  EXPECT_EQ(Find(*settings, "labels"), std::nullopt);
  EXPECT_EQ(Find(*settings, "storage-driver"), std::nullopt);
  EXPECT_THAT(settings->hosts, ElementsAre("tcp://0.0.0.0:2376"));
}

TEST(EngineSettingsTest, ListsOfOneKindAreOneSetting) {
  ProvisionRequest request;
  request.set_driver("generic");
  request.set_engine_port(4444);
  request.mutable_engine()->add_labels("a=1");
  request.mutable_engine()->add_arbitrary_flags("label=b=2");
  request.mutable_engine()->add_arbitrary_flags("label=a=1");
  request.mutable_engine()->add_arbitrary_flags("host=tcp://10.0.0.1:1");
  request.mutable_engine()->add_insecure_registries("r:5000");
  request.mutable_engine()->add_registry_mirrors("https://m");
  request.mutable_engine()->add_env("A=b c");
  request.mutable_engine()->set_storage_driver("overlay2");
  const absl::StatusOr<EngineSettings> settings = ReadEngineSettings(request);
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_THAT(std::get<StringList>(*Find(*settings, "labels")),
              UnorderedElementsAre("a=1", "b=2", "provider=generic"));
  EXPECT_EQ(Find(*settings, "insecure-registries"), Value(StringList{"r:5000"}));
  EXPECT_EQ(Find(*settings, "registry-mirrors"), Value(StringList{"https://m"}));
  EXPECT_EQ(Find(*settings, "storage-driver"), Value(std::string("overlay2")));
  EXPECT_THAT(settings->env, ElementsAre("A=b c"));
  EXPECT_THAT(settings->hosts, ElementsAre("tcp://0.0.0.0:4444", "tcp://10.0.0.1:1"));
}

TEST(EngineSettingsTest, OtherFieldsAreChecked) {
  ProvisionRequest storage;
  storage.mutable_engine()->set_storage_driver("devicemapper");
  EXPECT_THAT(std::string(ReadEngineSettings(storage).status().message()),
              HasSubstr("\"devicemapper\" no longer exists"));
  ProvisionRequest mirror;
  mirror.mutable_engine()->add_registry_mirrors("m");
  EXPECT_FALSE(ReadEngineSettings(mirror).ok());
  ProvisionRequest env;
  env.mutable_engine()->add_env("A=b\nExecStart=x");
  EXPECT_FALSE(ReadEngineSettings(env).ok());
  for (const char* const text : {"", "front", "=x", "a=b\nc"}) {
    ProvisionRequest label;
    label.mutable_engine()->add_labels(text);
    EXPECT_FALSE(ReadEngineSettings(label).ok()) << text;
  }
  ProvisionRequest port;
  port.set_engine_port(70000);
  EXPECT_FALSE(ReadEngineSettings(port).ok());
}

}  // namespace
}  // namespace machine::provisioner
