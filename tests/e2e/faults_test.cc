// What can be wrong with a host: each fault has its error, and leaves nothing.
//
// "Nothing" is: no change on the host; in the store, the machine that failed with its reason, to be
// removed by `rm`, or with --on-failure=rollback not even that; no file of it after.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "services/common/file/file.h"
#include "tests/e2e/bed.h"
#include "tests/integration/world.h"

namespace machine::tests {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// In options and errors: HOST and NOBODY are addresses, KEY and OTHER private keys' files.
struct Fault {
  const char* label;
  const char* options;
  const char* error;
  // How long the create may take.
  absl::Duration limit = absl::Seconds(10);
  // A script that makes the host so. It runs on a host of its own.
  const char* cause = "";
};
void PrintTo(const Fault& fault, std::ostream* stream) { *stream << fault.label; }

// After the error, where the machine is kept.
constexpr char kNextSteps[] =
    "What was made is kept. To see what happened: docker-machine logs kept; to go on once the "
    "cause is gone: docker-machine provision kept; to begin anew: docker-machine rm kept, then "
    "create it again\n";

class FaultsTest : public WorldTest, public testing::WithParamInterface<Fault> {
 protected:
  static void SetUpTestSuite() {
    if (!Bed::Ready()) return;
    bed_ = new Bed;
    sound_host_ = new BareHost(*bed_, "e2e-faults");
  }

  static void TearDownTestSuite() {
    delete std::exchange(sound_host_, nullptr);
    delete std::exchange(bed_, nullptr);
  }

  void SetUp() override {
    if (bed_ == nullptr) GTEST_SKIP() << kNoBed;
    const Outcome made = world_.RunOther(
        {"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", world_.Path("other")});
    ASSERT_EQ(made.exit_code, 0) << made;
  }

  // The sound host, or one that has the fault.
  const BareHost& Host(absl::string_view cause) {
    if (cause.empty()) return *sound_host_;
    own_host_ = std::make_unique<BareHost>(*bed_, "e2e-faulty");
    own_host_->Sh(cause);
    return *own_host_;
  }

  std::string Expand(absl::string_view text, const BareHost& host) const {
    return absl::StrReplaceAll(text, {{"HOST", host.ip()},
                                      {"NOBODY", bed_->NobodysAddress()},
                                      {"KEY", bed_->key()},
                                      {"OTHER", world_.Path("other")}});
  }

  static void Mark(const BareHost& host) { host.Sh("touch /run/before"); }
  // Files that a create could write, and that are newer than the mark.
  static std::string ChangesSinceMark(const BareHost& host) {
    return host.Sh("find /etc /home /root /usr /opt /var/lib/dpkg -newer /run/before");
  }

  void ExpectNothingOf(absl::string_view name) const {
    EXPECT_FALSE(std::filesystem::exists(world_.machine_folder(name)));
    EXPECT_EQ(Run(absl::StrCat("status ", name)).exit_code, 1);
  }

