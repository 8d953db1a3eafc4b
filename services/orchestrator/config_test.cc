#include "services/orchestrator/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_replace.h"
#include "services/common/file/file.h"

namespace machine::orchestrator {
namespace {

using ::testing::HasSubstr;

ConfigReader ReaderOf(std::vector<const char*> arguments) {
  setenv("HOME", "/home/user", 1);
  unsetenv("MACHINE_STORAGE_PATH");
  unsetenv("MACHINE_LIBEXEC");
  arguments.insert(arguments.begin(), "machine-orchestrator");
  return {static_cast<int>(arguments.size()), arguments.data()};
}

absl::StatusOr<Config> Read(std::vector<const char*> arguments) {
  return ReaderOf(std::move(arguments)).Read();
}

TEST(ConfigTest, ReadsBothFormsOfOptions) {
  const auto config = Read({"--storage-path=/a/", "--libexec-dir", "/b", "--private"});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->storage_path, "/a");
  EXPECT_EQ(config->libexec_dir, "/b");
  EXPECT_EQ(config->idle_exit, absl::Minutes(15));
  EXPECT_EQ(config->address(), "unix:/a/server/o.sock");
}

TEST(ConfigTest, AnIdleTimeThatWasGivenWins) {
  EXPECT_EQ(Read({"--private", "--idle-exit=0"})->idle_exit, absl::ZeroDuration());
  EXPECT_EQ(Read({"--storage-path=/a"})->idle_exit, absl::ZeroDuration());
}

TEST(ConfigTest, TheDatabaseIsGivenByOptionVariableOrFile) {
  EXPECT_FALSE(Read({})->store.has_value());
  EXPECT_EQ(Read({"--store=postgres://me@db/m"})->store->printable(), "postgres://me@db/m");
  setenv("MACHINE_STORE", "postgres://me:secret@db/env", 1);
  EXPECT_EQ(Read({})->store->printable(), "postgres://me@db/env");
  EXPECT_EQ(Read({})->store->parameters().at("password"), "secret");
  EXPECT_FALSE(Read({"--private"})->store.has_value());
  unsetenv("MACHINE_STORE");
  const std::string path = std::string(std::getenv("TEST_TMPDIR")) + "/url";
  ASSERT_TRUE(common::WriteFileAtomically(path, "postgres://me:secret@db/file\n", 0600).ok());
  EXPECT_EQ(Read({"--store-file", path.c_str()})->store->printable(), "postgres://me@db/file");
  ASSERT_EQ(chmod(path.c_str(), 0644), 0);
  EXPECT_THAT(std::string(Read({"--store-file", path.c_str()}).status().message()),
              HasSubstr("chmod 600 " + path));
}

TEST(ConfigTest, ThePasswordMayBeInTheEnvironment) {
  setenv("PGPASSWORD", "secret", 1);
  EXPECT_EQ(Read({"--store=postgres://me@db/m"})->store->parameters().at("password"), "secret");
  unsetenv("PGPASSWORD");
  EXPECT_FALSE(Read({"--store=postgres://me@db/m"})->store->has_password());
}

TEST(ConfigTest, MetricsForOthersAreKnownAsSuch) {
  EXPECT_FALSE(Read({})->metrics_are_public());
  EXPECT_FALSE(Read({"--metrics-address=127.0.0.1:7678"})->metrics_are_public());
  EXPECT_FALSE(Read({"--metrics-address=[::1]:7678"})->metrics_are_public());
  EXPECT_TRUE(Read({"--metrics-address=0.0.0.0:7678"})->metrics_are_public());
}

TEST(ConfigTest, TwoLongPathsGetSocketsOfTheirOwn) {
  const std::string deep(120, 'x');
  const auto one = Read({("--storage-path=/" + deep).c_str()});
  const auto two = Read({("--storage-path=/y" + deep).c_str()});
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_LE(one->runtime_dir().size() + sizeof("/vmwarevcloudair.sock"), 107U);
  EXPECT_NE(one->runtime_dir(), two->runtime_dir());
}

struct BadCase {
  const char* label;
  const char* argument;
  const char* named;
};
class BadConfigTest : public testing::TestWithParam<BadCase> {};
TEST_P(BadConfigTest, NamesTheOption) {
  const auto config = Read({GetParam().argument});
  EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(config.status().message()), HasSubstr(GetParam().named));
}
INSTANTIATE_TEST_SUITE_P(Arguments, BadConfigTest,
                         testing::ValuesIn<BadCase>({
                             {"Unknown", "--colour=red", "--colour"},
                             {"MissingValue", "--storage-path", "--storage-path"},
                             {"BadDuration", "--idle-exit=soon", "--idle-exit"},
                             {"NegativeDuration", "--idle-exit=-1s", "--idle-exit"},
                             {"NoUrl", "--store=store.db", "--store"},
                             {"PasswordInArgv", "--store=postgres://me:secret@db/m", "PGPASSFILE"},
                             {"NoStoreFile", "--store-file=/nowhere", "--store-file"},
                             {"HalfAProvisioner", "--provisioner=h:1", "--provisioner-ca"},
                             {"ShortLease", "--lease-time=10ms", "--lease-time"},
                             {"NoMetricsPort", "--metrics-address=0.0.0.0", "--metrics-address"},
                             {"BadLevel", "--log-level=loud", "--log-level"},
                         }),
                         [](const auto& info) { return std::string(info.param.label); });

