// The commands that give a docker client its way to a machine: env, config, context.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "cli/commands/program_fixture.h"
#include "services/common/crypto/certificates.h"
#include "services/common/crypto/digest.h"
#include "services/common/file/file.h"
#include "services/common/process/unique_fd.h"
#include "tests/fakes/engine/tls_engine.h"
#include "tests/integration/listener.h"

namespace machine::cli {
namespace {

// ---- env and config

// Something that accepts connections.
class AccessTest : public ProgramTest {
 protected:
  AccessTest() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(socket_.get(), 16), 0);
    EXPECT_EQ(getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    url_ = absl::StrCat("tcp://127.0.0.1:", ntohs(address.sin_port));
    auto machine = MachineOf("dev", "127.0.0.1");
    machine.mutable_endpoint()->set_docker_url(url_);
    orchestrator_.PutMachine(machine);
    machine::v1::AccessBundle bundle;
    const auto ca = common::CertAuthority::Create("test", absl::Hours(24));
    const auto client = ca->IssueClient({.common_name = "me"}, absl::Hours(24));
    const auto server = ca->IssueServer({"127.0.0.1"}, absl::Hours(24));
    bundle.set_local_folder(folder_);
    bundle.set_ca_pem(ca->cert_pem());
    bundle.set_client_cert_pem(client->cert_pem);
    bundle.set_client_key_pem(std::string(client->key_pem.view()));
    EXPECT_TRUE(common::EnsureDir(folder_, 0700).ok());
    for (const auto& [name, text] : {std::pair("ca.pem", bundle.ca_pem()),
                                     {"cert.pem", bundle.client_cert_pem()},
                                     {"key.pem", bundle.client_key_pem()}}) {
      EXPECT_TRUE(common::WriteFileAtomically(absl::StrCat(folder_, "/", name), text, 0600).ok());
    }
    orchestrator_.set_bundle(bundle);
    certificates_ = {.cert_pem = server->cert_pem,
                     .key_pem = std::string(server->key_pem.view()),
                     .ca_pem = ca->cert_pem()};
    engine_ = std::make_unique<fakes::TlsEngine>(socket_.get(), certificates_);
  }

