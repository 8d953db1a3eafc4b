#include <sys/stat.h>

#include <filesystem>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "cli/commands/program_fixture.h"
#include "services/common/file/file.h"
#include "services/common/process/run.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using fakes::LogEvent;
using fakes::StepEvent;
using machine::v1::FlagSpec;
using machine::v1::LogLine;

class CreateTest : public ProgramTest {
 protected:
  CreateTest() {
    machine::v1::DriverInfo generic;
    generic.set_name("generic");
    FlagSpec* flag = AddFlag(generic, "generic-ip-address", FlagSpec::STRING);
    flag->set_required(true);
    flag->add_env_vars("GENERIC_IP_ADDRESS");
    flag->set_usage("IP Address of machine");
    flag = AddFlag(generic, "generic-ssh-port", FlagSpec::INT);
    flag->mutable_default_value()->set_int_value(22);
    flag->add_aliases("generic-port");
    AddFlag(generic, "generic-ssh-key", FlagSpec::STRING)->set_ssh_private_key(true);
    AddFlag(generic, "generic-password", FlagSpec::STRING)->set_secret(true);
    AddFlag(generic, "generic-fast", FlagSpec::BOOL);
    AddFlag(generic, "generic-tag", FlagSpec::STRING_LIST);
    AddFlag(generic, "generic-data", FlagSpec::STRING)->set_content_option("generic-data-text");
    AddFlag(generic, "generic-data-text", FlagSpec::STRING)->set_secret(true);
    orchestrator_.AddDriver(generic);
    machine::v1::DriverInfo none;
    none.set_name("none");
    AddFlag(none, "url", FlagSpec::STRING)->set_usage("URL of host when no driver is selected");
    orchestrator_.AddDriver(none);
    std::filesystem::create_directories(home_ + "/.ssh");
    env_.Set("HOME", home_);
  }

  static FlagSpec* AddFlag(machine::v1::DriverInfo& driver, const std::string& name,
                           FlagSpec::Type type) {
    FlagSpec* flag = driver.add_flags();
    flag->set_name(name);
    flag->set_type(type);
    return flag;
  }

  // The option of the last create, as text with its kind.
  std::string Option(absl::string_view name) const {
    const auto create = orchestrator_.last_create();
    for (const auto& option : create.machine().driver_options()) {
      if (option.name() != name) continue;
      return absl::StrReplaceAll(option.ShortDebugString(),
                                 {{absl::StrCat("name: \"", name, "\" "), ""}});
    }
    return "";
  }

  std::string MakeKey(const std::string& name, const std::string& passphrase) const {
    std::string path = home_ + "/.ssh/" + name;
    std::filesystem::remove(path);
    const auto made =
        common::RunProgram({"ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", path});
    EXPECT_TRUE(made.ok() && made->ok()) << made.status();
    return path;
  }

