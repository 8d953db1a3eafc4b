// One behaviour on both kinds of host: this one, and a real sshd on it.
#include "drivers/hypervisor/tool_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "drivers/hypervisor/local_tool_host.h"
#include "drivers/hypervisor/ssh_tool_host.h"
#include "services/common/ssh/sshd_for_test.h"
#include "services/common/status/status.h"

namespace machine::driver::hypervisor {
namespace {

using ::testing::HasSubstr;

class ToolHostTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (!GetParam()) {
      host_ = std::make_unique<LocalToolHost>();
      return;
    }
    auto sshd = common::SshdForTest::Start();
    ASSERT_TRUE(sshd.ok()) << sshd.status();
    sshd_ = *std::move(sshd);
    host_ = std::make_unique<SshToolHost>(loop_, sshd_->target(), RemoteShell::kPosix);
  }

  std::string Path(absl::string_view name) const { return absl::StrCat(dir_.path(), "/", name); }

  common::ShortTempDirForTest dir_;
  common::SshLoop loop_;
  std::unique_ptr<common::SshdForTest> sshd_;
  std::shared_ptr<common::Cancellation> cancellation_ = std::make_shared<common::Cancellation>();
  common::CallScope call_{absl::InfiniteFuture(), cancellation_, {}};
  std::unique_ptr<ToolHost> host_;
};
INSTANTIATE_TEST_SUITE_P(Hosts, ToolHostTest, testing::Bool(), [](const auto& info) {
  return std::string(info.param ? "BySsh" : "Here");
});

TEST_P(ToolHostTest, WordsArriveAsTheyWereGiven) {
  const std::vector<std::string> words = {"a b",  "it's", "$HOME", "\"x\"", "*",   ";ls", "\\",
                                          "a\nb", "",     "~",     "!!",    "a=b", "-n",  "ü"};
  std::vector<std::string> argv = {"printf", "%s|"};
  argv.insert(argv.end(), words.begin(), words.end());
  const auto out = RunTool(*host_, call_, argv);
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_EQ(*out, absl::StrCat(absl::StrJoin(words, "|"), "|"));
}

TEST_P(ToolHostTest, StreamsAndExitCodeAreKept) {
  const auto ran =
      host_->Run(call_, {"sh", "-c", "cat; echo bad >&2; exit 3"}, {.stdin_data = "from stdin"});
  ASSERT_TRUE(ran.ok()) << ran.status();
  EXPECT_EQ(ran->exit_code, 3);
  EXPECT_EQ(ran->out, "from stdin");
  EXPECT_EQ(ran->err, "bad\n");
}

