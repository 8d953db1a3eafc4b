#include "cli/commands/program.h"

#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <thread>

#include "absl/strings/match.h"
#include "cli/commands/program_fixture.h"
#include "cli/commands/program_table.h"
#include "services/common/process/unique_fd.h"

namespace machine::cli {
namespace {

// ---- The program itself

TEST_F(ProgramTest, NoArgumentsPrintHelp) {
  EXPECT_EQ(Run(""), 0);
  EXPECT_TRUE(absl::StartsWith(out(),
                               "Usage: docker-machine [OPTIONS] COMMAND [arg...]\n\n"
                               "Create and manage machines running Docker.\n"));
  EXPECT_EQ(err(), "");
}

TEST_F(ProgramTest, WhatIsNoTextIsNamedBeforeAnythingIsAsked) {
  EXPECT_EQ(RunWords({"create", "--engine-label", "a=\xff", "dev"}), 1);
  EXPECT_EQ(err(), "Error: \"a=\\xff\" is not text in UTF-8\n");
  EXPECT_EQ(RunWords({"import", "/tmp/\xff\n"}), 1);
  EXPECT_EQ(err(), "Error: \"/tmp/\\xff\\n\" is not text in UTF-8\n");
}

TEST_F(ProgramTest, VersionInAllItsForms) {
  for (const char* words : {"--version", "-v", "-version", "version"}) {
    EXPECT_EQ(Run(words), 0);
    EXPECT_TRUE(absl::StartsWith(out(), "docker-machine version 1.0.0, build ")) << out();
  }
}

TEST_F(ProgramTest, UnknownCommand) {
  for (const char* words : {"bogus", "help bogus"}) {
    EXPECT_EQ(Run(words), 1);
    EXPECT_EQ(err(),
              "docker-machine: 'bogus' is not a docker-machine command. See 'docker-machine "
              "--help'.\n");
    EXPECT_EQ(out(), "");
  }
}

TEST_F(ProgramTest, UnknownFlagPrintsHelpAndFails) {
  EXPECT_EQ(Run("ls --bogus"), 1);
  EXPECT_TRUE(absl::StartsWith(out(), "Incorrect Usage.\n\nUsage: docker-machine ls [OPTIONS]"));
  EXPECT_EQ(err(), "flag provided but not defined: -bogus\n");
  EXPECT_EQ(Run("--bogus ls"), 1);
  EXPECT_TRUE(absl::StartsWith(out(), "Incorrect Usage.\n\nUsage: docker-machine [OPTIONS]"));
}

TEST_F(ProgramTest, EveryCommandHasHelpInThreeWays) {
  const ProgramInfo program = ProgramTable(env_);
  for (const CommandInfo& info : program.commands) {
    // What create takes depends on a driver: create_test.
    if (info.hidden || info.name == "help" || info.name == "create") continue;
    const std::string& command = info.name;
    const std::string first = absl::StrCat("Usage: docker-machine ", command, " ");
    for (const std::string& words : {absl::StrCat(command, " -h"), absl::StrCat(command, " --help"),
                                     absl::StrCat("help ", command)}) {
      EXPECT_EQ(Run(words), 0);
      EXPECT_TRUE(absl::StartsWith(out(), first)) << words << out();
    }
  }
}

TEST_F(ProgramTest, GlobalFlagsOfTheOriginalAreAccepted) {
  EXPECT_EQ(Run("--bugsnag-api-token=no-report --github-api-token x --native-ssh -D "
                "--tls-ca-key k ls"),
            0);
  EXPECT_EQ(target_.storage_path, storage_);
}

TEST_F(ProgramTest, OrchestratorIsChosenByFlagOrEnvironment) {
  Run("--host example.org:1 --tls-ca-cert a --tls-client-cert b --tls-client-key c ls");
  EXPECT_EQ(target_.host, "example.org:1");
  EXPECT_EQ(target_.ca_file, "a");
  EXPECT_EQ(target_.key_file, "c");
  env_.Set("MACHINE_HOST", "unix:/x");
  Run("ls");
  EXPECT_EQ(target_.host, "unix:/x");
}

TEST_F(ProgramTest, RelativeStoragePathIsMadeAbsolute) {
  Run("-s some/where ls");
  EXPECT_TRUE(absl::StartsWith(target_.storage_path, "/"));
  EXPECT_TRUE(absl::EndsWith(target_.storage_path, "/some/where"));
}

TEST_F(ProgramTest, EmptyStoragePathIsTheDefault) {
  env_.Set("HOME", "/home/ada");
  Run("-s= ls");
  EXPECT_EQ(target_.storage_path, "/home/ada/.docker/machine");
}

// ---- ip, url, status, active

TEST_F(ProgramTest, IpPrintsAddressesInTheOrderOfTheNames) {
  Put("a", "192.0.2.1");
  Put("b", "192.0.2.2");
  EXPECT_EQ(Run("ip b a b"), 0);
  EXPECT_EQ(out(), "192.0.2.2\n192.0.2.1\n192.0.2.2\n");
}

TEST_F(ProgramTest, IpPrintsWhatItFindsAndThenTheErrors) {
  Put("a", "192.0.2.1");
  Put("off");
  EXPECT_EQ(Run("ip nope a off"), 1);
  EXPECT_EQ(out(), "192.0.2.1\n");
  EXPECT_EQ(err(),
            absl::StrCat(kNopeDoesNotExist, "Error getting IP address: Host is not running\n"));
}

TEST_F(ProgramTest, UrlAndStatus) {
  Put("a", "192.0.2.1");
  Put("off");
  EXPECT_EQ(Run("url a"), 0);
  EXPECT_EQ(out(), "tcp://192.0.2.1:2376\n");
  EXPECT_EQ(Run("url off"), 1);
  EXPECT_EQ(err(), "Host is not running\n");
  EXPECT_EQ(Run("status a"), 0);
  EXPECT_EQ(out(), "Running\n");
  EXPECT_EQ(Run("status off"), 0);
  EXPECT_EQ(out(), "Stopped\n");
  EXPECT_EQ(Run("status nope"), 1);
  EXPECT_EQ(err(), kNopeDoesNotExist);
  EXPECT_EQ(Run("url a off"), 1);
  EXPECT_EQ(err(), "Error: Expected one machine name as an argument\n");
}

TEST_F(ProgramTest, NameThatNoMachineCanHaveDoesNotExist) {
  EXPECT_EQ(Run("status ../x"), 1);
  EXPECT_TRUE(absl::StartsWith(err(), "Docker machine \"../x\" does not exist.")) << err();
}

TEST_F(ProgramTest, StatusOfAMachineThatIsGoneAtTheProviderIsFour) {
  auto machine = MachineOf("gone");
  machine.set_state(machine::v1::MACHINE_STATE_NOT_FOUND);
  orchestrator_.PutMachine(machine);
  EXPECT_EQ(Run("status gone"), 4);
  EXPECT_EQ(out(), "NotFound\n");
}

TEST_F(ProgramTest, WithoutANameTheActiveMachineIsMeantThenTheDefault) {
  EXPECT_EQ(Run("url"), 1);
  EXPECT_EQ(err(), "Error: No machine name(s) specified and no \"default\" machine exists\n");
  Put("default", "192.0.2.9");
  EXPECT_EQ(Run("url"), 0);
  EXPECT_EQ(out(), "tcp://192.0.2.9:2376\n");
  Put("dev", "192.0.2.1");
  env_.Set("DOCKER_HOST", "tcp://192.0.2.1:2376");
  EXPECT_EQ(Run("ip"), 0);
  EXPECT_EQ(out(), "192.0.2.1\n");
}

TEST_F(ProgramTest, Active) {
  EXPECT_EQ(Run("active"), 1);
  EXPECT_EQ(err(), "No active host found\n");
  Put("dev", "192.0.2.1");
  env_.Set("DOCKER_HOST", "tcp://192.0.2.1:2376");
  EXPECT_EQ(Run("active"), 0);
  EXPECT_EQ(out(), "dev\n");
  EXPECT_EQ(Run("active dev"), 1);
  EXPECT_EQ(err(), "Error: Too many arguments given\n");
}

TEST_F(ProgramTest, VersionOfTheEngine) {
  Put("dev", "192.0.2.1");
  Put("off");
  EXPECT_EQ(Run("version dev"), 0);
  EXPECT_EQ(out(), "20.10.24\n");
  EXPECT_EQ(Run("version off"), 1);
  EXPECT_EQ(err(), "Host is not running\n");
}

// ---- inspect

TEST_F(ProgramTest, InspectPrintsTheOriginalsShape) {
  Put("dev", "192.0.2.1");
  EXPECT_EQ(Run("inspect dev"), 0);
  EXPECT_TRUE(absl::StartsWith(out(), "{\n    \"ConfigVersion\": 3,\n")) << out();
  EXPECT_TRUE(absl::EndsWith(out(), "    \"Name\": \"dev\"\n}\n")) << out();
}

TEST_F(ProgramTest, InspectWithAFormat) {
  Put("dev", "192.0.2.1");
  EXPECT_EQ(Run("inspect dev -f {{.HostOptions.AuthOptions.StorePath}}"), 0);
  EXPECT_EQ(out(), absl::StrCat(storage_, "/machines/dev\n"));
  EXPECT_EQ(Run("inspect --format={{.Driver.IPAddress}} dev"), 0);
  EXPECT_EQ(out(), "192.0.2.1\n");
  EXPECT_EQ(RunWords({"inspect", "-f", "{{json .Driver.SSHPort}}", "dev"}), 0);
  EXPECT_EQ(out(), "0\n");
  EXPECT_EQ(RunWords({"inspect", "-f", "{{bogus .}}", "dev"}), 1);
  EXPECT_EQ(err(), "template parsing error: function \"bogus\" not defined\n");
}

// ---- ls

TEST_F(ProgramTest, LsOfNothingIsTheHeader) {
  EXPECT_EQ(Run("ls"), 0);
  EXPECT_EQ(out(), "NAME   ACTIVE   DRIVER   STATE   URL   SWARM   DOCKER   ERRORS\n");
}

TEST_F(ProgramTest, LsTable) {
  Put("dev", "192.0.2.1");
  Put("off");
  auto broken = MachineOf("broken");
  broken.set_state(machine::v1::MACHINE_STATE_ERROR);
  broken.clear_docker_version();
  broken.mutable_last_error()->set_message("no route\nto host");
  orchestrator_.PutMachine(broken);
  env_.Set("DOCKER_HOST", "tcp://192.0.2.1:2376");
  EXPECT_EQ(Run("ls"), 0);
  EXPECT_EQ(out(),
            "NAME     ACTIVE   DRIVER    STATE     URL                    SWARM   DOCKER      "
            "ERRORS\n"
            "broken   -        generic   Error                                    Unknown     "
            "no route to host\n"
            "dev      *        generic   Running   tcp://192.0.2.1:2376           v20.10.24   \n"
            "off      -        generic   Stopped                                  Unknown     \n");
}

TEST_F(ProgramTest, LsQuietAndFormats) {
  Put("dev", "192.0.2.1");
  Put("off");
  EXPECT_EQ(Run("ls -q"), 0);
  EXPECT_EQ(out(), "dev\noff\n");
  EXPECT_EQ(RunWords({"ls", "--format", "{{.Name}}:{{.State}}"}), 0);
  EXPECT_EQ(out(), "dev:Running\noff:Stopped\n");
  EXPECT_EQ(RunWords({"ls", "-f", "table {{.Name}}\\t{{.URL}}"}), 0);
  EXPECT_EQ(out(), "NAME   URL\ndev    tcp://192.0.2.1:2376\noff    \n");
}

TEST_F(ProgramTest, LsShowsSwarms) {
  auto master = MachineOf("m", "192.0.2.1");
  master.mutable_swarm()->set_master(true);
  master.mutable_swarm()->set_discovery("consul://x");
  master.mutable_swarm()->set_host("tcp://0.0.0.0:3377");
  orchestrator_.PutMachine(master);
  auto node = MachineOf("n", "192.0.2.2");
  node.mutable_swarm()->set_discovery("consul://x");
  orchestrator_.PutMachine(node);
  Put("o", "192.0.2.3");
  env_.Set("DOCKER_HOST", "tcp://192.0.2.1:3377");
  EXPECT_EQ(RunWords({"ls", "--format", "{{.Name}} {{.Active}} [{{.Swarm}}]"}), 0);
  EXPECT_EQ(out(), "m * (swarm) [m (master)]\nn - [m]\no - []\n");
  EXPECT_EQ(Run("ls -q --filter swarm=M"), 0);
  EXPECT_EQ(out(), "m\nn\n");
}

TEST_F(ProgramTest, LsNamesWhoHasBegunASwarmWhomeverOthersHaveJoined) {
  const auto put = [&](const std::string& id, const std::string& discovery, bool manager) {
    auto machine = MachineOf(id, "192.0.2.1");
    machine.mutable_swarm()->set_engine_mode(true);
    machine.mutable_swarm()->set_master(manager);
    machine.mutable_swarm()->set_discovery(discovery);
    orchestrator_.PutMachine(machine);
  };
  put("a", "", false);
  put("b", "machine://a", true);
  put("c", "machine://b", false);
  put("other", "", true);
  put("stray", "machine://gone", false);
  // Named anew so that they name each other.
  put("x", "machine://y", false);
  put("y", "machine://x", false);
  EXPECT_EQ(RunWords({"ls", "--format", "{{.Name}} [{{.Swarm}}]"}), 0);
  EXPECT_EQ(out(),
            "a [a (master)]\nb [a (master)]\nc [a]\nother [other (master)]\nstray []\nx []\ny "
            "[]\n");
  EXPECT_EQ(Run("ls -q --filter swarm=a"), 0);
  EXPECT_EQ(out(), "a\nb\nc\n");
}

struct FilterCase {
  absl::string_view label;
  absl::string_view flags;
  absl::string_view names;
};
class LsFilterTest : public ProgramTest, public testing::WithParamInterface<FilterCase> {};
TEST_P(LsFilterTest, Keeps) {
  Put("dev1", "192.0.2.1");
  Put("dev2");
  auto web = MachineOf("web", "192.0.2.3");
  web.set_driver("docker");
  web.mutable_engine()->add_labels("tier=Front");
  orchestrator_.PutMachine(web);
  auto win = MachineOf("win", "192.0.2.4");
  win.set_driver("hyper-v");
  orchestrator_.PutMachine(win);
  EXPECT_EQ(Run(absl::StrCat("ls -q ", GetParam().flags)), 0) << err();
  EXPECT_EQ(out(), GetParam().names);
}
INSTANTIATE_TEST_SUITE_P(Filters, LsFilterTest,
                         testing::ValuesIn<FilterCase>({
                             {"Driver", "--filter driver=DOCKER", "web\n"},
                             {"DriverByItsLaterName", "--filter driver=HyperV", "win\n"},
                             {"State", "--filter state=stopped", "dev2\n"},
                             {"NameIsARegex", "--filter name=^dev[12]$", "dev1\ndev2\n"},
                             {"Label", "--filter label=tier=front", "web\n"},
                             {"LabelKey", "--filter label=tier", "web\n"},
                             {"ImpliedLabel", "--filter label=provider=docker", "web\n"},
                             {"OneKeyIsOr", "--filter name=dev1 --filter name=web", "dev1\nweb\n"},
                             {"TwoKeysAreAnd", "--filter name=dev --filter state=Running",
                              "dev1\n"},
                             {"ShortFlagWithAnEqualsSign", "-f driver=docker", "web\n"},
                             {"Nothing", "--filter driver=none", ""},
                         }),
                         [](const auto& info) { return std::string(info.param.label); });

TEST_F(ProgramTest, LsRefusesFiltersItDoesNotKnow) {
  EXPECT_EQ(Run("ls --filter foo=bar"), 1);
  EXPECT_EQ(err(), "Unsupported filter key 'foo'\n");
  EXPECT_EQ(Run("ls --filter foo"), 1);
  EXPECT_EQ(err(), "Unsupported filter syntax\n");
  EXPECT_EQ(Run("ls --filter name=["), 1);
  EXPECT_TRUE(absl::StartsWith(err(), "Unsupported filter syntax: name=[")) << err();
}

// ---- ssh

machine::v1::ExecResponse Output(absl::string_view text) {
  machine::v1::ExecResponse response;
  response.set_stdout(std::string(text));
  return response;
}
machine::v1::ExecResponse ErrorOutput(absl::string_view text) {
  machine::v1::ExecResponse response;
  response.set_stderr(std::string(text));
  return response;
}
machine::v1::ExecResponse Exit(int code) {
  machine::v1::ExecResponse response;
  response.mutable_exit()->set_code(code);
  return response;
}

TEST_F(ProgramTest, SshReturnsOutputAndExitStatus) {
  Put("dev", "192.0.2.1");
  orchestrator_.ScriptExec({Output("hello\n"), ErrorOutput("oops\n"), Exit(42)});
  EXPECT_EQ(Run("ssh dev ls -l /x"), 42);
  EXPECT_EQ(out(), "hello\n");
  EXPECT_EQ(err(), "oops\nexit status 42\n");
  EXPECT_EQ(orchestrator_.last_exec().command(), "ls -l /x");
  EXPECT_FALSE(orchestrator_.last_exec().pty());
}

TEST_F(ProgramTest, SshTakesFlagsOfTheCommandAsTheyAre) {
  Put("dev", "192.0.2.1");
  orchestrator_.ScriptExec({Exit(0)});
  EXPECT_EQ(Run("ssh dev -- df -h"), 0);
  EXPECT_EQ(orchestrator_.last_exec().command(), "df -h");
  EXPECT_EQ(RunWords({"ssh", "dev", "df -h --driver=x"}), 0);
  EXPECT_EQ(orchestrator_.last_exec().command(), "df -h --driver=x");
  EXPECT_EQ(Run("ssh dev -t top -d 1"), 0);
  EXPECT_EQ(orchestrator_.last_exec().command(), "top -d 1");
  EXPECT_TRUE(orchestrator_.last_exec().pty());
}

// With a terminal as standard input.
TEST_F(ProgramTest, SshWithATerminal) {
  Put("dev", "192.0.2.1");
  int keyboard = -1;
  int terminal = -1;
  winsize size = {.ws_row = 30, .ws_col = 100};
  ASSERT_EQ(openpty(&keyboard, &terminal, nullptr, nullptr, &size), 0);
  const common::UniqueFd keyboard_fd(keyboard), terminal_fd(terminal);
  const common::UniqueFd before(dup(STDIN_FILENO));
  ASSERT_EQ(dup2(terminal, STDIN_FILENO), STDIN_FILENO);
  env_.Set("TERM", "vt220");
  termios settings = {};
  ASSERT_EQ(tcgetattr(terminal, &settings), 0);

  int exit = -1;
  std::thread command([&] { exit = Run("ssh dev"); });
  console_.AwaitOut("welcome\n");
  // Ctrl-C is a byte like any other, and nothing waits for the end of the line.
  EXPECT_EQ(write(keyboard, "a\x03", 2), 2);
  console_.AwaitOut("\x03");
  size = {.ws_row = 40, .ws_col = 120};
  EXPECT_EQ(ioctl(keyboard, TIOCSWINSZ, &size), 0);
  kill(getpid(), SIGWINCH);
  console_.AwaitOut("120x40\n");
  EXPECT_EQ(write(keyboard, "exit\n", 5), 5);
  command.join();
  dup2(before.get(), STDIN_FILENO);

  EXPECT_EQ(exit, 0);
  EXPECT_TRUE(orchestrator_.last_exec().pty());
  EXPECT_EQ(orchestrator_.last_exec().term(), "vt220");
  EXPECT_EQ(orchestrator_.last_exec().window().columns(), 100);
  termios after = {};
  ASSERT_EQ(tcgetattr(terminal, &after), 0);
  EXPECT_EQ(after.c_lflag, settings.c_lflag) << "the terminal is as it was";
}

TEST_F(ProgramTest, SshToAMachineThatIsOffOrUnknown) {
  Put("off");
  EXPECT_EQ(Run("ssh off true"), 1);
  EXPECT_EQ(err(), "Error: Cannot run SSH command: Host \"off\" is not running\n");
  EXPECT_EQ(Run("ssh nope true"), 1);
  EXPECT_EQ(err(), kNopeDoesNotExist);
}

}  // namespace
}  // namespace machine::cli