  const std::string home_ = absl::StrCat(
      testing::TempDir(), "/", testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST_F(CreateTest, SaysTheMiddleLinesOfTheOriginalAndTheEndOfTheSpec) {
  orchestrator_.Script("dev", {.events = {StepEvent(1, 3, "Running pre-create checks..."),
                                          StepEvent(2, 3, "Creating machine..."),
                                          LogEvent(LogLine::INFO, "driver", "Importing SSH key..."),
                                          StepEvent(3, 3, "Docker is up and running!")}});
  EXPECT_EQ(Run("create -d generic --generic-ip-address 192.0.2.7 dev"), 0) << err();
  EXPECT_EQ(out(),
            "Running pre-create checks...\nCreating machine...\n(dev) Importing SSH key...\n"
            "Docker is up and running!\n"
            "To see how to connect Docker to this machine, run: docker-machine env dev\n");
  EXPECT_EQ(err(), "");
}

TEST_F(CreateTest, OptionsComeFromFlagsAliasesAndTheEnvironment) {
  env_.Set("GENERIC_IP_ADDRESS", "192.0.2.7");
  EXPECT_EQ(Run("create -driver generic dev -generic-port=2222 --generic-fast --generic-tag a "
                "--generic-tag b --generic-password hush"),
            0)
      << err();
  EXPECT_EQ(orchestrator_.last_create().machine().driver(), "generic");
  EXPECT_EQ(Option("generic-ip-address"), "string_value: \"192.0.2.7\"");
  EXPECT_EQ(Option("generic-ssh-port"), "int_value: 2222");
  EXPECT_EQ(Option("generic-fast"), "bool_value: true");
  EXPECT_EQ(Option("generic-tag"), "list_value { values: \"a\" values: \"b\" }");
  EXPECT_EQ(Option("generic-password"), "secret_value: \"hush\"");
  EXPECT_EQ(Option("generic-ssh-key"), "") << "what was not given is the driver's to default";
}

TEST_F(CreateTest, CommonFlagsBecomeOptions) {
  EXPECT_EQ(Run("create --url tcp://192.0.2.1:2376 --engine-label a=b --engine-opt dns=8.8.8.8 "
                "--engine-env X=1 --engine-insecure-registry r:5000 --engine-registry-mirror m "
                "--engine-storage-driver zfs --engine-install-url u --tls-san x.example.org "
                "--swarm-master --swarm-discovery consul://c --swarm-opt heartbeat=5 "
                "--on-failure rollback --ssh-timeout 90s dev"),
            0)
      << err();
  const auto create = orchestrator_.last_create();
  const auto& machine = create.machine();
  EXPECT_EQ(machine.driver(), "none");
  EXPECT_EQ(machine.engine().labels(0), "a=b");
  EXPECT_EQ(machine.engine().arbitrary_flags(0), "dns=8.8.8.8");
  EXPECT_EQ(machine.engine().env(0), "X=1");
  EXPECT_EQ(machine.engine().insecure_registries(0), "r:5000");
  EXPECT_EQ(machine.engine().registry_mirrors(0), "m");
  EXPECT_EQ(machine.engine().storage_driver(), "zfs");
  EXPECT_EQ(machine.engine().install_url(), "u");
  EXPECT_EQ(machine.auth().server_cert_sans(0), "x.example.org");
  EXPECT_TRUE(machine.swarm().is_swarm());
  EXPECT_TRUE(machine.swarm().master());
  EXPECT_EQ(machine.swarm().host(), "tcp://0.0.0.0:3376");
  EXPECT_EQ(machine.swarm().strategy(), "spread");
  EXPECT_EQ(create.on_failure(), machine::v1::FAILURE_POLICY_ROLLBACK);
  EXPECT_EQ(create.ssh_timeout().seconds(), 90);
  EXPECT_EQ(create.request_id().size(), 36U);
}

struct BadCase {
  absl::string_view label, words, message;
};
class BadCreateTest : public CreateTest, public testing::WithParamInterface<BadCase> {};
TEST_P(BadCreateTest, SaysWhy) {
  EXPECT_EQ(Run(GetParam().words), 1);
  EXPECT_EQ(err(), absl::StrCat(GetParam().message, "\n"));
  EXPECT_FALSE(orchestrator_.HasMachine("dev"));
}
INSTANTIATE_TEST_SUITE_P(
    Lines, BadCreateTest,
    testing::ValuesIn<BadCase>({
        {"NoName", "create --url tcp://192.0.2.1:2376", "Error: No machine name specified"},
        {"TwoNames", "create --url x dev extra",
         "Invalid command line. Found extra arguments [extra]"},
        {"BadName", "create --url x dev_1",
         "Error creating machine: Invalid hostname specified. Allowed hostname chars are: "
         "0-9a-zA-Z "
         ". -"},
        {"NoDriver", "create dev",
         "Error creating machine: no driver was chosen. Available drivers: generic, none. For "
         "example: docker-machine create -d docker dev"},
        {"UnknownDriver", "create -d bogus dev",
         "Driver \"bogus\" not found. Do you have the plugin binary "
         "\"docker-machine-driver-bogus\" "
         "accessible in your PATH?"},
        {"MissingRequiredFlag", "create -d generic dev",
         "Error setting machine configuration from flags provided: generic driver requires the "
         "--generic-ip-address option (or the environment variable GENERIC_IP_ADDRESS)"},
        {"UnreadableKey", "create -d generic --generic-ip-address x --generic-ssh-key /no/key dev",
         "Error setting machine configuration from flags provided: the file of --generic-ssh-key "
         "cannot be read: opening /no/key: No such file or directory"},
        {"UnknownFlag", "create --url x --bogus dev", "flag provided but not defined: -bogus"},
        {"FlagOfAnotherDriver", "create -d none --generic-fast dev",
         "flag provided but not defined: -generic-fast"},
        {"NotANumber", "create -d generic --generic-ssh-port x dev",
         "invalid value \"x\" for flag -generic-ssh-port: a whole number is wanted"},
        {"BadPolicy", "create --url x --on-failure maybe dev",
         "invalid value \"maybe\" for --on-failure: keep or rollback"},
        {"BadTimeout", "create --url x --ssh-timeout soon dev",
         "invalid value \"soon\" for --ssh-timeout: for example 90s or 5m"},
        {"BadDiscovery", "create --url x --swarm --swarm-discovery nodes dev",
         "Error parsing swarm discovery: Swarm Discovery URL was in the wrong format"},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST_F(CreateTest, NameThatExists) {
  Put("dev");
  EXPECT_EQ(Run("create --url tcp://192.0.2.1:2376 dev"), 1);
  EXPECT_EQ(err(), "Docker machine \"dev\" already exists\n");
}

TEST_F(CreateTest, FailedPreCreateCheckIsThree) {
  orchestrator_.Script("dev",
                       {.result = common::Error(absl::StatusCode::kFailedPrecondition,
                                                machine::v1::ERROR_REASON_PRECREATE_CHECK_FAILED,
                                                "no hypervisor here")});
  EXPECT_EQ(Run("create --url tcp://192.0.2.1:2376 dev"), 3);
  EXPECT_EQ(err(), "Error with pre-create check: \"no hypervisor here\"\n");
}

TEST_F(CreateTest, FailureLaterIsOne) {
  orchestrator_.Script("dev", {.result = absl::UnavailableError("no ssh: connection refused")});
  EXPECT_EQ(Run("create --url tcp://192.0.2.1:2376 dev"), 1);
  EXPECT_EQ(err(), "Error creating machine: no ssh: connection refused\n");
}

TEST_F(CreateTest, HelpShowsTheDriversFlagsFirstAndNoOthers) {
  EXPECT_EQ(Run("create -d generic -h"), 0);
  EXPECT_TRUE(absl::StartsWith(out(),
                               "Usage: docker-machine create [OPTIONS] [arg...]\n\n"
                               "Create a machine\n"))
      << out();
  EXPECT_TRUE(absl::StrContains(out(), "IP Address of machine [$GENERIC_IP_ADDRESS]\n"));
  EXPECT_TRUE(absl::StrContains(out(), "   --generic-ssh-port, --generic-port \"22\" "));
  EXPECT_TRUE(absl::StrContains(
      out(),
      "Driver to create machine with. Available drivers: generic, none [$MACHINE_DRIVER]\n"));
  EXPECT_FALSE(absl::StrContains(out(), "\n   --url"));
  EXPECT_LT(out().find("--generic-data"), out().find("--driver, -d \"none\""));
  EXPECT_EQ(Run("create -h"), 0);
  EXPECT_TRUE(absl::StrContains(out(), "   --url  "));
  EXPECT_FALSE(absl::StrContains(out(), "\n   --generic"));
}

TEST_F(CreateTest, HelpIsPrintedWithAMissingName) {
  EXPECT_EQ(Run("create -d generic"), 1);
  EXPECT_TRUE(absl::StrContains(out(), "--generic-ip-address"));
}

TEST_F(CreateTest, DriverFromTheEnvironment) {
  env_.Set("MACHINE_DRIVER", "generic");
  EXPECT_EQ(Run("create --generic-ip-address 192.0.2.7 dev"), 0) << err();
  EXPECT_EQ(orchestrator_.last_create().machine().driver(), "generic");
}

TEST_F(CreateTest, KeyThatIsNamedIsSentWithItsPath) {
  const std::string path = MakeKey("other", "");
  EXPECT_EQ(Run("create -d generic --generic-ip-address x --generic-ssh-key ~/.ssh/other dev"), 0)
      << err();
  EXPECT_EQ(orchestrator_.last_create().ssh_private_key(), common::ReadFile(path).value());
  EXPECT_EQ(Option("generic-ssh-key"), "string_value: \"~/.ssh/other\"");
}

TEST_F(CreateTest, KeyWithAPassphraseIsRefused) {
  const std::string path = MakeKey("locked", "secret phrase");
  EXPECT_EQ(Run(absl::StrCat("create -d generic --generic-ip-address x --generic-ssh-key ", path,
                             " dev")),
            1);
  EXPECT_TRUE(absl::StrContains(
      err(), absl::StrCat("the key ", path, " of --generic-ssh-key has a passphrase")))
      << err();
}

TEST_F(CreateTest, AgentIsUsedWhenThereIsOneAndItRunsHere) {
  const std::string path = MakeKey("id_ed25519", "");
  env_.Set("SSH_AUTH_SOCK", "/run/agent");
  EXPECT_EQ(Run("--debug create -d generic --generic-ip-address x dev"), 0);
  EXPECT_EQ(orchestrator_.last_create().ssh_agent_socket(), "/run/agent");
  EXPECT_EQ(orchestrator_.last_create().ssh_private_key(), "");
  EXPECT_EQ(err(), "(dev) logging in with the ssh agent at /run/agent\n");
  is_private_ = false;
  EXPECT_EQ(Run("--debug create -d generic --generic-ip-address x dev2"), 0);
  EXPECT_EQ(orchestrator_.last_create().ssh_agent_socket(), "");
  EXPECT_EQ(err(), absl::StrCat("(dev2) logging in with the key ", path, "\n"));
}

TEST_F(CreateTest, DefaultKeyIsTheFirstWithoutAPassphrase) {
  MakeKey("id_ed25519", "locked");
  const std::string path = MakeKey("id_rsa", "");
  EXPECT_EQ(Run("create -d generic --generic-ip-address x dev"), 0);
  EXPECT_EQ(orchestrator_.last_create().ssh_private_key(), common::ReadFile(path).value());
  EXPECT_EQ(err(), "");
}

TEST_F(CreateTest, FileOfAContentOptionIsReadHere) {
  const std::string path = home_ + "/data";
  ASSERT_TRUE(common::WriteFileAtomically(path, "#cloud-config", 0600).ok());
  EXPECT_EQ(
      Run(absl::StrCat("create -d generic --generic-ip-address x --generic-data ", path, " dev")),
      0)
      << err();
  EXPECT_EQ(Option("generic-data"), absl::StrCat("string_value: \"", path, "\""));
  EXPECT_EQ(Option("generic-data-text"), "secret_value: \"#cloud-config\"");
}

TEST_F(CreateTest, InterruptedCreateSaysWhatIsLeft) {
  const auto interrupted = [&](const std::string& flags) {
    orchestrator_.Script("dev", {.events = {StepEvent(1, 1, "Creating machine...")},
                                 .hold = std::make_shared<absl::Notification>()});
    console_.Clear();
    int exit = -1;
    std::thread command(
        [&] { exit = Run(absl::StrCat("create --url tcp://192.0.2.1:2376 dev", flags)); });
    console_.AwaitOut("Creating machine...\n");
    interrupts_.Give();
    command.join();
    EXPECT_EQ(exit, 1);
    return err();
  };
  constexpr char kCancelling[] =
      "Cancelling the create of \"dev\"... (Ctrl-C again leaves it running)\n";
  EXPECT_EQ(interrupted(""),
            absl::StrCat(kCancelling, "Creation was cancelled; what had been made is removed\n"));
  orchestrator_.RemoveMachine("dev");
  EXPECT_EQ(interrupted(" --on-failure keep"),
            absl::StrCat(kCancelling,
                         "Creation was cancelled; what had been made is kept, until "
                         "docker-machine rm\n"));
}

}  // namespace
}  // namespace machine::cli