TEST_P(ToolHostTest, ToolThatFailsIsNamedWithWhatItSaid) {
  const auto out = RunTool(*host_, call_, {"sh", "-c", "echo no such vm >&2; exit 1"});
  EXPECT_EQ(out.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(out.status().message(), "sh: no such vm");
}

TEST_P(ToolHostTest, ToolThatIsNotThereIsToldFromOneThatFails) {
  const auto ran = host_->Run(call_, {"no-such-tool"});
  if (GetParam()) {
    ASSERT_TRUE(ran.ok()) << ran.status();
    EXPECT_EQ(ran->exit_code, 127);
  } else {
    EXPECT_EQ(ran.status().code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(std::string(ran.status().message()), HasSubstr("no-such-tool is not installed"));
  }
}

TEST_P(ToolHostTest, ToolThatTakesTooLongIsEnded) {
  const auto ran = host_->Run(call_, {"sleep", "1000"}, {.timeout = absl::Milliseconds(200)});
  EXPECT_EQ(ran.status().code(), absl::StatusCode::kDeadlineExceeded) << ran.status();
}

TEST_P(ToolHostTest, CancelledCallRunsNothing) {
  cancellation_->Cancel();
  EXPECT_EQ(RunTool(*host_, call_, {"touch", Path("made")}).status().code(),
            absl::StatusCode::kCancelled);
  EXPECT_NE(access(Path("made").c_str(), F_OK), 0);
}

TEST_P(ToolHostTest, FilesAreWrittenReadAndRemoved) {
  const std::string folder = Path("it's a folder/below");
  ASSERT_TRUE(MakeFolder(*host_, call_, folder).ok());
  struct stat info = {};
  ASSERT_EQ(stat(folder.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0700U);

  const std::string file = folder + "/file";
  EXPECT_EQ(Exists(*host_, call_, file).value(), false);
  ASSERT_TRUE(host_->WriteFile(call_, file, 0600, std::string("a\0b", 3)).ok());
  EXPECT_EQ(Exists(*host_, call_, file).value(), true);
  ASSERT_EQ(stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600U);
  EXPECT_EQ(host_->ReadFile(call_, file, 100).value(), std::string("a\0b", 3));
  EXPECT_FALSE(host_->ReadFile(call_, file, 2).ok());
  EXPECT_EQ(host_->ReadFile(call_, file + "2", 100).status().code(), absl::StatusCode::kNotFound);

  ASSERT_TRUE(RemoveTree(*host_, call_, Path("it's a folder")).ok());
  EXPECT_EQ(Exists(*host_, call_, Path("it's a folder")).value(), false);
  EXPECT_TRUE(RemoveTree(*host_, call_, Path("it's a folder")).ok());
}

class SshToolHostTest : public testing::Test {
 protected:
  common::SshLoop loop_;
  common::CallScope call_{absl::InfiniteFuture(), std::make_shared<common::Cancellation>(), {}};
};

TEST_F(SshToolHostTest, OneConnectionServesAllCallsAndALostOneIsMadeAnew) {
  auto sshd = common::SshdForTest::Start();
  ASSERT_TRUE(sshd.ok()) << sshd.status();
  SshToolHost host(loop_, (*sshd)->target(), RemoteShell::kPosix);
  EXPECT_EQ(host.host_key_sha256(), "");
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(RunTool(host, call_, {"true"}).ok());
  EXPECT_EQ(loop_.connections_opened(), 1);
  EXPECT_EQ(host.host_key_sha256(), (*sshd)->host_key_sha256());
  // The server ends the session's process, and with it the connection.
  EXPECT_FALSE(RunTool(host, call_, {"sh", "-c", "kill -9 $PPID"}).ok());
  const absl::Time limit = absl::Now() + absl::Minutes(1);
  while (!RunTool(host, call_, {"true"}).ok() && absl::Now() < limit) {
  }
  EXPECT_TRUE(RunTool(host, call_, {"true"}).ok());
  EXPECT_EQ(loop_.connections_opened(), 2);
}

TEST_F(SshToolHostTest, HostWithAnotherKeyThanPinnedIsRefused) {
  auto sshd = common::SshdForTest::Start();
  ASSERT_TRUE(sshd.ok()) << sshd.status();
  common::SshTarget target = (*sshd)->target();
  target.host_key_sha256 = std::string(43, 'A');
  SshToolHost host(loop_, target, RemoteShell::kPosix);
  EXPECT_EQ(common::ReasonOf(RunTool(host, call_, {"true"}).status()),
            machine::v1::ERROR_REASON_SSH_HOST_KEY_CHANGED);
}

struct CommandLineCase {
  absl::string_view label;
  std::vector<std::string> argv;
  RemoteShell shell;
  absl::string_view line;  // Empty: refused.
};
class CommandLineTest : public testing::TestWithParam<CommandLineCase> {};
TEST_P(CommandLineTest, QuotesOrRefuses) {
  const CommandLineCase& c = GetParam();
  const auto line = CommandLine(c.argv, c.shell);
  if (c.line.empty()) {
    EXPECT_EQ(line.status().code(), absl::StatusCode::kInvalidArgument);
  } else {
    ASSERT_TRUE(line.ok()) << line.status();
    EXPECT_EQ(*line, c.line);
  }
}
INSTANTIATE_TEST_SUITE_P(
    Lines, CommandLineTest,
    testing::ValuesIn<CommandLineCase>({
        {"PlainWordsAreTheSameEverywhere",
         {"powershell", "-EncodedCommand", "aGk="},
         RemoteShell::kWindows,
         "powershell -EncodedCommand aGk="},
        {"PosixQuotes", {"a b", "it's"}, RemoteShell::kPosix, "'a b' 'it'\\''s'"},
        {"WindowsPathInQuotes",
         {"C:\\Program Files\\VBoxManage.exe", "list"},
         RemoteShell::kWindows,
         "\"C:\\Program Files\\VBoxManage.exe\" list"},
        {"WindowsBackslashBeforeTheQuoteIsDoubled", {"C:\\"}, RemoteShell::kWindows, "\"C:\\\\\""},
        {"WindowsEmptyWord", {"a", ""}, RemoteShell::kWindows, "a \"\""},
        {"WindowsVariableIsRefused", {"%PATH%"}, RemoteShell::kWindows, ""},
        {"WindowsQuoteIsRefused", {"a\"b"}, RemoteShell::kWindows, ""},
    }),
    [](const auto& info) { return std::string(info.param.label); });

struct SshUrlCase {
  absl::string_view label, url, user, host;
  int port;  // 0: refused.
};
class SshUrlTest : public testing::TestWithParam<SshUrlCase> {};
TEST_P(SshUrlTest, ParsesOrRefuses) {
  const SshUrlCase& c = GetParam();
  const auto target = ParseSshUrl(c.url);
  ASSERT_EQ(target.ok(), c.port != 0) << target.status();
  if (!target.ok()) {
    EXPECT_THAT(std::string(target.status().message()), HasSubstr("ssh://USER@HOST[:PORT]"));
    return;
  }
  EXPECT_EQ(target->user, c.user);
  EXPECT_EQ(target->host, c.host);
  EXPECT_EQ(target->port, c.port);
}
INSTANTIATE_TEST_SUITE_P(Urls, SshUrlTest,
                         testing::ValuesIn<SshUrlCase>({
                             {"WithoutPort", "ssh://me@mac.example", "me", "mac.example", 22},
                             {"WithPort", "ssh://me@mac.example:2222", "me", "mac.example", 2222},
                             {"Ipv6", "ssh://me@[2001:db8::1]:2222", "me", "2001:db8::1", 2222},
                             {"Ipv6WithoutPort", "ssh://me@[::1]", "me", "::1", 22},
                             {"TrailingSlash", "ssh://me@h/", "me", "h", 22},
                             {"WindowsAccount", "ssh://DOMAIN\\me@h", "DOMAIN\\me", "h", 22},
                             {"NoUser", "ssh://h", "", "", 0},
                             {"EmptyUser", "ssh://@h", "", "", 0},
                             {"Password", "ssh://me:secret@h", "", "", 0},
                             {"OtherScheme", "http://me@h", "", "", 0},
                             {"Path", "ssh://me@h/x", "", "", 0},
                             {"PortOutOfRange", "ssh://me@h:70000", "", "", 0},
                             {"EmptyPort", "ssh://me@h:", "", "", 0},
                             {"OptionForUser", "ssh://-x@h", "", "", 0},
                             {"OptionForHost", "ssh://me@-x", "", "", 0},
                         }),
                         [](const auto& info) { return std::string(info.param.label); });

}  // namespace
}  // namespace machine::driver::hypervisor
