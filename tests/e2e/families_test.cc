// Every supported family of operating systems: a host that answers as that system does becomes a
// Docker host, with exactly these commands to its package tools. The engine that the tools
// "install" is a real one, started by systemd (or boot2docker's own script), and answers over TLS.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "services/common/file/file.h"
#include "tests/e2e/bed.h"
#include "tests/integration/world.h"

namespace machine::tests {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct Family {
  const char* label;
  const char* os_release;
  const char* tools;
  // Of `families.sh state`, as shell commands.
  const char* state;
  const char* provisioner;
  std::string created_with;
  std::string upgraded_with;
  // Words of the engine's command line that are of its package, each with a line end.
  std::string keeps = "";
};
void PrintTo(const Family& family, std::ostream* stream) { *stream << family.label; }

// What an installation from Docker's own package source takes, with dnf or yum. The lists are
// fetched again after each try that found somebody else at work.
std::string FromDockersSource(absl::string_view tool, absl::string_view folder, int refreshes = 1) {
  const std::string list =
      absl::StrCat(tool, " -q list ", tool == "dnf" ? "--available " : "available ");
  std::string commands = absl::StrCat(list, "docker-ce\n");
  for (int i = 0; i < refreshes; ++i) {
    absl::StrAppend(&commands, tool, " -q -y --setopt=exit_on_lock=True makecache\n");
  }
  return absl::StrCat(commands, list, "docker-ce\n",
                      "curl -fsSL --retry 2 --connect-timeout 15 -o WORK/docker-ce.repo -- "
                      "https://download.docker.com/linux/",
                      folder, "/docker-ce.repo\n", list, "docker-ce\n", list, "docker-cli\n", tool,
                      " -q -y --setopt=exit_on_lock=True install docker-ce\n");
}

// Whose engine it is and what goes with it.
constexpr char kRpmQuestions[] =
    "rpm -qf --qf %{NAME}\\n /usr/bin/dockerd\n"
    "rpm -q docker-cli\nrpm -q docker-ce-cli\nrpm -q containerd\nrpm -q containerd.io\n"
    "rpm -q runc\n";

std::string UpgradeOf(absl::string_view packages, absl::string_view tool = "dnf") {
  return absl::StrCat(kRpmQuestions, tool, " -q -y --setopt=exit_on_lock=True makecache\nrpm -q ",
                      packages, "\n", tool, " -q -y --setopt=exit_on_lock=True upgrade ", packages,
                      "\nrpm -q ", packages, "\n");
}

std::string ZypperUpgrade() {
  return absl::StrCat(kRpmQuestions,
                      "zypper --non-interactive --quiet refresh\nrpm -q docker containerd\n"
                      "zypper --non-interactive --quiet update --no-recommends docker containerd\n"
                      "rpm -q docker containerd\n");
}

constexpr char kEngine[] = "systemctl show docker.service -p MainPID --value";
constexpr char kDockerCe[] = "docker-ce docker-ce-cli containerd.io";

// What shells, systemd, JSON and boot2docker's profile each make something of.
constexpr char kLabel[] = R"(note=it's "so": $HOME `id` 50% \n ü)";
constexpr char kVariable[] = R"(NOTE=it's "so": ${HOME} `id` 50% \n ü)";

struct Shared {
  Bed bed;
  BareHost host{bed, "e2e-families"};
};

class FamiliesTest : public WorldTest, public testing::WithParamInterface<Family> {
 protected:
  static void SetUpTestSuite() {
    if (!Bed::Ready()) return;
    shared_ = new Shared;
    const std::string scripts = getenv("MACHINE_BED_SCRIPTS");
    shared_->host.Sh("mkdir /opt/family");
    for (const char* const script : {"families.sh", "boot2docker-docker.sh"}) {
      const auto text = common::ReadFile(absl::StrCat(scripts, "/", script));
      ASSERT_TRUE(text.ok()) << text.status();
      shared_->host.Sh(absl::StrCat("echo ", absl::Base64Escape(*text),
                                    " | base64 -d >/opt/family/", script, "; chmod 755 ",
                                    "/opt/family/", script));
    }
    shared_->host.Sh("/opt/family/families.sh prepare");
  }

  static void TearDownTestSuite() { delete std::exchange(shared_, nullptr); }

  void SetUp() override {
    if (shared_ == nullptr) GTEST_SKIP() << kNoBed;
  }

