// The main job: bare hosts become Docker hosts over TLS, and stay usable.
//
// Two hosts are provisioned once, at the same moment, for all tests of this file; those that change
// something for good stand at its end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "nlohmann/json.hpp"
#include "services/common/file/file.h"
#include "tests/e2e/bed.h"
#include "tests/integration/world.h"

namespace machine::tests {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::Duration kLimit = absl::Minutes(1);
constexpr int kMostCommands = 8;
constexpr char kImage[] = "busybox:test";
// When process 1 of the host started: another moment after each boot. (The boot id is the kernel's,
// which all hosts of the bed share.)
constexpr char kBoot[] = "cut -d ' ' -f 22 /proc/1/stat";
constexpr char kEngineStart[] =
    "systemctl show docker.service -p MainPID -p ExecMainStartTimestampMonotonic";

// What one after the other shares. The host of machine "one" is entered as root, that of "two" as a
// user who has sudo.
struct Shared {
  Bed bed;
  World world;
  BareHost one{bed, "e2e-one"};
  BareHost two{bed, "e2e-two"};
  std::vector<Outcome> created;
};

class GenericTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!Bed::Ready()) return;
    shared_ = new Shared;
    ASSERT_NE(shared_->one.ip(), "");
    ASSERT_NE(shared_->two.ip(), "");
    shared_->one.CountSsh();
    shared_->two.CountSsh();
    shared_->created = AllAtOnce(2, [](int i) {
      return i == 0 ? Run(CreateLine(shared_->one, "root", "one"))
                    : Run(CreateLine(shared_->two, "deb", "two"));
    });
    for (const Outcome& outcome : shared_->created) ASSERT_EQ(outcome.exit_code, 0) << outcome;
  }

  static void TearDownTestSuite() {
    if (shared_ == nullptr) return;
    shared_->world.End();
    delete shared_;
    shared_ = nullptr;
  }

  void SetUp() override {
    if (shared_ == nullptr) GTEST_SKIP() << kNoBed;
  }

  static std::string CreateLine(const BareHost& host, absl::string_view user,
                                absl::string_view name) {
    return absl::StrCat("create -d generic --generic-ip-address=", host.ip(),
                        " --generic-ssh-user=", user, " --generic-ssh-key=", shared_->bed.key(),
                        " ", name);
  }

  static Outcome Run(absl::string_view line) { return shared_->world.Run(line); }

  // docker with the words of `docker-machine config NAME`, as the shell puts them together.
  static Outcome Docker(absl::string_view machine, absl::string_view words) {
    return Shell(absl::StrCat("docker $(docker-machine config ", machine, ") ", words));
  }

  static Outcome Shell(const std::string& script) {
    return shared_->world.RunOther({"bash", "-euc", script});
  }

  // The image is made of this machine's busybox and goes the same way as every request: over TLS.
  static void ImportImage(absl::string_view machine) {
    if (Docker(machine, absl::StrCat("image inspect ", kImage)).exit_code == 0) return;
    const Outcome imported =
        Shell(absl::StrCat(getenv("MACHINE_BED_SCRIPTS"), "/busybox.sh import ", kImage,
                           " $(docker-machine config ", machine, ")"));
    ASSERT_EQ(imported.exit_code, 0) << imported;
  }

  static Shared* shared_;
};
Shared* GenericTest::shared_ = nullptr;

TEST_F(GenericTest, CreateSaysWhatItDoes) {
  for (const auto& [place, name] : {std::pair(0, "one"), std::pair(1, "two")}) {
    const Outcome& created = shared_->created[static_cast<size_t>(place)];
    EXPECT_EQ(created.out,
              absl::StrCat("Running pre-create checks...\n"
                           "Creating machine...\n(",
                           name,
                           ") Importing SSH key...\n"
                           "Waiting for SSH to be available...\n"
                           "Detecting the provisioner...\n"
                           "Provisioning with debian...\n"
                           "Installing Docker...\n"
                           "Copying certs to the remote machine...\n"
                           "Setting Docker configuration on the remote daemon...\n"
                           "Checking connection to Docker...\n"
                           "Docker is up and running!\n"
                           "To see how to connect Docker to this machine, run: docker-machine env ",
                           name, "\n"));
    EXPECT_EQ(created.err, "");
    // What the installer said, which a terminal shows while it says it.
    EXPECT_THAT(Run(absl::StrCat("--debug logs ", name)).out,
                testing::ContainsRegex("\n[^\n]*  provisioner: [A-Z]"));
  }
}

