// What a user sees of machines that are only an address, with the real programs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "services/common/file/file.h"
#include "tests/integration/listener.h"
#include "tests/integration/world.h"

namespace machine::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

constexpr absl::Duration kRefreshLimit = absl::Seconds(60);
constexpr char kHeader[] = "NAME   ACTIVE   DRIVER   STATE   URL   SWARM   DOCKER   ERRORS\n";

class NoneTest : public WorldTest {
 protected:
  // A machine that is reachable.
  void Create(const std::string& name) {
    const Outcome made = Run(absl::StrCat("create -d none --url=", engine_.url(), " ", name));
    ASSERT_EQ(made.exit_code, 0) << made;
  }

  Listener engine_;
};

TEST_F(NoneTest, CreateSaysWhatItDoesAndHowToGoOn) {
  const Outcome made = Run(absl::StrCat("create -d none --url=", engine_.url(), " dev"));
  EXPECT_EQ(made.exit_code, 0) << made;
  EXPECT_EQ(made.out,
            "Running pre-create checks...\n"
            "Creating machine...\n"
            "To see how to connect Docker to this machine, run: docker-machine env dev\n");
  EXPECT_EQ(made.err, "");
}

TEST_F(NoneTest, UrlAloneMeansThisDriver) {
  const Outcome made = Run(absl::StrCat("create --url=", engine_.url(), " dev"));
  EXPECT_EQ(made.exit_code, 0) << made;
  EXPECT_EQ(Run("inspect -f {{.DriverName}} dev").out, "none\n");
}

TEST_F(NoneTest, LsShowsTheStateOfAMachineThatHasJustBeenMade) {
  EXPECT_EQ(Run("ls").out, kHeader);
  Create("dev");
  const Outcome listed = Run("ls");
  EXPECT_EQ(listed.exit_code, 0);
  EXPECT_THAT(listed.out,
              MatchesRegex(absl::StrCat("NAME +ACTIVE +DRIVER +STATE +URL +SWARM +DOCKER +ERRORS\n"
                                        "dev +- +none +Running +",
                                        engine_.url(), " +Unknown *\n")));
  EXPECT_EQ(listed.err, "");
  EXPECT_EQ(Run("ls -q").out, "dev\n");
}

TEST_F(NoneTest, LsIsInNaturalOrderAndTakesFilters) {
  for (const char* const name : {"m10", "m2", "B1"}) Create(name);
  EXPECT_EQ(Run("ls -q").out, "B1\nm2\nm10\n");
  EXPECT_EQ(Run("ls -q --filter name=^m").out, "m2\nm10\n");
  EXPECT_EQ(Run("ls -q --filter driver=generic").out, "");
  EXPECT_EQ(Run("ls -q --filter state=running").out, "B1\nm2\nm10\n");
  EXPECT_EQ(Run("ls -f {{.Name}}={{.State}}").out, "B1=Running\nm2=Running\nm10=Running\n");
}

TEST_F(NoneTest, ReadingCommandsPrintOneLineAndNothingElse) {
  Create("dev");
  EXPECT_EQ(Run("url dev").out, engine_.url() + "\n");
  EXPECT_EQ(Run("ip dev").out, "127.0.0.1\n");
  EXPECT_EQ(Run("status dev").out, "Running\n");
  EXPECT_EQ(Run("inspect dev -f {{.HostOptions.AuthOptions.StorePath}}").out,
            world_.machine_folder("dev") + "\n");
  const Outcome active = world_.Run("active", {{"DOCKER_HOST", engine_.url()}});
  EXPECT_EQ(active.out, "dev\n") << active;
  EXPECT_EQ(Run("active").exit_code, 1);
  EXPECT_EQ(Run("active").err, "No active host found\n");
}

TEST_F(NoneTest, GlobalFlagOfGitLabRunnerIsAccepted) {
  Create("dev");
  const Outcome url = Run("--bugsnag-api-token=no-report url dev");
  EXPECT_EQ(url.exit_code, 0);
  EXPECT_EQ(url.out, engine_.url() + "\n");
  EXPECT_EQ(url.err, "");
}

TEST_F(NoneTest, EnvAndConfigOfAPlaintextEngineAskForNoTls) {
  Create("dev");
  const Outcome env = Run("env dev");
  EXPECT_EQ(env.exit_code, 0) << env;
  EXPECT_EQ(env.out, absl::StrCat("export DOCKER_HOST=\"", engine_.url(),
                                  "\"\n"
                                  "export DOCKER_MACHINE_NAME=\"dev\"\n"
                                  "# Run this command to configure your shell: \n"
                                  "# eval $(",
                                  world_.Path("prefix/bin/docker-machine"), " env dev)\n"));
  EXPECT_EQ(env.err, "");
  EXPECT_EQ(Run("config dev").out, absl::StrCat("-H=", engine_.url(), "\n"));
}

TEST_F(NoneTest, ShellThatEvaluatesEnvHasTheVariables) {
  Create("dev");
  const Outcome shell = world_.RunOther(
      {"bash", "-euc",
       "DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=/old; export DOCKER_TLS_VERIFY DOCKER_CERT_PATH\n"
       "eval \"$(docker-machine env dev)\"\n"
       "echo \"$DOCKER_HOST $DOCKER_MACHINE_NAME ${DOCKER_TLS_VERIFY-none}\"\n"
       "eval \"$(docker-machine env -u)\"\n"
       "echo \"${DOCKER_HOST-none} ${DOCKER_MACHINE_NAME-none}\""});
  EXPECT_EQ(shell.out, absl::StrCat(engine_.url(), " dev none\nnone none\n")) << shell;
}