  static void Become(absl::string_view os_release, absl::string_view tools,
                     absl::string_view state = "") {
    shared_->host.Sh(absl::StrCat("cd /opt/family; ./families.sh become ", tools, " <<'END'\n",
                                  os_release, "END\n", state));
  }

  static std::string Commands() {
    return absl::StrCat(shared_->host.Sh("/opt/family/families.sh commands"), "\n");
  }

  Outcome Create(std::vector<std::string> options) const {
    std::vector<std::string> words = {"create",
                                      "-d",
                                      "generic",
                                      "--generic-ip-address=" + shared_->host.ip(),
                                      "--generic-ssh-user=deb",
                                      "--generic-ssh-key=" + shared_->bed.key()};
    words.insert(words.end(), options.begin(), options.end());
    words.push_back("machine");
    return world_.RunWords(words);
  }

  static std::vector<std::string> EngineOptions() {
    return {
        absl::StrCat("--engine-label=", kLabel),    "--engine-label=tier=web",
        absl::StrCat("--engine-env=", kVariable),   "--engine-env=NO_PROXY=10.0.0.0/8,.test",
        "--engine-insecure-registry=new.test:5000", "--engine-registry-mirror=https://mirror.test",
        "--engine-opt=log-driver=json-file",        "--engine-opt=log-opt=max-file=3",
        "--engine-opt=shutdown-timeout=7",          "--engine-storage-driver=overlay2"};
  }

  // What the daemon says of itself over TLS, and the environment of its process `pid`.
  void ExpectEngineOptions(absl::string_view pid) const {
    const Outcome asked = world_.RunOther(
        {"bash", "-euc", "docker $(docker-machine config machine) info -f '{{json .}}'"});
    ASSERT_EQ(asked.exit_code, 0) << asked;
    const auto info = nlohmann::json::parse(asked.out, nullptr, /*allow_exceptions=*/false);
    EXPECT_THAT(info["Labels"].get<std::vector<std::string>>(),
                testing::IsSupersetOf({std::string(kLabel), std::string("tier=web"),
                                       std::string("provider=generic")}));
    const auto& registries = info["RegistryConfig"];
    EXPECT_TRUE(registries["IndexConfigs"].contains("new.test:5000")) << registries;
    EXPECT_EQ(registries["Mirrors"], nlohmann::json({"https://mirror.test/"}));
    EXPECT_EQ(info["Driver"], "overlay2");
    EXPECT_EQ(info["LoggingDriver"], "json-file");
    EXPECT_EQ(info["NoProxy"], "10.0.0.0/8,.test");
    const std::string environment = shared_->host.Sh(absl::StrCat(
        "tr '\\0' '\\n' </proc/", pid, "/environ | grep -E '^(NOTE|NO_PROXY)=' | sort"));
    EXPECT_EQ(environment, absl::StrCat(kVariable, "\nNO_PROXY=10.0.0.0/8,.test"));
  }

  std::string ServerVersion() const {
    return world_
        .RunOther({"bash", "-euc",
                   "docker $(docker-machine config machine) version -f {{.Server.Version}}"})
        .out;
  }

