// Swarms of both kinds on real hosts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/common/file/file.h"
#include "tests/e2e/bed.h"
#include "tests/integration/world.h"

namespace machine::tests {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::Duration kLimit = absl::Minutes(1);

class SwarmTest : public WorldTest {
 protected:
  void SetUp() override {
    if (!Bed::Ready()) GTEST_SKIP() << kNoBed;
    bed_ = std::make_unique<Bed>();
  }

  Outcome Create(const BareHost& host, absl::string_view name, absl::string_view options) const {
    return Run(absl::StrCat("create -d generic --generic-ip-address=", host.ip(),
                            " --generic-ssh-user=deb --generic-ssh-key=", bed_->key(), " ", options,
                            " ", name));
  }

  Outcome Shell(const std::string& script) const {
    return world_.RunOther({"bash", "-euc", script});
  }

  Outcome Docker(absl::string_view machine, absl::string_view words) const {
    return Shell(absl::StrCat("docker $(docker-machine config ", machine, ") ", words));
  }

  std::unique_ptr<Bed> bed_;
};

TEST_F(SwarmTest, TwoHostsAreOneSwarmOfTheEnginesOwn) {
  const BareHost first(*bed_, "e2e-swarm-one");
  const BareHost second(*bed_, "e2e-swarm-two");
  const Outcome alone = Create(second, "two", "--swarm-mode --swarm-discovery machine://one");
  EXPECT_EQ(alone.exit_code, 1);
  EXPECT_THAT(alone.err, HasSubstr("--swarm-discovery machine://one: there is no such machine"));
  EXPECT_EQ(Run("rm -y two").exit_code, 0);

  const Outcome begun = Create(first, "one", "--swarm-mode");
  ASSERT_EQ(begun.exit_code, 0) << begun;
  EXPECT_THAT(begun.out, HasSubstr("Docker is up and running!\nConfiguring swarm...\n"));
  const Outcome joined = Create(second, "two", "--swarm-mode --swarm-discovery machine://one");
  ASSERT_EQ(joined.exit_code, 0) << joined;

  EXPECT_TRUE(Eventually(kLimit, [&] {
    return Shell(
               "docker $(docker-machine config one) node ls -f role=worker "
               "--format '{{.Hostname}} {{.Status}}'; docker $(docker-machine config one) node "
               "ls -f role=manager --format '{{.Hostname}} {{.Status}} {{.ManagerStatus}}'")
               .out == "two Ready\none Ready Leader\n";
  }));
  EXPECT_EQ(Run("ls -f {{.Name}}={{.Swarm}}").out, "one=one (master)\ntwo=one\n");
  EXPECT_EQ(Run("ls -q --filter swarm=one").out, "one\ntwo\n");
  const Outcome env = Run("env --swarm one");
  EXPECT_EQ(env.exit_code, 1);
  EXPECT_THAT(env.err, HasSubstr("\"one\" is not a swarm master"));

  // Once more: nothing to do.
  EXPECT_EQ(Run("provision one two").exit_code, 0);
  EXPECT_EQ(Docker("one", "node ls -q | wc -l").out, "2\n");
  // Nobody can read how to join.
  const std::string token = Line(Docker("one", "swarm join-token -q worker").out);
  ASSERT_THAT(token, HasSubstr("SWMTKN-"));
  EXPECT_EQ(Shell(absl::StrCat("grep -rlF SWMTKN- ", world_.storage(), " || true")).out, "");

  // A machine that is removed leaves the swarm, and its manager forgets it.
  const Outcome removed = Run("rm -y two");
  EXPECT_EQ(removed.exit_code, 0) << removed;
  EXPECT_THAT(removed.out, HasSubstr("Leaving swarm...\nSuccessfully removed two\n"));
  EXPECT_EQ(removed.err, "");
  EXPECT_EQ(Docker("one", "node ls --format {{.Hostname}}").out, "one\n");
  EXPECT_EQ(second.Sh("docker info --format {{.Swarm.LocalNodeState}}"), "inactive");

  // One whose engine is silent is forgotten all the same, and nothing keeps it by force.
  ASSERT_EQ(Create(second, "two", "--swarm-mode --swarm-discovery machine://one").exit_code, 0);
  second.Sh("systemctl stop docker.socket docker.service");
  EXPECT_TRUE(Eventually(kLimit, [&] {
    return Docker("one", "node ls -f role=worker --format {{.Status}}").out == "Down\n";
  }));
  const Outcome forced = Run("rm -f two");
  EXPECT_EQ(forced.exit_code, 0) << forced;
  EXPECT_EQ(Docker("one", "node ls --format {{.Hostname}}").out, "one\n");
  // The last manager ends the swarm.
  EXPECT_EQ(Run("rm -y one").exit_code, 0);
  EXPECT_EQ(first.Sh("docker info --format {{.Swarm.LocalNodeState}}"), "inactive");
}

// There is no swarm image here, so one is made that says what it was told to do.
TEST_F(SwarmTest, StandaloneSwarmRunsItsImageWithTheOriginalsArguments) {
  const Outcome token = Run(
      "create -d none --url tcp://192.0.2.1:2376 --swarm --swarm-discovery token://1234 refused");
  EXPECT_EQ(token.exit_code, 3);
  EXPECT_THAT(token.err, HasSubstr("token:// needs a hosted service that no longer exists; use "
                                   "consul://, file:// or nodes://"));

  const BareHost host(*bed_, "e2e-standalone");
  const Outcome before = Create(host, "before", "");
  ASSERT_EQ(before.exit_code, 0) << before;
  const Outcome imported =
      Shell(absl::StrCat(getenv("MACHINE_BED_SCRIPTS"),
                         "/busybox.sh | docker $(docker-machine config before) import -c "
                         "'ENTRYPOINT [\"/bin/sh\", \"-c\", \"echo $0 $@; httpd -p 3377 -h /; trap "
                         "exit TERM; sleep 100000 & wait\"]' "
                         "- swarm:test"));
  ASSERT_EQ(imported.exit_code, 0) << imported;
  ASSERT_EQ(Run("rm -y before").exit_code, 0);

  const Outcome created =
      Create(host, "boss",
             "--swarm --swarm-master --swarm-image swarm:test --swarm-discovery "
             "consul://10.9.8.7:8500/v1 --swarm-strategy binpack --swarm-opt heartbeat=5s "
             "--swarm-join-opt ttl=60s --swarm-host tcp://0.0.0.0:3377");
  ASSERT_EQ(created.exit_code, 0) << created;
  EXPECT_THAT(created.out, HasSubstr("Configuring swarm...\n"));
  EXPECT_TRUE(Eventually(kLimit, [&] {
    return Docker("boss", "logs swarm-agent-master").out != "" &&
           Docker("boss", "logs swarm-agent").out != "";
  }));
  EXPECT_EQ(Docker("boss", "logs swarm-agent-master").out,
            absl::StrCat("manage --tlsverify --tlscacert=/etc/docker/ca.pem "
                         "--tlscert=/etc/docker/server.pem --tlskey=/etc/docker/server-key.pem -H "
                         "tcp://0.0.0.0:3377 --strategy binpack --advertise ",
                         host.ip(), ":3377 --heartbeat=5s consul://10.9.8.7:8500/v1\n"));
  EXPECT_EQ(
      Docker("boss", "logs swarm-agent").out,
      absl::StrCat("join --advertise ", host.ip(), ":2376 --ttl=60s consul://10.9.8.7:8500/v1\n"));
  EXPECT_EQ(Docker("boss", "exec swarm-agent-master ls /etc/docker/server-key.pem").exit_code, 0);
  EXPECT_EQ(Run("ls -f {{.Name}}={{.Swarm}}").out, "boss=boss (master)\n");
  const Outcome env = Run("env --shell bash --swarm boss");
  EXPECT_THAT(env.out, HasSubstr(absl::StrCat("DOCKER_HOST=\"tcp://", host.ip(), ":3377\"")))
      << env;
  EXPECT_THAT(Run("config --swarm boss").out,
              HasSubstr(absl::StrCat("-H=tcp://", host.ip(), ":3377\n")));

  // What runs as it should is left alone.
  const std::string ids = Docker("boss", "ps -q --no-trunc").out;
  EXPECT_EQ(Run("provision boss").exit_code, 0);
  EXPECT_EQ(Docker("boss", "ps -q --no-trunc").out, ids);
  EXPECT_THAT(ids, Not(HasSubstr("Error")));
}

}  // namespace
}  // namespace machine::tests
