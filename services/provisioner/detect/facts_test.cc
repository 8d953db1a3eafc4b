#include "services/provisioner/detect/facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdio.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"
#include "services/provisioner/host/fake_host.h"

namespace machine::provisioner {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

common::CallScope MakeCall() {
  return common::CallScope(absl::InfiniteFuture(), std::make_shared<common::Cancellation>(), {});
}

constexpr absl::string_view kDebian = R"(Welcome! A login script that talks.
@fact user=deb
@fact access=sudo
@fact os_id=debian
@fact os_version=12
@fact os_name=Debian GNU/Linux 12 (bookworm)
@fact architecture=x86_64
@fact hostname=dev
@fact init=systemd
@fact dockerd=/usr/sbin/dockerd
@fact dockerd_version=Docker version 20.10.24+dfsg1, build 5d6db84
@fact unit.Id=docker.service
@fact unit.LoadState=loaded
@fact unit.ActiveState=active
@fact unit.UnitFileState=enabled
@fact unit.NeedDaemonReload=yes
@fact unit.Id=docker.socket
@fact unit.LoadState=loaded
@fact unit.ActiveState=inactive
@fact exec_start=/usr/sbin/dockerd -H fd:// $DOCKER_OPTS
@fact unit_variable=DOCKER_OPTS=--label a=1 --icc=false
@fact sha256=0123abcd  /etc/docker/ca.pem
@fact mode=644 0 /etc/docker/ca.pem
@fact mode=600 0 /etc/docker/server-key.pem
@fact daemon_json=eyJkZWJ1ZyI6IHRydWV9Cg==
@fact pending=1
@fact storage_data=overlay2
@fact running_containers=3
@fact disk=1024000 /
@fact disk=99 /var/lib with blank
@fact cloud_init=running
@fact end=1
)";

TEST(ParseFactsTest, ReadsEverything) {
  Facts facts;
  ASSERT_TRUE(ParseFacts(kDebian, facts).ok());
  EXPECT_EQ(facts.user, "deb");
  EXPECT_EQ(facts.access, RootAccess::kSudo);
  EXPECT_EQ(facts.os_id, "debian");
  EXPECT_EQ(facts.os_version, "12");
  EXPECT_EQ(facts.os_name, "Debian GNU/Linux 12 (bookworm)");
  EXPECT_EQ(facts.architecture, "x86_64");
  EXPECT_EQ(facts.hostname, "dev");
  EXPECT_EQ(facts.init, "systemd");
  EXPECT_TRUE(facts.engine_installed());
  EXPECT_EQ(facts.docker_version, "20.10.24+dfsg1");
  EXPECT_EQ(facts.docker_service.active_state, "active");
  EXPECT_EQ(facts.docker_service.unit_file_state, "enabled");
  EXPECT_TRUE(facts.docker_service.need_daemon_reload);
  EXPECT_EQ(facts.docker_socket.active_state, "inactive");
  EXPECT_FALSE(facts.docker_socket.need_daemon_reload);
  EXPECT_EQ(facts.exec_start, "/usr/sbin/dockerd -H fd:// $DOCKER_OPTS");
  EXPECT_THAT(facts.unit_variables, ElementsAre(Pair("DOCKER_OPTS", "--label a=1 --icc=false")));
  EXPECT_EQ(facts.files["/etc/docker/ca.pem"].sha256, "0123abcd");
  EXPECT_EQ(facts.files["/etc/docker/ca.pem"].mode, 0644);
  EXPECT_EQ(facts.files["/etc/docker/server-key.pem"].mode, 0600);
  EXPECT_EQ(facts.files["/etc/docker/server-key.pem"].uid, 0);
  EXPECT_EQ(facts.files["/etc/docker/server-key.pem"].sha256, "");
  EXPECT_EQ(facts.daemon_json, "{\"debug\": true}\n");
  EXPECT_TRUE(facts.pending);
  EXPECT_THAT(facts.storage_with_data, ElementsAre("overlay2"));
  EXPECT_EQ(facts.running_containers, 3);
  ASSERT_EQ(facts.disks.size(), 2);
  EXPECT_EQ(facts.disks[1].mount, "/var/lib with blank");
  EXPECT_EQ(facts.disks[1].free_kib, 99);
  EXPECT_TRUE(facts.cloud_init_running);
}