  static Shared* shared_;
};
Shared* FamiliesTest::shared_ = nullptr;

TEST_P(FamiliesTest, BecomesADockerHostByItsOwnTools) {
  const Family& family = GetParam();
  Become(family.os_release, family.tools, family.state);
  const Outcome created = Create(EngineOptions());
  ASSERT_EQ(created.exit_code, 0) << created;
  EXPECT_THAT(created.out, HasSubstr(absl::StrCat("Provisioning with ", family.provisioner,
                                                  "...\nInstalling Docker...\n")));
  EXPECT_EQ(Commands(), family.created_with);
  EXPECT_EQ(shared_->host.Sh("systemctl is-enabled docker.service"), "enabled");
  const std::string engine = shared_->host.Sh(kEngine);
  ExpectEngineOptions(engine);
  EXPECT_THAT(shared_->host.Sh(absl::StrCat("tr '\\0' '\\n' </proc/", engine, "/cmdline")),
              HasSubstr(family.keeps));

  // Nothing differs: nothing is installed, and the engine goes on.
  const Outcome again = Run("provision machine");
  EXPECT_EQ(again.exit_code, 0) << again;
  EXPECT_EQ(Commands(), "\n");
  EXPECT_EQ(shared_->host.Sh(kEngine), engine);

  const Outcome upgraded = Run("upgrade machine");
  EXPECT_EQ(upgraded.exit_code, 0) << upgraded;
  EXPECT_EQ(Commands(), family.upgraded_with);
}

INSTANTIATE_TEST_SUITE_P(
    Families, FamiliesTest,
    testing::ValuesIn<Family>({
        {"FedoraWhereRpmIsBusy", "ID=fedora\nVERSION_ID=42\nPRETTY_NAME=\"Fedora Linux 42\"\n",
         "dnf rpm",
         "./families.sh state sources \"$(printf 'moby-engine\\ndocker-cli')\"\n"
         "./families.sh state busy 1\n",
         "fedora",
         "dnf -q list --available moby-engine\n"
         "dnf -q list --available docker-cli\n"
         "dnf -q -y --setopt=exit_on_lock=True install moby-engine docker-cli\n"
         "dnf -q -y --setopt=exit_on_lock=True install moby-engine docker-cli\n",
         UpgradeOf("moby-engine docker-cli containerd")},
        {"Fedora40", "ID=fedora\nVERSION_ID=40\nPRETTY_NAME=\"Fedora Linux 40\"\n", "dnf rpm",
         "./families.sh state sources \"$(printf 'moby-engine\\ndocker-cli')\"\n./families.sh "
         "state unit '/usr/bin/dockerd --host=fd:// --exec-opt native.cgroupdriver=systemd "
         "$OPTIONS'\n"
         "./families.sh state sysconfig 'OPTIONS=\"--log-driver=journald \\\n"
         "  --storage-driver=overlay2 \\\n  --live-restore \\\n"
         "  --default-ulimit nofile=1024:1024 \\\n\"'\n",
         "fedora",
         "dnf -q list --available moby-engine\n"
         "dnf -q list --available docker-cli\n"
         "dnf -q -y --setopt=exit_on_lock=True install moby-engine docker-cli\n",
         UpgradeOf("moby-engine docker-cli containerd"),
         "--live-restore\n--default-ulimit\nnofile=1024:1024\n"},
        {"RedHat10", "ID=\"rhel\"\nVERSION_ID=\"10.0\"\n", "dnf rpm", "", "redhat",
         FromDockersSource("dnf", "rhel"), UpgradeOf(kDockerCe)},
        {"RedHat8", "ID=\"rhel\"\nVERSION_ID=\"8.10\"\n", "dnf rpm", "", "redhat",
         FromDockersSource("dnf", "rhel"), UpgradeOf(kDockerCe)},
        {"CentOsStream10", "ID=\"centos\"\nVERSION_ID=\"10\"\n", "dnf rpm", "", "centos",
         FromDockersSource("dnf", "centos"), UpgradeOf(kDockerCe)},
        {"CentOs7", "ID=\"centos\"\nVERSION_ID=\"7\"\n", "yum rpm", "", "centos",
         FromDockersSource("yum", "centos"), UpgradeOf(kDockerCe, "yum")},
        {"Rocky", "ID=\"rocky\"\nVERSION_ID=\"9.6\"\n", "dnf rpm", "", "rocky",
         FromDockersSource("dnf", "centos"), UpgradeOf(kDockerCe)},
        {"AlmaLinuxWhoseToolIsBusy", "ID=\"almalinux\"\nVERSION_ID=\"9.6\"\n", "dnf rpm",
         "./families.sh state busy 1\n", "almalinux",
         FromDockersSource("dnf", "centos", /*refreshes=*/2), UpgradeOf(kDockerCe)},
        {"OracleLinux9", "ID=\"ol\"\nVERSION_ID=\"9.6\"\n", "dnf rpm", "", "oraclelinux",
         absl::StrCat("dnf -q list --available docker-engine\n",
                      "dnf -q list --available docker-ce\n"
                      "dnf -q -y --setopt=exit_on_lock=True makecache\n"
                      "dnf -q list --available docker-engine\n"
                      "dnf -q list --available docker-ce\n"
                      "curl -fsSL --retry 2 --connect-timeout 15 -o WORK/docker-ce.repo -- "
                      "https://download.docker.com/linux/centos/docker-ce.repo\n"
                      "dnf -q list --available docker-engine\n"
                      "dnf -q list --available docker-ce\n"
                      "dnf -q list --available docker-cli\n"
                      "dnf -q -y --setopt=exit_on_lock=True install docker-ce\n"),
         UpgradeOf(kDockerCe)},
        {"OracleLinux8", "ID=\"ol\"\nVERSION_ID=\"8.9\"\n", "dnf rpm",
         "./families.sh state sources docker-engine\n", "oraclelinux",
         "dnf -q list --available docker-engine\n"
         "dnf -q list --available docker-cli\n"
         "dnf -q -y --setopt=exit_on_lock=True install docker-engine\n",
         UpgradeOf("docker-engine containerd")},
        {"AmazonLinux2023", "ID=\"amzn\"\nVERSION_ID=\"2023\"\n", "dnf rpm",
         "./families.sh state sources docker\n./families.sh state unit '/usr/bin/dockerd -H fd:// "
         "--containerd=/run/containerd/containerd.sock $OPTIONS $DOCKER_STORAGE_OPTIONS "
         "$DOCKER_ADD_RUNTIMES'\n"
         "./families.sh state sysconfig 'OPTIONS=\"--default-ulimit nofile=32768:65536\"'\n",
         "amazonlinux",
         "dnf -q list --available docker\n"
         "dnf -q list --available docker-cli\n"
         "dnf -q -y --setopt=exit_on_lock=True install docker\n",
         UpgradeOf("docker containerd"), "--default-ulimit\nnofile=32768:65536\n"},
        {"AmazonLinux2", "ID=\"amzn\"\nVERSION_ID=\"2\"\n", "yum rpm amazon-linux-extras", "",
         "amazonlinux",
         "yum -q list available docker\n"
         "yum -q -y --setopt=exit_on_lock=True makecache\n"
         "yum -q list available docker\n"
         "amazon-linux-extras enable docker\n"
         "yum -q list available docker\n"
         "yum -q list available docker-cli\n"
         "yum -q -y --setopt=exit_on_lock=True install docker\n",
         UpgradeOf("docker containerd", "yum")},
        {"OpenSuseLeap", "ID=\"opensuse-leap\"\nVERSION_ID=\"15.6\"\n", "zypper rpm",
         "./families.sh state sources \"$(printf 'docker\\niptables')\"\n./families.sh state unit "
         "'/usr/bin/dockerd $DOCKER_NETWORK_OPTIONS $DOCKER_OPTS'\n",
         "openSUSE",
         "zypper --non-interactive --quiet --no-refresh search --match-exact --type package "
         "docker\n"
         "zypper --non-interactive --quiet --no-refresh search --match-exact --type package "
         "iptables\n"
         "zypper --non-interactive --quiet install --no-recommends docker iptables\n",
         ZypperUpgrade()},
        {"OpenSuseTumbleweed", "ID=\"opensuse-tumbleweed\"\nVERSION_ID=\"20261120\"\n",
         "zypper rpm", "./families.sh state sources docker\n", "openSUSE",
         "zypper --non-interactive --quiet --no-refresh search --match-exact --type package "
         "docker\n"
         "zypper --non-interactive --quiet --no-refresh search --match-exact --type package "
         "iptables\n"
         "zypper --non-interactive --quiet install --no-recommends docker\n",
         ZypperUpgrade()},
        {"Sles", "ID=\"sles\"\nVERSION_ID=\"15.5\"\n", "zypper rpm SUSEConnect",
         "./families.sh state busy 1\n", "sles",
         "zypper --non-interactive --quiet --no-refresh search --match-exact --type package "
         "docker\n"
         "zypper --non-interactive --quiet refresh\n"
         "zypper --non-interactive --quiet refresh\n"
         "zypper --non-interactive --quiet --no-refresh search --match-exact --type package "
         "docker\n"
         "SUSEConnect -p sle-module-containers/15.5/x86_64\n"
         "zypper --non-interactive --quiet --no-refresh search --match-exact --type package "
         "docker\n"
         "zypper --non-interactive --quiet --no-refresh search --match-exact --type package "
         "iptables\n"
         "zypper --non-interactive --quiet install --no-recommends docker\n",
         ZypperUpgrade()},
        {"Arch", "ID=arch\nPRETTY_NAME=\"Arch Linux\"\n", "pacman",
         "./families.sh state sources docker; touch /var/lib/pacman/db.lck\n", "arch",
         "pacman -Si docker\n"
         "pacman --noconfirm --noprogressbar -S --needed docker\n"
         "pacman --noconfirm --noprogressbar -S --needed docker\n",
         "pacman -Qqo /usr/bin/dockerd\n"
         "pacman -Q docker-cli\n"
         "pacman -Q docker-ce-cli\n"
         "pacman -Q containerd\n"
         "pacman -Q containerd.io\n"
         "pacman -Q runc\n"
         "pacman --noconfirm --noprogressbar -Sy\n"
         "pacman -Q docker containerd\n"
         "pacman --noconfirm --noprogressbar -S --needed docker containerd\n"
         "pacman -Q docker containerd\n"},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST_F(FamiliesTest, Boot2dockerKeepsItsOwnWay) {
  Become("ID=boot2docker\nVERSION_ID=19.03.12\nPRETTY_NAME=\"Boot2Docker 19.03.12\"\n",
         "boot2docker");
  const Outcome created = Create(EngineOptions());
  ASSERT_EQ(created.exit_code, 0) << created;
  EXPECT_THAT(created.out, HasSubstr("Provisioning with boot2docker...\n"));
  EXPECT_THAT(created.out, Not(HasSubstr("Installing Docker...\n")));
  EXPECT_NE(ServerVersion(), "");
  const BareHost& host = shared_->host;
  EXPECT_EQ(host.Sh("stat -c '%a %U' /var/lib/boot2docker/server-key.pem"), "600 root");
  ExpectEngineOptions("$(cat /run/docker.pid)");
  EXPECT_EQ(host.Sh("cat /var/lib/boot2docker/etc/hostname"), "machine");

  const std::string engine = host.Sh("cat /run/docker.pid");
  EXPECT_EQ(Run("provision machine").exit_code, 0);
  EXPECT_EQ(host.Sh("cat /run/docker.pid"), engine);
  // Others' settings stay beside ours, and a change of theirs does not go unseen.
  host.Sh("echo '{\"max-concurrent-downloads\": 2}' >/var/lib/boot2docker/daemon.json");
  EXPECT_EQ(Run("provision machine").exit_code, 0);
  EXPECT_NE(host.Sh("cat /run/docker.pid"), engine);
  EXPECT_THAT(host.Sh("cat /var/lib/boot2docker/daemon.json"), HasSubstr("downloads\": 2"));
  EXPECT_NE(ServerVersion(), "");

  const Outcome upgraded = Run("upgrade machine");
  EXPECT_EQ(upgraded.exit_code, 1);
  EXPECT_THAT(upgraded.err, HasSubstr("the engine of a boot2docker host cannot be upgraded"));
}

TEST_F(FamiliesTest, AnUnknownSystemIsNamed) {
  Become("ID=plan9\nPRETTY_NAME=\"Plan 9\"\n", "");
  const Outcome created = Create({"--on-failure=rollback"});
  EXPECT_EQ(created.exit_code, 1);
  EXPECT_THAT(created.err, HasSubstr("unsupported operating system \"plan9\" (Plan 9); supported: "
                                     "debian, ubuntu, "));
  EXPECT_EQ(Commands(), "\n");
}

// Debian's own tools are Ubuntu's, too.
TEST_F(FamiliesTest, UbuntuIsServedByApt) {
  BareHost host(shared_->bed, "e2e-ubuntu");
  host.Sh(
      "rm /etc/os-release; printf 'ID=ubuntu\\nVERSION_ID=\"24.04\"\\nPRETTY_NAME=\"Ubuntu "
      "24.04 LTS\"\\n' >/etc/os-release");
  const Outcome created = Run(
      absl::StrCat("create -d generic --generic-ip-address=", host.ip(),
                   " --generic-ssh-user=deb --generic-ssh-key=", shared_->bed.key(), " machine"));
  ASSERT_EQ(created.exit_code, 0) << created;
  EXPECT_THAT(created.out, HasSubstr("Provisioning with ubuntu(systemd)...\n"));
  EXPECT_NE(ServerVersion(), "");
  EXPECT_THAT(host.Sh("grep ^Commandline /var/log/apt/history.log"),
              HasSubstr("apt-get -qq -y -o Dpkg::Options::=--force-confdef -o "
                        "Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 install "
                        "--no-install-recommends docker.io"));
}

}  // namespace
}  // namespace machine::tests