TEST_F(GenericTest, CreateTookOneConnectionAndFewCommands) {
  for (const BareHost* const host : {&shared_->one, &shared_->two}) {
    EXPECT_EQ(host->SshConnections(), 1) << host->name();
    EXPECT_GT(host->SshSessions(), 0) << host->name();
    EXPECT_LE(host->SshSessions(), kMostCommands) << host->name();
  }
}

TEST_F(GenericTest, DockerClientRunsContainersOverTls) {
  for (const char* const machine : {"one", "two"}) {
    ImportImage(machine);
    const Outcome ran = Docker(machine, absl::StrCat("run --rm ", kImage, " echo hello"));
    EXPECT_EQ(ran.exit_code, 0) << ran;
    EXPECT_EQ(ran.out, "hello\n");
  }
}

TEST_F(GenericTest, EngineLetsInNobodyWithoutACertificate) {
  const std::string address = absl::StrCat(shared_->one.ip(), ":2376");
  const std::string folder = shared_->world.machine_folder("one");
  EXPECT_NE(Shell("docker -H tcp://" + address + " version").exit_code, 0);
  // With our CA, as anybody could have it, but no client certificate.
  const Outcome anonymous =
      Shell("curl -sS --cacert " + folder + "/ca.pem https://" + address + "/version");
  EXPECT_NE(anonymous.exit_code, 0) << anonymous;
  EXPECT_EQ(anonymous.out, "");
  const Outcome known =
      Shell("curl -sS --cacert " + folder + "/ca.pem --cert " + folder + "/cert.pem --key " +
            folder + "/key.pem https://" + address + "/version");
  EXPECT_EQ(known.exit_code, 0) << known;
  // Nor does it listen anywhere without TLS.
  EXPECT_EQ(shared_->one.Sh("ss -ltnpH | grep dockerd | grep -vc ':2376 ' || true"), "0");
}

TEST_F(GenericTest, KeysOnTheHostAreForRootOnly) {
  for (const BareHost* const host : {&shared_->one, &shared_->two}) {
    EXPECT_EQ(host->Sh("stat -c '%a %U' /etc/docker/server-key.pem"), "600 root");
    EXPECT_EQ(
        host->Sh("grep -rlE 'BEGIN (RSA |EC )?PRIVATE KEY' /tmp /var/log /root /home || true"), "");
    EXPECT_EQ(host->Sh("journalctl --no-pager | grep -c 'PRIVATE KEY' || true"), "0");
  }
  const std::string log = common::ReadFile(shared_->world.server_dir() + "/server.log").value();
  EXPECT_THAT(log, Not(HasSubstr("PRIVATE KEY")));
}

TEST_F(GenericTest, LsShowsStateAndTheEnginesVersion) {
  const std::string version = Line(Docker("one", "version -f {{.Server.Version}}").out);
  ASSERT_NE(version, "");
  EXPECT_EQ(
      Run("ls -f {{.Name}},{{.DriverName}},{{.State}},{{.URL}},{{.DockerVersion}},{{.Error}}").out,
      absl::StrCat("one,generic,Running,tcp://", shared_->one.ip(), ":2376,v", version,
                   ",\ntwo,generic,Running,tcp://", shared_->two.ip(), ":2376,v", version, ",\n"));
  EXPECT_EQ(Run("version one").out, version + "\n");
  EXPECT_EQ(Run("ip two one").out, absl::StrCat(shared_->two.ip(), "\n", shared_->one.ip(), "\n"));
}

