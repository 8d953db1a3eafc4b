#include "services/orchestrator/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "services/common/file/file.h"

namespace machine::orchestrator {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<Config> Read(std::vector<const char*> arguments, ShowText* show = nullptr) {
  setenv("HOME", "/home/user", 1);
  unsetenv("MACHINE_STORAGE_PATH");
  unsetenv("MACHINE_LIBEXEC");
  arguments.insert(arguments.begin(), "machine-orchestrator");
  ShowText unused;
  return ReadConfig(static_cast<int>(arguments.size()), arguments.data(),
                    show == nullptr ? unused : *show);
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
                             {"ShortLease", "--lease-time=10ms", "--lease-time"},
                             {"BadLevel", "--log-level=loud", "--log-level"},
                         }),
                         [](const auto& info) { return std::string(info.param.label); });

TEST(ConfigTest, APrivateOrchestratorSharesNoStore) {
  const auto config = Read({"--private", "--store=postgres://me@db/m"});
  EXPECT_THAT(std::string(config.status().message()), HasSubstr("--private"));
}

TEST(ConfigTest, HelpIsShownWithoutReadingOn) {
  ShowText show;
  ASSERT_TRUE(Read({"--help", "--colour=red"}, &show).ok());
  EXPECT_THAT(show.text, HasSubstr("Usage: machine-orchestrator"));
}

}  // namespace
}  // namespace machine::orchestrator
