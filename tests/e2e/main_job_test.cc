// The main job: a bare Debian host becomes a Docker host over TLS, and is used.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "tests/e2e/bed.h"
#include "tests/integration/world.h"

namespace machine::tests {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class MainJobTest : public WorldTest {
 protected:
  void SetUp() override {
    if (!Bed::IsThere()) GTEST_SKIP() << "no test hosts: run deploy/test.sh";
  }

  std::string CreateLine(const BareHost& host, absl::string_view name) const {
    return absl::StrCat("create -d generic --generic-ip-address=", host.ip(),
                        " --generic-ssh-key=", Bed::KeyPath(), " ", name);
  }

  // The real client with what `config` prints.
  Outcome Docker(absl::string_view name, const std::vector<std::string>& words) const {
    const Outcome config = Run(absl::StrCat("config ", name));
    EXPECT_EQ(config.exit_code, 0) << config;
    std::vector<std::string> argv = {"docker"};
    for (absl::string_view option :
         absl::StrSplit(config.out, absl::ByAnyChar(" \n"), absl::SkipEmpty())) {
      argv.emplace_back(option);
    }
    argv.insert(argv.end(), words.begin(), words.end());
    return world_.RunOther(argv);
  }

  static int CountOf(absl::string_view text, absl::string_view part) {
    int count = 0;
    for (size_t at = text.find(part); at != absl::string_view::npos; at = text.find(part, at + 1)) {
      ++count;
    }
    return count;
  }
};

TEST_F(MainJobTest, ABareHostBecomesADockerHostAndRunsAContainer) {
  const BareHost host("mj-a");
  const Outcome created = Run(CreateLine(host, "web"));
  ASSERT_EQ(created.exit_code, 0) << created;
  EXPECT_THAT(created.out, HasSubstr("Running pre-create checks...\nCreating machine...\n"));
  EXPECT_THAT(created.out, HasSubstr("Provisioning with debian...\nInstalling Docker...\n"));
  EXPECT_THAT(created.out, HasSubstr("Docker is up and running!\n"));
  EXPECT_THAT(
      created.out,
      HasSubstr("To see how to connect Docker to this machine, run: docker-machine env web"));

  // One login, whatever was done.
  const Outcome logins = host.Shell("journalctl -u ssh --no-pager | grep -c 'Accepted publickey'");
  EXPECT_EQ(logins.out, "1\n");
  // The engine's key is for root only, and the engine serves nobody without a certificate.
  EXPECT_EQ(host.Shell("stat -c '%a %U' /etc/docker/server-key.pem").out, "600 root\n");
  EXPECT_NE(
      RunHere({"curl", "-sk", absl::StrCat("https://", host.ip(), ":2376/version")}).exit_code, 0);

  ASSERT_TRUE(Bed::WriteBusybox(world_.Path("busybox.tar")));
  const Outcome imported = Docker("web", {"import", world_.Path("busybox.tar"), "busybox:test"});
  ASSERT_EQ(imported.exit_code, 0) << imported;
  const Outcome ran =
      Docker("web", {"run", "--rm", "busybox:test", "/bin/busybox", "echo", "hello from inside"});
  EXPECT_EQ(ran.exit_code, 0) << ran;
  EXPECT_EQ(ran.out, "hello from inside\n");

  const Outcome list = Run("ls");
  EXPECT_THAT(list.out, HasSubstr(absl::StrCat("generic   Running   tcp://", host.ip(), ":2376")));
}

TEST_F(MainJobTest, ProvisioningAgainChangesNothingAndASecondCreateAdoptsTheEngine) {
  const BareHost host("mj-b");
  ASSERT_EQ(Run(CreateLine(host, "one")).exit_code, 0);
  const std::string started = "systemctl show -p ExecMainStartTimestampMonotonic docker";
  const std::string before = host.Shell(started).out;
  ASSERT_THAT(before, StartsWith("ExecMainStart"));
  const Outcome again = Run("provision one");
  EXPECT_EQ(again.exit_code, 0) << again;
  EXPECT_EQ(host.Shell(started).out, before);

  const std::string installed = "stat -c %Y /var/lib/dpkg/info/docker.io.list";
  const std::string package = host.Shell(installed).out;
  const Outcome second = Run(CreateLine(host, "two"));
  EXPECT_EQ(second.exit_code, 0) << second;
  EXPECT_THAT(second.out, Not(HasSubstr("Installing Docker...")));
  EXPECT_EQ(host.Shell(installed).out, package);
}

TEST_F(MainJobTest, EnvWorksInEveryShell) {
  const BareHost host("mj-c");
  ASSERT_EQ(Run(CreateLine(host, "env")).exit_code, 0);
  for (const std::vector<std::string>& argv : std::vector<std::vector<std::string>>{
           {"bash", "-c", "eval \"$(docker-machine env --shell bash env)\"; docker version"},
           {"fish", "-c", "eval (docker-machine env --shell fish env); docker version"},
           {"tcsh", "-fc", "eval \"`docker-machine env --shell tcsh env`\"; docker version"}}) {
    const Outcome outcome = world_.RunOther(argv);
    EXPECT_EQ(outcome.exit_code, 0) << argv[0] << ": " << outcome;
    EXPECT_THAT(outcome.out, HasSubstr("Server:")) << argv[0];
  }
}

TEST_F(MainJobTest, SshGivesOutputInputAndExitStatus) {
  const BareHost host("mj-d");
  ASSERT_EQ(Run(CreateLine(host, "shell")).exit_code, 0);
  EXPECT_EQ(Run("ssh shell true").exit_code, 0);
  EXPECT_EQ(world_.RunWords({"ssh", "shell", "exit 3"}).exit_code, 3);
  const Outcome both = world_.RunWords({"ssh", "shell", "cat; echo to-stderr >&2"}, "from stdin");
  EXPECT_EQ(both.out, "from stdin");
  EXPECT_THAT(both.err, HasSubstr("to-stderr"));
  const Outcome large = world_.RunWords({"ssh", "shell", "head -c 3000000 /dev/zero"});
  EXPECT_EQ(large.out.size(), 3'000'000U);
  EXPECT_THAT(Run("ssh shell df -h").out, HasSubstr("Mounted on"));
}

TEST_F(MainJobTest, ARestartIsARealRebootAndPowerIsNotThisDriversBusiness) {
  const BareHost host("mj-e");
  ASSERT_EQ(Run(CreateLine(host, "boot")).exit_code, 0);
  const std::string pid_of_init = "stat -c %Y /proc/1";
  const std::string before = host.Shell(pid_of_init).out;
  const Outcome restarted = Run("restart boot");
  EXPECT_EQ(restarted.exit_code, 0) << restarted;
  EXPECT_NE(host.Shell(pid_of_init).out, before);
  EXPECT_EQ(Docker("boot", {"version"}).exit_code, 0);

  for (const char* verb : {"stop", "start", "kill"}) {
    const Outcome outcome = Run(absl::StrCat(verb, " boot"));
    EXPECT_EQ(outcome.exit_code, 1) << verb;
    // A start finds the machine running already, which is said first.
    const bool is_start = verb == absl::string_view("start");
    EXPECT_THAT(outcome.err, HasSubstr(is_start ? "already running" : "does not support"));
  }
  EXPECT_EQ(Run("status boot").out, "Running\n");

  const Outcome removed = Run("rm -y boot");
  EXPECT_EQ(removed.exit_code, 0) << removed;
  EXPECT_EQ(Run("ls -q").out, "");
  EXPECT_EQ(host.Shell("systemctl is-active docker").out, "active\n");  // The host is the user's.
}

TEST_F(MainJobTest, WhatIsWrongWithAHostIsSaid) {
  const BareHost host("mj-f");
  ASSERT_EQ(RunHere({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", world_.Path("other")})
                .exit_code,
            0);
  const std::string common =
      absl::StrCat("create -d generic --generic-ip-address=", host.ip(), " ");

  const Outcome wrong_key = Run(common + "--generic-ssh-key=" + world_.Path("other") + " wrongkey");
  EXPECT_EQ(wrong_key.exit_code, 1);
  EXPECT_THAT(wrong_key.err, HasSubstr("refused the key " + world_.Path("other")));

  const Outcome refused = Run(absl::StrCat(common, "--generic-ssh-port=9 --ssh-timeout=2s ",
                                           "--generic-ssh-key=", Bed::KeyPath(), " closed"));
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("Connection refused"));

  const Outcome no_sudo = Run(absl::StrCat(
      common, "--generic-ssh-user=plain --generic-ssh-key=", Bed::KeyPath(), " nosudo"));
  EXPECT_EQ(no_sudo.exit_code, 1);
  EXPECT_THAT(no_sudo.err, HasSubstr("sudo"));

  // A failed create is kept, says why, and goes away by rm.
  EXPECT_THAT(Run("ls").out, HasSubstr("refused the key"));
  EXPECT_EQ(Run("status wrongkey").out, "Error\n");
  EXPECT_EQ(Run("rm -y wrongkey closed nosudo").exit_code, 0);

  // Rolled back, nothing stays.
  const Outcome rolled_back =
      Run(absl::StrCat(common, "--on-failure=rollback --generic-ssh-port=9 --ssh-timeout=1s ",
                       "--generic-ssh-key=", Bed::KeyPath(), " gone"));
  EXPECT_EQ(rolled_back.exit_code, 1);
  EXPECT_EQ(Run("ls -q").out, "");

  ASSERT_EQ(host.Shell("sed -i 's/^ID=.*/ID=plan9/; s/^ID_LIKE=.*//' /etc/os-release").exit_code,
            0);
  const Outcome unsupported = Run(CreateLine(host, "plan9"));
  EXPECT_EQ(unsupported.exit_code, 1);
  EXPECT_THAT(unsupported.err, HasSubstr("plan9"));
}

TEST_F(MainJobTest, AFullDiskIsNamed) {
  const BareHost host("mj-g");
  // The same files on a file system with little room left.
  ASSERT_EQ(host.Shell("mkdir /mnt/v && mount -t tmpfs -o size=100m none /mnt/v && "
                       "cp -a --one-file-system /var/lib/. /mnt/v && mount --bind /mnt/v /var/lib")
                .exit_code,
            0);
  const Outcome full = Run(CreateLine(host, "full"));
  EXPECT_EQ(full.exit_code, 1) << full;
  EXPECT_TRUE(absl::StrContains(full.err, "space") || absl::StrContains(full.err, "free"))
      << full.err;
  EXPECT_EQ(Run("status full").out, "Error\n");
}

TEST_F(MainJobTest, AMachineLivesItsWholeLifeWithTheDockerDriver) {
  Bed::RemoveContainers("org.machine.name=box");
  const std::string create =
      absl::StrCat("create -d docker --docker-endpoint=", Bed::DockerHost(), " box");
  const Outcome created = Run(create);
  ASSERT_EQ(created.exit_code, 0) << created;
  EXPECT_EQ(Run("status box").out, "Running\n");
  ASSERT_TRUE(Bed::WriteBusybox(world_.Path("busybox.tar")));
  ASSERT_EQ(Docker("box", {"import", world_.Path("busybox.tar"), "busybox:test"}).exit_code, 0);
  EXPECT_EQ(Docker("box", {"run", "--rm", "busybox:test", "/bin/busybox", "echo", "hi"}).out,
            "hi\n");

  EXPECT_EQ(Run("stop box").exit_code, 0);
  EXPECT_EQ(Run("status box").out, "Stopped\n");
  const Outcome no_env = Run("env box");
  EXPECT_EQ(no_env.exit_code, 1);
  EXPECT_THAT(no_env.err, HasSubstr("Host is not running"));
  EXPECT_EQ(Run("start box").exit_code, 0);
  EXPECT_EQ(Docker("box", {"images", "-q"}).exit_code, 0);
  EXPECT_EQ(Run("kill box").exit_code, 0);
  EXPECT_EQ(Run("status box").out, "Stopped\n");
  EXPECT_EQ(Run("start box").exit_code, 0);
  EXPECT_EQ(Run("restart box").exit_code, 0);
  EXPECT_EQ(Docker("box", {"version"}).exit_code, 0);
  EXPECT_EQ(Run("ssh box hostname").out, "box\n");

  const Outcome removed = Run("rm -y box");
  EXPECT_EQ(removed.exit_code, 0) << removed;
  const std::string filter = "label=org.machine.name=box";
  EXPECT_EQ(RunHere({"docker", "-H", Bed::DockerHost(), "ps", "-aq", "--filter", filter}).out, "");
}

TEST_F(MainJobTest, AnOrchestratorThatIsKilledInMidCreateIsFollowedByAnotherThatGoesOn) {
  Bed::RemoveContainers("org.machine.name=phoenix");
  world_.SetEnv("MACHINE_FAILPOINTS", "create.driver_create.after_effect");
  ASSERT_EQ(Run("ls").exit_code,
            0);  // This orchestrator will die in the create; the next is sound.
  world_.SetEnv("MACHINE_FAILPOINTS", "");
  const Outcome created =
      Run(absl::StrCat("create -d docker --docker-endpoint=", Bed::DockerHost(), " phoenix"));
  EXPECT_EQ(created.exit_code, 0) << created;
  EXPECT_EQ(Run("status phoenix").out, "Running\n");
  EXPECT_EQ(Docker("phoenix", {"version"}).exit_code, 0);
  const Outcome containers = RunHere({"docker", "-H", Bed::DockerHost(), "ps", "-aq", "--filter",
                                      "label=org.machine.name=phoenix"});
  EXPECT_EQ(CountOf(containers.out, "\n"), 1) << containers.out;
  EXPECT_EQ(Run("rm -y phoenix").exit_code, 0);
}

TEST_F(MainJobTest, ADriverThatIsKilledInMidCreateIsStartedAgainAndAdoptsWhatItMade) {
  Bed::RemoveContainers("org.machine.name=again");
  ASSERT_EQ(Run("create -d docker --help").exit_code, 0);  // Starts the driver.
  RunningCommand create = world_.Begin(
      absl::StrCat("create -d docker --docker-endpoint=", Bed::DockerHost(), " again"));
  const std::vector<std::string> list = {
      "docker", "-H", Bed::DockerHost(), "ps", "-aq", "--filter", "label=org.machine.name=again"};
  EXPECT_TRUE(Eventually(absl::Minutes(1), [&] { return !RunHere(list).out.empty(); }));
  EXPECT_EQ(world_.SignalAll("machine-driver-docker", SIGKILL), 1U);
  const Outcome created = create.Wait();
  EXPECT_EQ(created.exit_code, 0) << created;
  EXPECT_EQ(CountOf(RunHere(list).out, "\n"), 1);
  EXPECT_EQ(Run("status again").out, "Running\n");
  EXPECT_EQ(Run("rm -y again").exit_code, 0);
  EXPECT_EQ(RunHere(list).out, "");
}

}  // namespace
}  // namespace machine::tests
