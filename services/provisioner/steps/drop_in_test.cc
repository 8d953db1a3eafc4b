#include "services/provisioner/steps/drop_in.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "services/common/status/status.h"

namespace machine::provisioner {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Facts HostWith(absl::string_view exec_start, bool socket_unit = true) {
  Facts facts;
  facts.dockerd_path = "/usr/sbin/dockerd";
  facts.exec_start = std::string(exec_start);
  facts.docker_socket.load_state = socket_unit ? "loaded" : "not-found";
  return facts;
}

EngineSettings Settings() {
  EngineSettings settings;
  settings.hosts = {"tcp://0.0.0.0:2376"};
  settings.daemon_json.push_back({"labels", "label", StringList{"a"}});
  settings.daemon_json.push_back({"tlsverify", "tlsverify", true});
  settings.daemon_json.push_back({"storage-driver", "storage-driver", std::string("overlay2")});
  return settings;
}

std::vector<std::string> Lines(const std::string& text, absl::string_view prefix) {
  std::vector<std::string> lines;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (absl::ConsumePrefix(&line, prefix)) lines.emplace_back(line);
  }
  return lines;
}

struct ExecCase {
  absl::string_view label;
  absl::string_view installed;
  bool socket_unit;
  bool lists_hosts;
  absl::string_view exec_start;
};

class ExecStartTest : public testing::TestWithParam<ExecCase> {};

TEST_P(ExecStartTest, IsTheInstalledOneWithOurs) {
  const ExecCase& c = GetParam();
  const auto text = RenderDropIn(HostWith(c.installed, c.socket_unit), Settings(), c.lists_hosts);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_THAT(Lines(*text, "ExecStart="), ElementsAre("", std::string(c.exec_start)));
}

INSTANTIATE_TEST_SUITE_P(
    Cases, ExecStartTest,
    testing::ValuesIn<ExecCase>({
        {"DebiansPackage", "/usr/sbin/dockerd -H fd:// $DOCKER_OPTS", true, false,
         "/usr/sbin/dockerd $DOCKER_OPTS -H fd:// -H tcp://0.0.0.0:2376"},
        {"DockersPackage", "/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock",
         true, false,
         "/usr/bin/dockerd --containerd=/run/containerd/containerd.sock -H fd:// "
         "-H tcp://0.0.0.0:2376"},
        {"NoSocketUnit", "/usr/bin/dockerd -H fd://", false, false,
         "/usr/bin/dockerd -H unix:///var/run/docker.sock -H tcp://0.0.0.0:2376"},
        {"NoAddressAtAll", "/usr/bin/dockerd", true, false,
         "/usr/bin/dockerd -H unix:///var/run/docker.sock -H tcp://0.0.0.0:2376"},
        {"LongSpellingOfTheAddress", "/usr/bin/dockerd --host=fd:// --host tcp://1:1", true, false,
         "/usr/bin/dockerd -H fd:// -H tcp://0.0.0.0:2376"},
        {"ShortSpellingOfTheAddress", "/usr/bin/dockerd -H=fd:// -Htcp://1:1", true, false,
         "/usr/bin/dockerd -H fd:// -H tcp://0.0.0.0:2376"},
        {"OneLetterSpellingOfAnOption", "/usr/bin/dockerd -s vfs -s=vfs -svfs -D -H fd://", true,
         false, "/usr/bin/dockerd -D -H fd:// -H tcp://0.0.0.0:2376"},
        {"AddressesInDaemonJson", "/usr/bin/dockerd -H fd:// --debug", true, true,
         "/usr/bin/dockerd --debug"},
        {"OptionsThatAreOursNow", "/usr/bin/dockerd --label a=1 --tlsverify --label=b=2 -H fd://",
         true, false, "/usr/bin/dockerd -H fd:// -H tcp://0.0.0.0:2376"},
        {"OptionsThatOnlyLookLikeOurs", "/usr/bin/dockerd --labels-file x -H fd://", true, false,
         "/usr/bin/dockerd --labels-file x -H fd:// -H tcp://0.0.0.0:2376"},
        {"QuotesStayAsTheyAre", "/usr/bin/dockerd --log-opt 'tag=a b' \"-x\\\"y z\" -H fd://", true,
         false,
         "/usr/bin/dockerd --log-opt 'tag=a b' \"-x\\\"y z\" -H fd:// -H tcp://0.0.0.0:2376"},
    }),
    [](const auto& info) { return std::string(info.param.label); });

