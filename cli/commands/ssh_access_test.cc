#include "cli/commands/ssh_access.h"

#include <sys/stat.h>

#include "absl/strings/match.h"
#include "cli/commands/program_fixture.h"
#include "services/common/file/file.h"
#include "services/common/process/run.h"

namespace machine::cli {
namespace {

constexpr char kFingerprint[] = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";

class SshAccessTest : public ProgramTest {
 protected:
  SshAccessTest()
      : context_{.console = console_,
                 .env = env_,
                 .orchestrator = remote_,
                 .interrupts = interrupts_,
                 .storage_path = storage_,
                 .global_flags = {"--storage-path=/a b/100%"}} {
    machine::v1::AccessBundle bundle;
    bundle.set_ssh_private_key("KEY");
    orchestrator_.set_bundle(bundle);
    machine::v1::Machine machine = MachineOf("dev", "127.0.0.1");
    machine.mutable_endpoint()->set_ssh_port(1);  // Where nobody listens.
    machine.mutable_endpoint()->set_ssh_user("o'user");
    machine.mutable_endpoint()->set_ssh_host_key_sha256(kFingerprint);
    orchestrator_.PutMachine(machine);
  }

  FakeConnector connector_{orchestrator_.channel(), /*is_private=*/false};
  Orchestrator remote_{connector_};
  CommandContext context_;
};

TEST_F(SshAccessTest, KeyOfASharedOrchestratorIsForThisUserOnly) {
  const auto access = GetSshAccess(context_, "dev");
  ASSERT_TRUE(access.ok()) << access.status();
  EXPECT_EQ(access->key_path, storage_ + "/machines/dev/id_rsa");
  EXPECT_EQ(common::ReadFile(access->key_path).value(), "KEY");
  struct stat info = {};
  ASSERT_EQ(stat(access->key_path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(SshAccessTest, HostThatCannotBeReachedFromHereIsReachedThroughTheOrchestrator) {
  const auto access = GetSshAccess(context_, "dev");
  ASSERT_TRUE(access.ok()) << access.status();
  EXPECT_TRUE(access->through_orchestrator);
  EXPECT_EQ(access->port, 1);
  const std::string config = SshConfig(context_, {*access});
  EXPECT_TRUE(absl::StrContains(config, " '--storage-path=/a b/100%%' ssh-tunnel dev 1\n"))
      << config;
}

TEST_F(SshAccessTest, ForwardedPortIsTheMachinesOwnInATunnel) {
  machine::v1::Machine machine = MachineOf("vm", "10.0.2.15");
  machine.mutable_endpoint()->set_ssh_host("127.0.0.1");
  machine.mutable_endpoint()->set_ssh_port(1);
  orchestrator_.PutMachine(machine);
  const auto access = GetSshAccess(context_, "vm");
  ASSERT_TRUE(access.ok()) << access.status();
  EXPECT_EQ(access->port, 22);
}

// OpenSSH itself says how it reads the file.
TEST_F(SshAccessTest, OpenSshReadsTheConfigurationAsItIsMeant) {
  const auto access = GetSshAccess(context_, "dev");
  ASSERT_TRUE(access.ok()) << access.status();
  std::string path;
  {
    const auto file = SshConfigFile::Make(context_, {*access});
    ASSERT_TRUE(file.ok()) << file.status();
    path = file->path();
    const auto ssh = common::RunProgram({"ssh", "-G", "-F", path, "dev"});
    ASSERT_TRUE(ssh.ok()) << ssh.status();
    EXPECT_EQ(ssh->exit_code, 0) << ssh->stderr_data;
    for (const std::string& line :
         {std::string("hostname 127.0.0.1\n"), std::string("port 1\n"),
          std::string("user o'user\n"), std::string("stricthostkeychecking true\n"),
          std::string("identitiesonly yes\n"), std::string("passwordauthentication no\n"),
          absl::StrCat("identityfile ", access->key_path, "\n"),
          absl::StrCat(" ssh-host-key dev ", kFingerprint, " %H %t %K %f\n")}) {
      EXPECT_TRUE(absl::StrContains(ssh->stdout_data, line)) << line << ssh->stdout_data;
    }
  }
  EXPECT_TRUE(absl::IsNotFound(common::ReadFile(path).status())) << "it is removed";
}

TEST_F(SshAccessTest, HostKeyThatIsNotPinnedIsNotTrusted) {
  machine::v1::Machine machine = MachineOf("fresh", "127.0.0.1");
  machine.mutable_endpoint()->set_ssh_port(1);
  orchestrator_.PutMachine(machine);
  EXPECT_EQ(GetPinnedSshAccess(context_, "fresh").status().message(),
            "the host key of \"fresh\" is not known yet: run docker-machine provision fresh first");
}

// With options, one of them may be another ProxyCommand, which passes no connection.
TEST_F(SshAccessTest, ConnectionIsMadeForSshWhereItIsAsked) {
  SshAccess access = {.machine = "dev", .host = "10.0.0.1", .user = "root"};
  EXPECT_FALSE(absl::StrContains(SshConfig(context_, {access}), "Proxy"));
  access.dial_for_ssh = true;
  EXPECT_TRUE(absl::StrContains(SshConfig(context_, {access}), "  ProxyUseFdpass yes\n"));
  EXPECT_TRUE(absl::StrContains(SshConfig(context_, {access}), " ssh-dial 10.0.0.1 22\n"));
  access.through_orchestrator = true;
  EXPECT_FALSE(absl::StrContains(SshConfig(context_, {access}), "Fdpass"));
}

TEST_F(SshAccessTest, DialSaysWhyThereIsNoConnectionAsSshDoes) {
  EXPECT_EQ(Run("ssh-dial 127.0.0.1 1"), 255);
  EXPECT_EQ(err(), "ssh: connect to host 127.0.0.1 port 1: Connection refused\n");
}

TEST_F(SshAccessTest, HostKeyCommandPrintsThePinnedKeyOnly) {
  EXPECT_EQ(Run("ssh-host-key dev AAA dev ssh-ed25519 KEY SHA256:AAA"), 0);
  EXPECT_EQ(out(), "dev ssh-ed25519 KEY\n");
  EXPECT_EQ(Run("ssh-host-key dev AAA dev ssh-ed25519 KEY SHA256:BBB"), 0);
  EXPECT_EQ(out(), "");
  EXPECT_TRUE(absl::StrContains(err(), "is SHA256:BBB, not SHA256:AAA")) << err();
  EXPECT_EQ(RunWords({"ssh-host-key", "dev", "AAA", "dev", "", "", ""}), 0);
  EXPECT_EQ(out(), "");
}

}  // namespace
}  // namespace machine::cli