TEST(ConfigTest, APrivateOrchestratorSharesNoStore) {
  const auto config = Read({"--private", "--store=postgres://me@db/m"});
  EXPECT_THAT(std::string(config.status().message()), HasSubstr("--private"));
}

TEST(ConfigTest, HelpIsShownWhateverElseIsSaid) {
  EXPECT_THAT(ReaderOf({"--help", "--colour=red"}).Text(),
              HasSubstr("Usage: machine-orchestrator"));
}

TEST(ConfigTest, TheSampleIsTheTableAndGoodWithEveryLineOn) {
  const absl::StatusOr<std::string> sample = common::ReadFile("deploy/config/orchestrator.yaml");
  ASSERT_TRUE(sample.ok()) << sample.status();
  EXPECT_EQ(*sample, ReaderOf({"--sample-config"}).Text())
      << "run: machine-orchestrator --sample-config >deploy/config/orchestrator.yaml";
  std::string all_on = absl::StrReplaceAll(*sample, {{"\n# ", "\n# "}, {"\n#", "\n"}});
  // These exclude others, or need a file of this host.
  all_on = absl::StrReplaceAll(all_on, {{"\nprivate: true", ""}, {"\nstore-file: ", "\n# "}});
  const std::string path = std::string(std::getenv("TEST_TMPDIR")) + "/all.yaml";
  ASSERT_TRUE(common::WriteFileAtomically(path, all_on, 0600).ok());
  const auto config = Read({"--config", path.c_str()});
  ASSERT_TRUE(config.ok()) << config.status() << all_on;
  EXPECT_EQ(config->tls_names.size(), 2U);
  EXPECT_EQ(config->provisioner, "provisioner.example.org:7701");
  EXPECT_THAT(std::string(CheckFiles(*config).message()), HasSubstr("passphrase-file: /etc/"));
}

TEST(ConfigTest, AReloadSaysWhatWaitsForTheNextStart) {
  const std::string path = std::string(std::getenv("TEST_TMPDIR")) + "/live.yaml";
  ASSERT_TRUE(common::WriteFileAtomically(path, "log-level: info\n", 0600).ok());
  ConfigReader reader = ReaderOf({"--config", path.c_str()});
  ASSERT_TRUE(reader.Read().ok());
  ASSERT_TRUE(
      common::WriteFileAtomically(path, "log-level: debug\nlisten: 0.0.0.0:1\n", 0600).ok());
  EXPECT_EQ(reader.Read()->log_level, "debug");
  EXPECT_EQ(reader.waiting(), std::vector<std::string>{"listen"});
}

}  // namespace
}  // namespace machine::orchestrator