  static Bed* bed_;
  static BareHost* sound_host_;
  std::unique_ptr<BareHost> own_host_;
};
Bed* FaultsTest::bed_ = nullptr;
BareHost* FaultsTest::sound_host_ = nullptr;

TEST_P(FaultsTest, IsSaidAndLeavesNothing) {
  const BareHost& host = Host(GetParam().cause);
  const std::string create = absl::StrCat("create -d generic ", Expand(GetParam().options, host));
  const std::string error = Expand(GetParam().error, host);
  Mark(host);

  const absl::Time begin = absl::Now();
  const std::vector<Outcome> outcomes = AllAtOnce(2, [&](int i) {
    return Run(absl::StrCat(create, i == 0 ? " kept" : " --on-failure=rollback undone"));
  });
  EXPECT_LT(absl::Now() - begin, GetParam().limit);

  const std::string said = absl::StrCat("Error creating machine: ", error, "\n");
  for (const Outcome& outcome : outcomes) EXPECT_EQ(outcome.exit_code, 1) << outcome;
  EXPECT_EQ(outcomes[0].err, absl::StrCat(said, kNextSteps));
  EXPECT_EQ(outcomes[1].err, said);
  EXPECT_THAT(outcomes[1].out, HasSubstr(absl::StrCat(error, "; removing what was made\n")));
  EXPECT_THAT(outcomes[1].out, EndsWith("Removing the machine...\n"));
  EXPECT_EQ(ChangesSinceMark(host), "");
  ExpectNothingOf("undone");
  EXPECT_EQ(Run("ls -f {{.Name}}|{{.State}}|{{.Error}}").out,
            absl::StrCat("kept|Error|", error, "\n"));
  EXPECT_EQ(Run("status kept").out, "Error\n");
  EXPECT_EQ(Run("env kept").exit_code, 1);
  EXPECT_EQ(Run("rm -y kept").exit_code, 0);
  ExpectNothingOf("kept");
  EXPECT_EQ(Run("ls -q").out, "");
}

INSTANTIATE_TEST_SUITE_P(
    Hosts, FaultsTest,
    testing::ValuesIn<Fault>({
        {.label = "KeyThatTheHostDoesNotKnow",
         .options = "--generic-ip-address=HOST --generic-ssh-key=OTHER",
         .error = "HOST:22 refused the key OTHER for user root"},
        {.label = "UserThatTheHostDoesNotKnow",
         .options = "--generic-ip-address=HOST --generic-ssh-key=KEY --generic-ssh-user=eve",
         .error = "HOST:22 refused the key KEY for user eve"},
        {.label = "PortThatNobodyListensAt",
         .options = "--generic-ip-address=HOST --generic-ssh-key=KEY --generic-ssh-port=9 "
                    "--ssh-timeout=2s",
         .error = "waiting for SSH on HOST:9 for 2.0 s: connecting to HOST:9: Connection refused"},
        {.label = "AddressThatNothingAnswersAt",
         .options = "--generic-ip-address=NOBODY --generic-ssh-key=KEY --ssh-timeout=2s",
         .error = "waiting for SSH on NOBODY:22 for 2.0 s: connecting to NOBODY:22: no TCP "
                  "connection within 2.0 s"},
        {.label = "UserWithoutSudo",
         .options = "--generic-ip-address=HOST --generic-ssh-key=KEY --generic-ssh-user=plain",
         .error = "user \"plain\" cannot become root on the host (sudo: a password is required); "
                  "log in as root, or allow this user sudo without a password"},
        {.label = "OperatingSystemThatIsNotSupported",
         .options = "--generic-ip-address=HOST --generic-ssh-key=KEY",
         .error =
             "unsupported operating system \"plan9\" (Plan 9); supported: debian, ubuntu, fedora, "
             "rhel, centos, rocky, almalinux, ol, amzn, sles, opensuse-leap, "
             "opensuse-tumbleweed, opensuse, arch, archarm, boot2docker",
         .cause = R"(printf 'ID=plan9\nPRETTY_NAME="Plan 9"\n' >/etc/os-release)"},
        {.label = "DaemonJsonThatIsBroken",
         .options = "--generic-ip-address=HOST --generic-ssh-key=KEY",
         .error = "/etc/docker/daemon.json on the host is not a JSON object; mend it or remove it",
         .cause = R"(mkdir -p /etc/docker && echo '{"debug": true,}' >/etc/docker/daemon.json)"},
        // The files of /var/lib on a file system of 100 MB.
        {.label = "DiskWithoutRoomForTheEngine",
         .options = "--generic-ip-address=HOST --generic-ssh-key=KEY",
         .error = "not enough space on the host to install the engine: 10 MiB are free on "
                  "/var/lib, 300 MiB are needed (No space left on device)",
         .cause = "mkdir /mnt/v && mount -t tmpfs -o size=100m none /mnt/v &&"
                  "cp -a --one-file-system /var/lib/. /mnt/v && mount --bind /mnt/v /var/lib &&"
                  "fallocate -l $(df -B 1 --output=avail /var/lib | tail -n 1) /var/lib/full &&"
                  "truncate -s -10M /var/lib/full"},
    }),
    [](const testing::TestParamInfo<Fault>& info) { return std::string(info.param.label); });

// ---- Faults that are no row of the table

class OneHostTest : public FaultsTest {};

TEST_F(OneHostTest, NameThatExistsIsRefusedAndStaysWhatItWas) {
  const std::string first = absl::StrCat("create -d none --url=tcp://127.0.0.1:1 taken");
  ASSERT_EQ(Run(first).exit_code, 0);
  const std::string before = Run("inspect taken").out;
  Mark(*sound_host_);
  const Outcome second = Run(Expand(
      "create -d generic --generic-ip-address=HOST --generic-ssh-key=KEY taken", *sound_host_));
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_EQ(second.err, "Docker machine \"taken\" already exists\n");
  EXPECT_EQ(second.out, "");
  EXPECT_EQ(ChangesSinceMark(*sound_host_), "");
  EXPECT_EQ(Run("inspect taken").out, before);
  EXPECT_EQ(Run("rm -y taken").exit_code, 0);
}

// The disk has room when the installation begins, and none any more when dpkg does.
TEST_F(OneHostTest, DiskThatFillsUpDuringTheInstallationIsGoneOnWithOnceThereIsRoom) {
  const BareHost& host = Host(
      "mkdir /mnt/v && mount -t tmpfs -o size=500m none /mnt/v &&"
      "cp -a --one-file-system /var/lib/. /mnt/v && mount --bind /mnt/v /var/lib &&"
      "printf 'DPkg::Pre-Invoke { \"/usr/local/bin/fill || true\"; };' >/etc/apt/apt.conf.d/99full "
      "&&"
      "printf '#!/bin/sh\\n"
      "exec fallocate -l $(df -B 1 --output=avail /var/lib | tail -n 1) /var/lib/full\\n'"
      " >/usr/local/bin/fill && chmod +x /usr/local/bin/fill");
  const Outcome failed =
      Run(Expand("create -d generic --generic-ip-address=HOST --generic-ssh-key=KEY kept", host));
  EXPECT_EQ(failed.exit_code, 1) << failed;
  EXPECT_THAT(failed.err, StartsWith("Error creating machine: "));
  EXPECT_THAT(failed.err, HasSubstr("No space left on device"));
  EXPECT_THAT(failed.err, EndsWith(kNextSteps));
  EXPECT_EQ(Run("status kept").out, "Error\n");
  EXPECT_EQ(Run("env kept").exit_code, 1);
  EXPECT_THAT(Run("ls -f {{.State}}|{{.Error}}").out, HasSubstr("No space left on device"));

  host.Sh("rm /var/lib/full /etc/apt/apt.conf.d/99full");
  const Outcome mended = Run("provision kept");
  EXPECT_EQ(mended.exit_code, 0) << mended;
  EXPECT_EQ(Run("status kept").out, "Running\n");
  EXPECT_EQ(Run("ls -f {{.State}}|{{.Error}}").out, "Running|\n");
  EXPECT_EQ(Run("version kept").exit_code, 0);
  EXPECT_EQ(Run("rm -y kept").exit_code, 0);
}

}  // namespace
}  // namespace machine::tests