  const std::string folder_ = absl::StrCat(testing::TempDir(), "/engine");
  common::UniqueFd socket_;
  std::string url_;
  fakes::TlsEngine::Certificates certificates_;
  std::unique_ptr<fakes::TlsEngine> engine_;
};

TEST_F(AccessTest, ConfigIsOneOptionALine) {
  EXPECT_EQ(Run("config dev"), 0);
  EXPECT_EQ(out(),
            absl::StrCat("--tlsverify\n--tlscacert=", folder_, "/ca.pem\n--tlscert=", folder_,
                         "/cert.pem\n--tlskey=", folder_, "/key.pem\n-H=", url_, "\n"));
}

TEST_F(AccessTest, EnvForTheLoginShell) {
  EXPECT_EQ(Run("env dev"), 0);
  EXPECT_EQ(out(), absl::StrCat("export DOCKER_TLS_VERIFY=\"1\"\nexport DOCKER_HOST=\"", url_,
                                "\"\nexport DOCKER_CERT_PATH=\"", folder_,
                                "\"\nexport DOCKER_MACHINE_NAME=\"dev\"\n"
                                "# Run this command to configure your shell: \n"
                                "# eval $(docker-machine env dev)\n"));
}

TEST_F(AccessTest, EnvForAnotherShellAndWithNoProxy) {
  env_.Set("NO_PROXY", "example.org");
  EXPECT_EQ(Run("env --shell fish --no-proxy dev"), 0);
  EXPECT_TRUE(absl::StrContains(out(), "set -gx NO_PROXY \"example.org,127.0.0.1\";\n")) << out();
  env_.Set("no_proxy", "a,127.0.0.1,b");
  EXPECT_EQ(Run("env --no-proxy dev"), 0);
  EXPECT_TRUE(absl::StrContains(out(), "export no_proxy=\"a,127.0.0.1,b\"\n")) << out();
}

TEST_F(AccessTest, EnvUnset) {
  EXPECT_EQ(Run("env -u"), 0);
  EXPECT_EQ(out(),
            "unset DOCKER_TLS_VERIFY\nunset DOCKER_HOST\nunset DOCKER_CERT_PATH\n"
            "unset DOCKER_MACHINE_NAME\n# Run this command to configure your shell: \n"
            "# eval $(docker-machine env -u)\n");
  EXPECT_EQ(Run("env -u dev"), 1);
  EXPECT_EQ(err(), "Error: Expected no machine name when the -u flag is present\n");
}

TEST_F(AccessTest, EngineWithoutTlsGetsNoCertificates) {
  auto machine = MachineOf("plain", "127.0.0.1");
  machine.mutable_endpoint()->set_docker_url(url_);
  machine.mutable_endpoint()->set_docker_plaintext(true);
  orchestrator_.PutMachine(machine);
  EXPECT_EQ(Run("config plain"), 0);
  EXPECT_EQ(out(), absl::StrCat("-H=", url_, "\n"));
  env_.Set("DOCKER_TLS_VERIFY", "1");
  EXPECT_EQ(Run("env plain"), 0);
  EXPECT_TRUE(absl::StartsWith(out(), absl::StrCat("unset DOCKER_TLS_VERIFY\nexport DOCKER_HOST=\"",
                                                   url_, "\"\nexport DOCKER_MACHINE_NAME")))
      << out();
}

TEST_F(AccessTest, SharedOrchestratorsFilesAreWrittenHere) {
  is_private_ = false;
  EXPECT_EQ(Run("env dev"), 0);
  const std::string folder = storage_ + "/machines/dev";
  EXPECT_TRUE(absl::StrContains(out(), absl::StrCat("DOCKER_CERT_PATH=\"", folder, "\"")));
  for (const char* file : {"/ca.pem", "/cert.pem", "/key.pem"}) {
    EXPECT_EQ(common::ReadFile(folder + file).value(), common::ReadFile(folder_ + file).value());
  }
  struct stat info = {};
  ASSERT_EQ(stat((folder + "/key.pem").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(AccessTest, MachineThatIsOffOrUnknown) {
  Put("off");
  EXPECT_EQ(Run("env off"), 1);
  EXPECT_EQ(err(), "Error checking TLS connection: Host is not running\n");
  EXPECT_EQ(Run("config off"), 1);
  EXPECT_EQ(err(), "Error running connection boilerplate: Host is not running\n");
  EXPECT_EQ(Run("env nope"), 1);
  EXPECT_EQ(err(), kNopeDoesNotExist);
  EXPECT_EQ(out(), "");
}

TEST_F(AccessTest, EngineThatDoesNotAnswer) {
  engine_.reset();
  socket_.reset();
  EXPECT_EQ(Run("config dev"), 1);
  const std::string address = absl::StrReplaceAll(url_, {{"tcp://", ""}});
  EXPECT_EQ(err(),
            absl::StrCat("Error running connection boilerplate: Error checking and/or regenerating "
                         "the certs: There was an error validating certificates for host \"",
                         address, "\": dial tcp ", address,
                         ": connection refused\nYou can attempt to regenerate them using "
                         "'docker-machine regenerate-certs [name]'.\nBe advised that this will "
                         "trigger a Docker daemon restart which might stop running containers.\n"));
}

TEST_F(AccessTest, AnEngineThatTakesNoCertificateIsNoAnswer) {
  ASSERT_TRUE(common::WriteFileAtomically(
                  folder_ + "/ca.pem",
                  common::CertAuthority::Create("other", absl::Hours(1))->cert_pem(), 0600)
                  .ok());
  EXPECT_EQ(Run("env dev"), 1);
  EXPECT_EQ(out(), "");
  EXPECT_TRUE(absl::StartsWith(err(),
                               "Error checking TLS connection: Error checking and/or regenerating "
                               "the certs: There was an error validating certificates for host"))
      << err();
  EXPECT_EQ(Run("config dev"), 1);
  EXPECT_TRUE(absl::StartsWith(err(), "Error running connection boilerplate: Error checking"))
      << err();
}

// "boss" is the master of a swarm, whose manager has the certificate of the engine.
class SwarmAccessTest : public AccessTest {
 protected:
  SwarmAccessTest() {
    auto machine = MachineOf("boss", "127.0.0.1");
    machine.mutable_endpoint()->set_docker_url(url_);
    machine.mutable_swarm()->set_is_swarm(true);
    machine.mutable_swarm()->set_master(true);
    machine.mutable_swarm()->set_host(absl::StrCat("tcp://0.0.0.0:", manager_.port()));
    orchestrator_.PutMachine(machine);
  }

  tests::Listener manager_;
};

TEST_F(SwarmAccessTest, AManagerThatTakesOurCertificateAnswers) {
  const fakes::TlsEngine swarm(manager_.fd(), certificates_);
  EXPECT_EQ(Run("env --swarm boss"), 0) << err();
  EXPECT_TRUE(absl::StartsWith(
      out(), absl::StrCat("export DOCKER_TLS_VERIFY=\"1\"\nexport DOCKER_HOST=\"", manager_.url(),
                          "\"\nexport DOCKER_CERT_PATH=\"", folder_, "\"\n")))
      << out();
  EXPECT_EQ(Run("config --swarm boss"), 0) << err();
  EXPECT_TRUE(absl::EndsWith(out(), absl::StrCat("\n-H=", manager_.url(), "\n"))) << out();
}

TEST_F(SwarmAccessTest, AManagerThatDoesNotRunIsNotTheCertificatesFault) {
  manager_.Refuse();
  EXPECT_EQ(Run("env --swarm boss"), 1);
  EXPECT_EQ(out(), "");
  EXPECT_EQ(err(),
            "Error checking TLS connection: Connection to Swarm cannot be checked but the certs "
            "are valid. Maybe swarm is not started\n");
  EXPECT_EQ(Run("config --swarm boss"), 1);
  EXPECT_EQ(err(),
            "Error running connection boilerplate: Connection to Swarm cannot be checked but the "
            "certs are valid. Maybe swarm is not started\n");
}

TEST_F(SwarmAccessTest, AManagerWithTheCertificateOfAnotherAuthorityIsNoAnswer) {
  const auto other = common::CertAuthority::Create("other", absl::Hours(24));
  const auto server = other->IssueServer({"127.0.0.1"}, absl::Hours(24));
  const fakes::TlsEngine swarm(manager_.fd(), {.cert_pem = server->cert_pem,
                                               .key_pem = std::string(server->key_pem.view()),
                                               .ca_pem = certificates_.ca_pem});
  EXPECT_EQ(Run("config --swarm boss"), 1);
  EXPECT_TRUE(absl::StrContains(err(), "Maybe swarm is not started")) << err();
}

TEST_F(SwarmAccessTest, WhereTheEngineRefusesUsTooItIsTheCertificates) {
  engine_.reset();
  socket_.reset();
  manager_.Refuse();
  EXPECT_EQ(Run("env --swarm boss"), 1);
  EXPECT_TRUE(absl::StartsWith(
      err(), absl::StrCat("Error checking TLS connection: Error checking and/or regenerating the "
                          "certs: There was an error validating certificates for host "
                          "\"127.0.0.1:",
                          manager_.port(), "\": dial tcp")))
      << err();
}

TEST_F(AccessTest, SwarmNeedsAMaster) {
  EXPECT_EQ(Run("env --swarm dev"), 1);
  EXPECT_EQ(err(),
            "Error checking TLS connection: \"dev\" is not a swarm master. The --swarm flag is "
            "intended for use with swarm masters\n");
}

// ---- context

TEST_F(AccessTest, ContextHoldsTheCertificatesForThisUserOnly) {
  is_private_ = false;
  const std::string docker = absl::StrCat(testing::TempDir(), "/docker-config");
  env_.Set("DOCKER_CONFIG", docker);
  EXPECT_EQ(Run("context dev"), 0) << err();
  const std::string id = common::Sha256Hex("dev");
  const std::string tls = absl::StrCat(docker, "/contexts/tls/", id, "/docker");
  for (const char* file : {"/ca.pem", "/cert.pem", "/key.pem"}) {
    EXPECT_EQ(common::ReadFile(tls + file).value(), common::ReadFile(folder_ + file).value());
  }
  struct stat info = {};
  ASSERT_EQ(stat((tls + "/key.pem").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  const std::string meta = absl::StrCat(docker, "/contexts/meta/", id, "/meta.json");
  EXPECT_TRUE(absl::StrContains(common::ReadFile(meta).value(), url_));
  EXPECT_EQ(Run("context --remove dev"), 0) << err();
  EXPECT_TRUE(absl::IsNotFound(common::ReadFile(meta).status()));
  EXPECT_TRUE(absl::IsNotFound(common::ReadFile(tls + "/key.pem").status()));
}

}  // namespace
}  // namespace machine::cli
