// Swarms of both kinds on real hosts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"
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

  Outcome ImportSwarmImage(absl::string_view machine) const {
    return Shell(absl::StrCat(getenv("MACHINE_BED_SCRIPTS"),
                              "/swarm-image.sh swarm:test $(docker-machine config ", machine, ")"));
  }

  // The operation whose trace the provisioner's last such call belongs to, as "ops ls" tells it.
  std::string OperationOfCall(absl::string_view method) const {
    const std::string log = common::ReadFile(world_.server_dir() + "/server.log").value_or("");
    std::string trace;
    for (const absl::string_view line : absl::StrSplit(log, '\n')) {
      const auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
      if (json.is_object() && json.value("method", "") == method) {
        trace = json.value("trace_id", "");
      }
    }
    if (trace.empty()) return absl::StrCat("no trace of ", method);
    const auto all = nlohmann::json::parse(Run("ops ls -a -o json").out, nullptr, false);
    for (const auto& operation : all) {
      if (std::string text = operation.dump(); absl::StrContains(text, trace)) return text;
    }
    return absl::StrCat("no operation has trace ", trace);
  }

  // What a container has printed, once it has.
  std::string LogOf(absl::string_view machine, absl::string_view container) const {
    std::string log;
    EXPECT_TRUE(Eventually(kLimit, [&] {
      log = Docker(machine, absl::StrCat("logs ", container)).out;
      return !log.empty();
    }));
    return log;
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

  // Nobody's key opens another engine: the nodes of this kind do not dial each other's.
  EXPECT_THAT(first.Sh("openssl x509 -in /etc/docker/server.pem -noout -ext extendedKeyUsage"),
              Not(HasSubstr("Client")));

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
  // Both calls are found by the traces of their operations.
  EXPECT_THAT(OperationOfCall("ConfigureSwarm"), HasSubstr("\"verb\":\"provision\""));
  EXPECT_THAT(OperationOfCall("LeaveSwarm"), HasSubstr("\"verb\":\"delete\""));
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

// There is no swarm image here, so one is made that says what it was told to do, and does so much
// of it that its clients see a manager with TLS.
TEST_F(SwarmTest, StandaloneSwarmRunsItsImageWithTheOriginalsArguments) {
  const Outcome token = Run(
      "create -d none --url tcp://192.0.2.1:2376 --swarm --swarm-discovery token://1234 refused");
  EXPECT_EQ(token.exit_code, 3);
  EXPECT_THAT(token.err, HasSubstr("token:// needs a hosted service that no longer exists; use "
                                   "consul://, file:// or nodes://"));

  const BareHost host(*bed_, "e2e-standalone");
  const BareHost second(*bed_, "e2e-standalone-two");
  const Outcome before = Create(host, "before", "");
  ASSERT_EQ(before.exit_code, 0) << before;
  const Outcome imported = ImportSwarmImage("before");
  ASSERT_EQ(imported.exit_code, 0) << imported;
  ASSERT_EQ(Run("rm -y before").exit_code, 0);

  const Outcome created =
      Create(host, "boss",
             "--swarm --swarm-master --swarm-image swarm:test --swarm-discovery "
             "consul://10.9.8.7:8500/v1 --swarm-strategy binpack --swarm-opt heartbeat=5s "
             "--swarm-join-opt ttl=60s --swarm-host tcp://0.0.0.0:3377 --swarm-experimental");
  ASSERT_EQ(created.exit_code, 0) << created;
  EXPECT_THAT(created.out, HasSubstr("Configuring swarm...\n"));
  EXPECT_EQ(LogOf("boss", "swarm-agent-master"),
            absl::StrCat("--experimental manage --tlsverify --tlscacert=/etc/docker/ca.pem "
                         "--tlscert=/etc/docker/server.pem --tlskey=/etc/docker/server-key.pem -H "
                         "tcp://0.0.0.0:3377 --strategy binpack --advertise ",
                         host.ip(), ":3377 --heartbeat=5s consul://10.9.8.7:8500/v1\n"));
  EXPECT_EQ(LogOf("boss", "swarm-agent"),
            absl::StrCat("--experimental join --advertise ", host.ip(),
                         ":2376 --ttl=60s consul://10.9.8.7:8500/v1\n"));
  EXPECT_EQ(Docker("boss", "exec swarm-agent-master ls /etc/docker/server-key.pem").exit_code, 0);

  // A node of the same swarm: no manager, and another address of its own.
  ASSERT_EQ(Create(second, "node", "").exit_code, 0);
  ASSERT_EQ(ImportSwarmImage("node").exit_code, 0);
  ASSERT_EQ(Run("rm -y node").exit_code, 0);
  const Outcome joined = Create(second, "node",
                                "--swarm --swarm-image swarm:test --swarm-discovery "
                                "consul://10.9.8.7:8500/v1 --swarm-addr 192.0.2.9");
  ASSERT_EQ(joined.exit_code, 0) << joined;
  EXPECT_EQ(LogOf("node", "swarm-agent"),
            "join --advertise 192.0.2.9:2376 consul://10.9.8.7:8500/v1\n");
  EXPECT_EQ(Docker("node", "ps -a --format {{.Names}}").out, "swarm-agent\n");
  EXPECT_EQ(Run("ls -f {{.Name}}={{.Swarm}}").out, "boss=boss (master)\nnode=boss\n");
  EXPECT_EQ(Run("ls -q --filter swarm=boss").out, "boss\nnode\n");

  // The manager uses the engines of all nodes with the certificate that it was given; a node's is
  // good for nothing but its own engine.
  const std::string ask = absl::StrCat(
      "curl -s --cacert /etc/docker/ca.pem --cert /etc/docker/server.pem --key "
      "/etc/docker/server-key.pem https://",
      second.ip(), ":2376/_ping || echo refused");
  EXPECT_EQ(host.Sh(ask), "OK");
  EXPECT_EQ(second.Sh(ask), "refused");

  const std::string url = absl::StrCat("tcp://", host.ip(), ":3377");
  const Outcome env = Run("env --shell bash --swarm boss");
  EXPECT_EQ(env.exit_code, 0) << env;
  EXPECT_THAT(env.out, HasSubstr(absl::StrCat("DOCKER_HOST=\"", url, "\"")));
  EXPECT_THAT(Run("config --swarm boss").out, HasSubstr(absl::StrCat("-H=", url, "\n")));
  EXPECT_EQ(Run("env --swarm node").err,
            "Error checking TLS connection: \"node\" is not a swarm master. The --swarm flag is "
            "intended for use with swarm masters\n");

  // What runs as it should is left alone.
  const std::string ids = Docker("boss", "ps -q --no-trunc").out;
  EXPECT_EQ(Run("provision boss").exit_code, 0);
  EXPECT_EQ(Docker("boss", "ps -q --no-trunc").out, ids);
  EXPECT_THAT(ids, Not(HasSubstr("Error")));

  // A new certificate reaches the manager, too: its clients know only that one's authority.
  EXPECT_EQ(Run("regenerate-certs -f boss").exit_code, 0);
  EXPECT_TRUE(Eventually(kLimit, [&] { return Run("config --swarm boss").exit_code == 0; }));

  // The engine goes on without its swarm, and the certificates are not to blame.
  EXPECT_EQ(Docker("boss", "stop -t 0 swarm-agent-master").exit_code, 0);
  const Outcome stopped = Run("env --swarm boss");
  EXPECT_EQ(stopped.exit_code, 1);
  EXPECT_EQ(stopped.out, "");
  EXPECT_EQ(stopped.err,
            "Error checking TLS connection: Connection to Swarm cannot be checked but the certs "
            "are valid. Maybe swarm is not started\n");
  EXPECT_EQ(Run("env boss").exit_code, 0);
}

}  // namespace
}  // namespace machine::tests