struct VariableCase {
  absl::string_view label;
  std::string value;
  bool lists_hosts;
  absl::string_view exec_start;
};

class UnitVariableTest : public testing::TestWithParam<VariableCase> {};

TEST_P(UnitVariableTest, StaysUnlessItSetsWhatIsOurs) {
  const VariableCase& c = GetParam();
  Facts host = HostWith("/usr/bin/dockerd -H fd:// $OPTIONS $OTHER");
  host.unit_variables = {{"OPTIONS", c.value}};
  const auto text = RenderDropIn(host, Settings(), c.lists_hosts);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_THAT(Lines(*text, "ExecStart="), ElementsAre("", std::string(c.exec_start)));
}

INSTANTIATE_TEST_SUITE_P(
    Cases, UnitVariableTest,
    testing::ValuesIn<VariableCase>({
        {"Empty", "", false, "/usr/bin/dockerd $OPTIONS $OTHER -H fd:// -H tcp://0.0.0.0:2376"},
        {"OthersOptions", "--default-ulimit nofile=1024:4096", false,
         "/usr/bin/dockerd $OPTIONS $OTHER -H fd:// -H tcp://0.0.0.0:2376"},
        {"OursAmongOthers", "--icc=false --label a=1 --tlsverify --log-opt \"tag=$x 5%\"", false,
         "/usr/bin/dockerd --icc=false --log-opt \"tag=$$x 5%%\" $OTHER -H fd:// "
         "-H tcp://0.0.0.0:2376"},
        {"OnlyOurs", "--label=a=1", false,
         "/usr/bin/dockerd $OTHER -H fd:// -H tcp://0.0.0.0:2376"},
        {"TheOriginalsOfAnOldHost",
         "-H tcp://0.0.0.0:2376 -H unix:///var/run/docker.sock -s overlay2 --tlsverify", false,
         "/usr/bin/dockerd $OTHER -H fd:// -H tcp://0.0.0.0:2376"},
        {"TheSocketOfSystemd", "-H fd://", false,
         "/usr/bin/dockerd $OTHER -H fd:// -H tcp://0.0.0.0:2376"},
        {"AnAddressOfOthers", "-H tcp://10.0.0.1:2375", false,
         "/usr/bin/dockerd $OPTIONS $OTHER -H fd:// -H tcp://0.0.0.0:2376"},
        {"AnAddressOfOthersWhereDaemonJsonHasThem", "-D -H tcp://10.0.0.1:2375", true,
         "/usr/bin/dockerd -D $OTHER"},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST(RenderDropInTest, FlagsAndEnvironmentAreQuotedForSystemd) {
  EngineSettings settings = Settings();
  settings.flags = {"--plain=x", "--title=a \"b\" $HOME 100% \\"};
  settings.env = {"HTTP_PROXY=http://u:p%20@h:1/", "TEXT=it's \"$HOME\" \\"};
  const auto text = RenderDropIn(HostWith("/usr/bin/dockerd -H fd://"), settings, false);
  ASSERT_TRUE(text.ok());
  EXPECT_THAT(Lines(*text, "ExecStart=/")[0],
              HasSubstr(R"(--plain=x "--title=a \"b\" $$HOME 100%% \\")"));
  EXPECT_THAT(Lines(*text, "Environment="),
              ElementsAre(R"("HTTP_PROXY=http://u:p%%20@h:1/")", R"("TEXT=it's \"$HOME\" \\")"));
}

TEST(RenderDropInTest, AnEngineWithoutAUnitIsAnError) {
  const absl::Status status = RenderDropIn(HostWith(""), Settings(), false).status();
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_HOST_COMMAND_FAILED);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/usr/sbin/dockerd"));
}

TEST(SystemdWordTest, QuotesOnlyWhereNeeded) {
  EXPECT_EQ(SystemdWord("tcp://[::]:2376"), "tcp://[::]:2376");
  EXPECT_EQ(SystemdWord(""), "\"\"");
  EXPECT_EQ(SystemdWord(";"), "\";\"");
  EXPECT_EQ(SystemdWord("$A"), "\"$$A\"");
}

}  // namespace
}  // namespace machine::provisioner