TEST_F(GenericTest, FolderOfTheMachineHasAllThatScriptsRead) {
  const std::string folder = shared_->world.machine_folder("two");
  const auto config = nlohmann::json::parse(common::ReadFile(folder + "/config.json").value());
  EXPECT_EQ(config["Driver"]["IPAddress"], shared_->two.ip());
  EXPECT_EQ(config["Driver"]["SSHUser"], "deb");
  struct stat info = {};
  ASSERT_EQ(stat((folder + "/id_rsa").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  const Outcome ssh = Shell(absl::StrCat(
      "ssh -F none -i ", folder, "/id_rsa -o StrictHostKeyChecking=no -o UserKnownHostsFile=",
      "/dev/null -o LogLevel=ERROR deb@", shared_->two.ip(), " whoami"));
  EXPECT_EQ(ssh.out, "deb\n") << ssh;
}

TEST_F(GenericTest, EveryShellThatEvaluatesEnvReachesTheEngine) {
  const std::string show =
      "echo -n \"$DOCKER_MACHINE_NAME \"; docker version -f '{{.Server.Version}}'";
  const std::vector<std::string> shells[] = {
      {"bash", "-euc", "eval \"$(docker-machine env one)\"; " + show},
      {"zsh", "-fec", "eval $(docker-machine env --shell zsh one); " + show},
      {"dash", "-euc", "eval \"$(docker-machine env --shell sh one)\"; " + show},
      {"fish", "--no-config", "-c", "eval (docker-machine env --shell fish one); " + show},
      {"tcsh", "-fc", "eval `docker-machine env --shell tcsh one`; " + show},
      {"emacs", "--batch", "--no-init-file", "--eval",
       "(progn (with-temp-buffer (shell-command \"docker-machine env --shell emacs one\""
       " (current-buffer)) (eval-buffer)) (princ (concat (getenv \"DOCKER_MACHINE_NAME\") \" \""
       " (shell-command-to-string \"docker version -f '{{.Server.Version}}'\"))))"},
  };
  const std::string version = Docker("one", "version -f {{.Server.Version}}").out;
  ASSERT_NE(version, "");
  for (const std::vector<std::string>& argv : shells) {
    const Outcome shell = shared_->world.RunOther(argv);
    EXPECT_EQ(shell.exit_code, 0) << argv[0] << "\n" << shell;
    EXPECT_EQ(shell.out, absl::StrCat("one ", version)) << argv[0] << "\n" << shell;
  }
}

// ---- ssh

TEST_F(GenericTest, SshGivesTheExitCodeOfTheCommand) {
  EXPECT_EQ(Run("ssh one true").exit_code, 0);
  EXPECT_EQ(Run("ssh one false").exit_code, 1);
  EXPECT_EQ(Run("ssh two exit 3").exit_code, 3);
  EXPECT_EQ(Run("ssh one no-such-command").exit_code, 127);
  EXPECT_EQ(shared_->world.RunWords({"ssh", "one", "kill -9 $$"}).exit_code, 255);
}

TEST_F(GenericTest, SshKeepsTheThreeStreamsApart) {
  const Outcome both = shared_->world.RunWords({"ssh", "one", "echo out; echo err >&2"});
  EXPECT_EQ(both.out, "out\n");
  EXPECT_EQ(both.err, "err\n");
  const Outcome piped = shared_->world.RunWords({"ssh", "two", "sort -r; exit 4"}, "a\nc\nb\n");
  EXPECT_EQ(piped.out, "c\nb\na\n");
  EXPECT_EQ(piped.exit_code, 4);
  EXPECT_EQ(shared_->world.RunWords({"ssh", "two", "--", "whoami"}).out, "deb\n");
}

TEST_F(GenericTest, SshCarriesMuchInBothDirections) {
  constexpr size_t kBytes = 16 << 20;
  std::string bytes;
  bytes.reserve(kBytes);
  for (size_t i = 0; bytes.size() < kBytes; ++i) absl::StrAppend(&bytes, i, "\n");
  const Outcome echoed = shared_->world.RunWords({"ssh", "one", "cat"}, bytes);
  EXPECT_EQ(echoed.exit_code, 0);
  EXPECT_TRUE(echoed.out == bytes) << echoed.out.size() << " of " << bytes.size() << " bytes";
  EXPECT_EQ(echoed.err, "");
}

// ---- What a machine goes through

TEST_F(GenericTest, ProvisionAgainChangesNothing) {
  ImportImage("one");
  ASSERT_EQ(
      Docker("one", absl::StrCat("run -d --init --name stays ", kImage, " sleep 100000")).exit_code,
      0);
  const std::string before = shared_->one.Sh(kEngineStart);
  shared_->one.CountSsh();
  const Outcome provisioned = Run("provision one");
  EXPECT_EQ(provisioned.exit_code, 0) << provisioned;
  EXPECT_EQ(provisioned.out,
            "Waiting for SSH to be available...\n"
            "Detecting the provisioner...\n"
            "Provisioning with debian...\n"
            "Checking connection to Docker...\n"
            "Docker is up and running!\n");
  EXPECT_EQ(shared_->one.Sh(kEngineStart), before);
  EXPECT_LE(shared_->one.SshConnections(), 1);
  EXPECT_EQ(Docker("one", "ps --filter name=stays --format {{.Names}}").out, "stays\n");
  EXPECT_EQ(Docker("one", "rm -f stays").exit_code, 0);
}

TEST_F(GenericTest, WhatThisDriverCannotDoIsRefused) {
  const std::string boot = shared_->one.Sh(kBoot);
  for (const char* const verb : {"stop", "kill"}) {
    const Outcome refused = Run(absl::StrCat(verb, " one"));
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_EQ(refused.err, absl::StrCat("the generic driver does not support ", verb, "\n"));
  }
  const Outcome start = Run("start one");
  EXPECT_EQ(start.exit_code, 1);
  EXPECT_EQ(start.err, "Machine \"one\" is already running.\n");
  EXPECT_EQ(Run("status one").out, "Running\n");
  EXPECT_EQ(shared_->one.Sh(kBoot), boot);
}

TEST_F(GenericTest, RestartIsARealRebootAfterWhichTheEngineAnswers) {
  ImportImage("two");
  const std::string boot = shared_->two.Sh(kBoot);
  const Outcome restarted = Run("restart two");
  EXPECT_EQ(restarted.exit_code, 0) << restarted;
  EXPECT_THAT(restarted.out, HasSubstr("Restarting \"two\"...\n"));
  EXPECT_THAT(restarted.out, HasSubstr("Docker is up and running!\n"));
  EXPECT_NE(shared_->two.Sh(kBoot), boot);
  EXPECT_EQ(Run("status two").out, "Running\n");
  EXPECT_EQ(Docker("two", absl::StrCat("run --rm ", kImage, " echo again")).out, "again\n");
  EXPECT_EQ(Run("ssh two whoami").out, "deb\n");
}

TEST_F(GenericTest, HostThatIsCutOffDelaysNobody) {
  ASSERT_EQ(Run("ssh two true").exit_code, 0);  // From now on its connection is kept.
  shared_->two.Sh("ip link set eth0 down");
  const absl::Time cut_off = absl::Now();
  RunningCommand ssh = shared_->world.Begin("ssh two true");
  // Until its observation is too old, it passes for what it was.
  EXPECT_TRUE(Eventually(kLimit, [&] { return Run("status two").out != "Running\n"; }));
  const absl::Time start = absl::Now();
  const Outcome listed = Run("ls -f {{.Name}}={{.State}}");
  EXPECT_LT(absl::Now() - start, absl::Seconds(10));
  EXPECT_THAT(listed.out, HasSubstr("one=Running\n"));
  EXPECT_THAT(listed.out, Not(HasSubstr("two=Running\n")));
  const Outcome env = Run("env two");
  EXPECT_EQ(env.exit_code, 1) << env;
  EXPECT_EQ(env.out, "");
  const Outcome in_vain = ssh.Wait();
  EXPECT_EQ(in_vain.exit_code, 255) << in_vain;
  EXPECT_THAT(in_vain.err, HasSubstr("ssh: connect to host "));
  EXPECT_LT(absl::Now() - cut_off, absl::Seconds(40));
  shared_->two.Sh("ip link set eth0 up");
  EXPECT_TRUE(Eventually(kLimit, [&] { return Run("status two").out == "Running\n"; }));
  EXPECT_EQ(Run("ssh two true").exit_code, 0);
}

// ---- From here on, machines come and go

TEST_F(GenericTest, SecondMachineOnAHostAdoptsItsEngine) {
  const char kPackages[] = "sha256sum </var/log/dpkg.log";
  const std::string packages = shared_->one.Sh(kPackages);
  shared_->one.CountSsh();
  const Outcome created = Run(CreateLine(shared_->one, "root", "adopted"));
  EXPECT_EQ(created.exit_code, 0) << created;
  EXPECT_THAT(created.out, Not(HasSubstr("Installing Docker...")));
  EXPECT_EQ(shared_->one.Sh(kPackages), packages);
  EXPECT_EQ(shared_->one.SshConnections(), 1);
  EXPECT_LE(shared_->one.SshSessions(), kMostCommands);
  EXPECT_EQ(Docker("adopted", "version").exit_code, 0);
  // What was known as "one" still is the same engine.
  EXPECT_EQ(Docker("one", "version").exit_code, 0);
  EXPECT_EQ(Run("rm -y adopted").exit_code, 0);
}

TEST_F(GenericTest, RmLeavesTheHostAlone) {
  const std::string engine = shared_->one.Sh(kEngineStart);
  const std::string boot = shared_->one.Sh(kBoot);
  const Outcome removed = Run("rm -y one two");
  EXPECT_EQ(removed.exit_code, 0) << removed;
  EXPECT_EQ(removed.out,
            "About to remove one, two\n"
            "WARNING: This action will delete both local reference and remote instance.\n"
            "Successfully removed one\n"
            "Successfully removed two\n");
  EXPECT_EQ(Run("ls -q").out, "");
  EXPECT_FALSE(std::filesystem::exists(shared_->world.machine_folder("one")));
  EXPECT_EQ(shared_->one.Sh(kEngineStart), engine);
  EXPECT_EQ(shared_->one.Sh(kBoot), boot);
}

}  // namespace
}  // namespace machine::tests