TEST_F(NoneTest, AddressThatNobodyListensAtIsStopped) {
  Create("dev");
  engine_.Refuse();
  EXPECT_TRUE(Eventually(kRefreshLimit, [&] { return Run("status dev").out == "Stopped\n"; }));
  const Outcome env = Run("env dev");
  EXPECT_EQ(env.exit_code, 1);
  EXPECT_EQ(env.err, "Error checking TLS connection: Host is not running\n");
  EXPECT_EQ(env.out, "");
  EXPECT_EQ(Run("config dev").err, "Error running connection boilerplate: Host is not running\n");
}

TEST_F(NoneTest, WhatThisDriverCannotDoIsRefusedByName) {
  Create("dev");
  for (const char* const verb : {"kill", "restart", "provision", "stop"}) {
    const Outcome outcome = Run(absl::StrCat(verb, " dev"));
    EXPECT_EQ(outcome.exit_code, 1) << outcome;
    EXPECT_EQ(outcome.err, absl::StrCat("the none driver does not support ", verb, "\n"));
  }
  const Outcome start = Run("start dev");
  EXPECT_EQ(start.exit_code, 1);
  EXPECT_EQ(start.err, "Machine \"dev\" is already running.\n");
  EXPECT_EQ(Run("ssh dev true").exit_code, 1);
}

TEST_F(NoneTest, FolderOfAMachineIsKeptInStep) {
  Create("dev");
  const std::string folder = world_.machine_folder("dev");
  struct stat info = {};
  ASSERT_EQ(stat(folder.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0700u);
  ASSERT_EQ(stat((folder + "/key.pem").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  EXPECT_TRUE(fs::exists(folder + "/ca.pem"));
  EXPECT_TRUE(fs::exists(folder + "/cert.pem"));
  EXPECT_FALSE(fs::exists(folder + "/id_rsa"));
  const auto config = nlohmann::json::parse(common::ReadFile(folder + "/config.json").value());
  EXPECT_EQ(config["ConfigVersion"], 3);
  EXPECT_EQ(config["DriverName"], "none");
  EXPECT_EQ(config["Name"], "dev");
  EXPECT_EQ(config["Driver"]["URL"], engine_.url());

  EXPECT_EQ(Run("rm -y dev").exit_code, 0);
  EXPECT_FALSE(fs::exists(folder));
}

TEST_F(NoneTest, FolderOfAnotherProgramIsLeftAloneAndItsNameIsTaken) {
  const std::string folder = world_.machine_folder("dev");
  fs::create_directories(folder);
  ASSERT_TRUE(common::WriteFileAtomically(folder + "/config.json", "{}", 0600).ok());
  const Outcome made = Run(absl::StrCat("create -d none --url=", engine_.url(), " dev"));
  EXPECT_EQ(made.exit_code, 1);
  EXPECT_EQ(common::ReadFile(folder + "/config.json").value(), "{}");
  EXPECT_EQ(Run("ls -q").out, "");
}

TEST_F(NoneTest, RmAsksFirst) {
  Create("dev");
  const Outcome refused = world_.RunWords({"rm", "dev"}, "n\n");
  EXPECT_EQ(refused.exit_code, 0);
  EXPECT_THAT(refused.out, HasSubstr("Are you sure? (y/n): "));
  EXPECT_EQ(world_.RunWords({"rm", "dev"}).exit_code, 0);  // End of input means no.
  EXPECT_EQ(Run("ls -q").out, "dev\n");

  const Outcome removed = world_.RunWords({"rm", "dev"}, "y\n");
  EXPECT_EQ(removed.exit_code, 0);
  EXPECT_THAT(removed.out, HasSubstr("About to remove dev\n"
                                     "WARNING: This action will delete both local reference and "
                                     "remote instance.\n"));
  EXPECT_THAT(removed.out, HasSubstr("Successfully removed dev\n"));
  EXPECT_EQ(Run("ls").out, kHeader);
}

TEST_F(NoneTest, RmOfSeveralRemovesWhatThereIsAndNamesTheRest) {
  Create("a");
  Create("b");
  const Outcome removed = Run("rm -y a nope b");
  EXPECT_EQ(removed.exit_code, 1);
  EXPECT_EQ(removed.err,
            "Error removing host \"nope\": Docker machine \"nope\" does not exist. Use "
            "\"docker-machine ls\" to list machines. Use \"docker-machine create\" to add a new "
            "one.\n");
  EXPECT_EQ(Run("ls -q").out, "");
  EXPECT_EQ(Run("rm -f nope").exit_code, 0);
}

TEST_F(NoneTest, TwoStoragePathsAreTwoWorlds) {
  Create("dev");
  World other;
  EXPECT_EQ(other.Run("ls -q").out, "");
  EXPECT_EQ(other.Run(absl::StrCat("create -d none --url=", engine_.url(), " dev")).exit_code, 0);
  EXPECT_EQ(other.Run("rm -y dev").exit_code, 0);
  EXPECT_EQ(Run("ls -q").out, "dev\n");
  other.End();
}

}  // namespace
}  // namespace machine::tests
