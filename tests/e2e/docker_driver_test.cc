// The whole life of a machine of the `docker` driver, and what is said of it when somebody meddles
// with its container.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/e2e/bed.h"
#include "tests/e2e/docker_machine.h"
#include "tests/integration/world.h"

namespace machine::tests {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Far more than it takes until a command looks at the container again.
constexpr absl::Duration kLimit = absl::Minutes(1);
constexpr int kExitGone = 4;

class DockerDriverTest : public WorldTest {
 protected:
  void SetUp() override {
    if (!Bed::Ready()) GTEST_SKIP() << kNoBed;
    box_.emplace(bed_);
    const Outcome created = Run(box_->CreateLine());
    ASSERT_EQ(created.exit_code, 0) << created;
    ASSERT_THAT(box_->Containers(), SizeIs(1));
  }

  // docker-machine `verb` for the machine.
  Outcome Do(absl::string_view verb) const { return Run(absl::StrCat(verb, " ", box_->name())); }

  // docker with the words of `docker-machine config`, as the shell puts them together.
  Outcome Docker(absl::string_view words) const {
    return Shell(absl::StrCat("docker $(docker-machine config ", box_->name(), ") ", words));
  }

  Outcome Shell(const std::string& script) const {
    return world_.RunOther({"bash", "-euc", script});
  }

  void ExpectRunning() const {
    EXPECT_EQ(Do("status").out, "Running\n");
    const Outcome info = Docker("version -f {{.Client.Version}}");
    EXPECT_EQ(info.exit_code, 0) << info;
    EXPECT_EQ(Run(absl::StrCat("ssh ", box_->name(), " hostname")).out, box_->name() + "\n");
  }

  // No command lets a machine in this state be used.
  void ExpectOutOfUse(absl::string_view state) const {
    EXPECT_EQ(Do("status").out, absl::StrCat(state, "\n"));
    EXPECT_EQ(Run("ls -f {{.State}}").out, absl::StrCat(state, "\n"));
    ExpectRefused("env", "Error checking TLS connection: Host is not running\n");
    ExpectRefused("config", "Error running connection boilerplate: Host is not running\n");
    ExpectRefused("ssh", absl::StrCat("Error: Cannot run SSH command: Host \"", box_->name(),
                                      "\" is not running\n"));
  }

  void ExpectStopped() const {
    ExpectOutOfUse("Stopped");
    ExpectRefused("url", "Host is not running\n");
    ExpectRefused("ip", "Error getting IP address: Host is not running\n");
  }

  void ExpectRefused(absl::string_view verb, absl::string_view error) const {
    const Outcome refused = Do(verb);
    EXPECT_EQ(refused.exit_code, 1) << verb;
    EXPECT_EQ(refused.out, "") << verb;
    EXPECT_EQ(refused.err, error) << verb;
  }