TEST(ParseFactsTest, OutputThatIsCutOffIsNotBelieved) {
  Facts facts;
  const absl::string_view cut = kDebian.substr(0, kDebian.find("@fact end"));
  const absl::Status status = ParseFacts(cut, facts);
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_SSH_UNREACHABLE);
  EXPECT_EQ(facts.os_id, "");
}

TEST(ParseFactsTest, ASecondLookForgetsWhatIsGoneAndKeepsTheAccess) {
  Facts facts;
  ASSERT_TRUE(ParseFacts(kDebian, facts).ok());
  ASSERT_TRUE(ParseFacts("@fact os_id=debian\n@fact end=1\n", facts).ok());
  EXPECT_FALSE(facts.pending);
  EXPECT_FALSE(facts.engine_installed());
  EXPECT_EQ(facts.daemon_json, std::nullopt);
  EXPECT_EQ(facts.access, RootAccess::kSudo);
  EXPECT_EQ(facts.user, "deb");
}

TEST(ParseFactsTest, AnInstallationThatWasCutOffIsNoEngine) {
  for (absl::string_view line :
       {"@fact package=half-configured", "@fact package=unpacked",
        "@fact unit.Id=docker.service\n@fact unit.UnitFileState=masked-runtime"}) {
    Facts facts;
    ASSERT_TRUE(
        ParseFacts(absl::StrCat("@fact dockerd=/usr/sbin/dockerd\n", line, "\n@fact end=1\n"),
                   facts)
            .ok());
    EXPECT_FALSE(facts.engine_installed()) << line;
  }
  for (absl::string_view status : {"installed", "not-installed", "config-files"}) {
    Facts facts;
    ASSERT_TRUE(ParseFacts(absl::StrCat("@fact dockerd=/usr/sbin/dockerd\n@fact package=", status,
                                        "\n@fact end=1\n"),
                           facts)
                    .ok());
    EXPECT_TRUE(facts.engine_installed()) << status;
  }
}

TEST(ParseFactsTest, TextOfTheHostIsMadePrintable) {
  Facts facts;
  ASSERT_TRUE(ParseFacts("@fact os_name=\x1b[1mbad\xff\n@fact end=1\n", facts).ok());
  EXPECT_EQ(facts.os_name, "[1mbad?");
}

TEST(DetectFactsTest, TakesOneCommandAsTheLoginUser) {
  FakeHost host;
  host.Answer(kDebian);
  auto call = MakeCall();
  const absl::StatusOr<Facts> facts = DetectFacts(call, host);
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(host.commands_run(), 1);
  EXPECT_EQ(host.scripts()[0].run_as, RunAs::kLogin);
}

TEST(DetectFactsTest, AHostWithoutAShellIsNamed) {
  FakeHost host;
  host.Answer("", 127, "sh: not found\n");
  auto call = MakeCall();
  const absl::Status status = DetectFacts(call, host).status();
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_HOST_COMMAND_FAILED);
  EXPECT_THAT(std::string(status.message()), HasSubstr("sh: not found"));
}

// The script itself, on this machine.
TEST(FactsScriptTest, RunsInARealShell) {
  FakeHost host;
  host.Answer("@fact end=1\n");
  auto call = MakeCall();
  ASSERT_TRUE(DetectFacts(call, host).ok());
  const std::string command = absl::StrCat("sh -c ", common::ShellQuote(host.scripts()[0].text));
  FILE* pipe = popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string output;
  char buffer[4096];
  while (const size_t n = fread(buffer, 1, sizeof(buffer), pipe)) output.append(buffer, n);
  EXPECT_EQ(pclose(pipe), 0);

  Facts facts;
  ASSERT_TRUE(ParseFacts(output, facts).ok()) << output;
  EXPECT_NE(facts.os_id, "") << output;
  EXPECT_NE(facts.architecture, "") << output;
  EXPECT_NE(facts.user, "") << output;
  EXPECT_NE(facts.init, "") << output;
  EXPECT_FALSE(facts.disks.empty()) << output;
}

}  // namespace
}  // namespace machine::provisioner