  Bed bed_;
  std::optional<DockerMachine> box_;
};

TEST_F(DockerDriverTest, MachineLivesItsWholeLife) {
  ExpectRunning();
  const Outcome imported =
      Shell(absl::StrCat(getenv("MACHINE_BED_SCRIPTS"), "/busybox.sh import busybox:test ",
                         "$(docker-machine config ", box_->name(), ")"));
  ASSERT_EQ(imported.exit_code, 0) << imported;
  EXPECT_EQ(Docker("run --rm busybox:test echo hello").out, "hello\n");
  EXPECT_EQ(
      Docker("run -d --init --restart=always --name stays busybox:test sleep 100000").exit_code, 0);

  const Outcome stopped = Do("stop");
  EXPECT_EQ(stopped.exit_code, 0) << stopped;
  EXPECT_THAT(stopped.out, HasSubstr(absl::StrCat("Machine \"", box_->name(), "\" was stopped.")));
  ExpectStopped();
  EXPECT_EQ(Do("stop").exit_code, 1);

  EXPECT_EQ(Do("start").exit_code, 0);
  ExpectRunning();
  EXPECT_EQ(Docker("ps --format {{.Names}}").out, "stays\n");
  EXPECT_EQ(Do("start").exit_code, 1);

  EXPECT_EQ(Do("kill").exit_code, 0);
  ExpectStopped();
  EXPECT_EQ(Do("start").exit_code, 0);
  ExpectRunning();

  const std::string boot = absl::StrCat("ssh ", box_->name(), " cut -d ' ' -f 22 /proc/1/stat");
  const std::string before = Run(boot).out;
  const Outcome restarted = Do("restart");
  EXPECT_EQ(restarted.exit_code, 0) << restarted;
  EXPECT_NE(Run(boot).out, before);
  ExpectRunning();
  EXPECT_EQ(Docker("ps --format {{.Names}}").out, "stays\n");
  EXPECT_THAT(box_->Containers(), SizeIs(1));

  const Outcome removed = Do("rm -y");
  EXPECT_EQ(removed.exit_code, 0) << removed;
  EXPECT_EQ(Run("ls -q").out, "");
  EXPECT_THAT(box_->Containers(), IsEmpty());
  EXPECT_THAT(box_->Volumes(), IsEmpty());
}

TEST_F(DockerDriverTest, MachineThatWasPausedIsShownSoAndGoesOnByStart) {
  box_->DoBehindItsBack("pause");
  EXPECT_TRUE(Eventually(kLimit, [&] { return Do("status").out != "Running\n"; }));
  ExpectOutOfUse("Paused");
  const Outcome started = Do("start");
  EXPECT_EQ(started.exit_code, 0) << started;
  ExpectRunning();
  box_->DoBehindItsBack("pause");
  const Outcome stopped = Do("stop");
  EXPECT_EQ(stopped.exit_code, 0) << stopped;
  ExpectStopped();
  EXPECT_EQ(Do("rm -y").exit_code, 0);
  EXPECT_THAT(box_->Containers(), IsEmpty());
}

TEST_F(DockerDriverTest, MachineThatWasRemovedIsSaidToBeGone) {
  box_->DoBehindItsBack("rm -f");
  EXPECT_TRUE(Eventually(kLimit, [&] { return Do("status").exit_code != 0; }));
  EXPECT_EQ(Do("status").exit_code, kExitGone);
  for (const char* const verb : {"start", "stop", "restart", "kill"}) {
    const Outcome refused = Do(verb);
    EXPECT_EQ(refused.exit_code, 1) << verb;
    EXPECT_THAT(refused.err, HasSubstr(absl::StrCat("has no container of machine ", box_->name())))
        << verb;
  }
  EXPECT_EQ(Do("status").exit_code, kExitGone);
  EXPECT_EQ(Do("env").exit_code, 1);
  const Outcome removed = Do("rm -y");
  EXPECT_EQ(removed.exit_code, 0) << removed;
  EXPECT_EQ(Run("ls -q").out, "");
  EXPECT_THAT(box_->Volumes(), IsEmpty());
}

TEST_F(DockerDriverTest, CommandThatFindsTheMachineGoneIsBelievedAtOnce) {
  box_->DoBehindItsBack("rm -f");
  EXPECT_EQ(Do("restart").exit_code, 1);
  EXPECT_TRUE(Eventually(absl::Seconds(3), [&] { return Do("status").exit_code == kExitGone; }));
  EXPECT_EQ(Do("rm -y").exit_code, 0);
}

// What GitLab Runner's executor asks of a machine that it uses, provisions again, stops and
// removes; its many machines at once are in tests/integration.
TEST_F(DockerDriverTest, GitlabRunnerUsesAMachineUntilItRemovesIt) {
  world_.SetEnv("MACHINE_BUGSNAG_API_TOKEN", "no-report");
  const auto runner = [&](const std::string& line) {
    return Run(absl::StrCat("--bugsnag-api-token=no-report ", line));
  };
  const std::string& name = box_->name();
  EXPECT_EQ(runner("inspect " + name).exit_code, 0);
  EXPECT_EQ(runner("config " + name).exit_code, 0);
  EXPECT_EQ(runner("status " + name).out, "Running\n");
  const std::string ip = Line(runner("ip " + name).out);
  const std::string url = Line(runner("url " + name).out);
  EXPECT_EQ(url, absl::StrCat("tcp://", ip, ":2376"));
  const Outcome folder = runner("inspect " + name + " -f {{.HostOptions.AuthOptions.StorePath}}");
  EXPECT_EQ(folder.err, "");
  const std::string certs = Line(folder.out);
  EXPECT_EQ(certs, world_.machine_folder(name));
  const Outcome used = Shell(absl::StrCat("DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=", certs,
                                          " docker -H ", url, " version -f {{.Server.Os}}"));
  EXPECT_EQ(used.out, "linux\n") << used;

  EXPECT_EQ(runner("provision " + name).exit_code, 0);
  EXPECT_EQ(runner("stop " + name).exit_code, 0);
  const Outcome off = runner("config " + name);
  EXPECT_EQ(off.exit_code, 1);
  EXPECT_EQ(off.out, "");
  EXPECT_EQ(runner("rm -y " + name).exit_code, 0);
  EXPECT_NE(Shell(absl::StrCat("test -e ", certs)).exit_code, 0);
  EXPECT_NE(runner("inspect " + name).exit_code, 0);
  EXPECT_THAT(box_->Containers(), IsEmpty());
}

}  // namespace
}  // namespace machine::tests
