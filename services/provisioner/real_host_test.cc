// A whole provision of a real, bare host, which the environment names:
//   MACHINE_TEST_HOST  its address; root and `deb` (sudo) can log in
//   MACHINE_TEST_KEY   path of the private key
// Not run by default: see tags. tests/hosts/host.sh makes such hosts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>
#include <iostream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/common/crypto/certificates.h"
#include "services/common/status/grpc_status.h"
#include "services/common/status/status.h"
#include "services/provisioner/service/provisioner_for_test.h"

namespace machine::provisioner {
namespace {

using ::provisioner::v1::HostInfo;
using ::provisioner::v1::ProvisionRequest;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Env(const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? "" : value;
}

std::string FileText(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void Report(const char* what, const StreamOutcome& outcome) {
  std::cout << what << ": " << absl::FormatDuration(outcome.took);
  if (outcome.info.ok()) {
    std::cout << ", commands " << outcome.info->commands_run() << ", connections "
              << outcome.info->connections_opened() << ", changed " << outcome.info->changed();
  } else {
    std::cout << ", " << outcome.info.status();
  }
  std::cout << "\n  " << absl::StrJoin(outcome.progress, "\n  ") << "\n";
}

class RealHostTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(Env("MACHINE_TEST_HOST"), "") << "see the head of this file";
    const std::string key = FileText(Env("MACHINE_TEST_KEY"));
    ASSERT_NE(key, "") << "see the head of this file";
    auto ca = common::CertAuthority::Create("test", absl::Hours(24));
    ASSERT_TRUE(ca.ok());
    ca_ = *std::move(ca);
    auto& target = *request_.mutable_target();
    target.set_host(Env("MACHINE_TEST_HOST"));
    target.set_user("root");
    target.set_private_key(key);
    target.set_machine_uid("11111111-2222-3333-4444-555555555555");
    target.set_fencing_token(1);
    request_.set_host_name("dev");
    request_.set_driver("generic");
    request_.mutable_engine()->add_labels("purpose=\"a test\"");
    request_.mutable_engine()->add_env("NOTE=it's 100% $HOME \"x\"");
    IssueCertificates();
  }

  void IssueCertificates() {
    const auto server = ca_->IssueServer({request_.target().host()}, absl::Hours(24));
    common::ClientIdentity identity;
    identity.common_name = "test";
    const auto client = ca_->IssueClient(identity, absl::Hours(24));
    ASSERT_TRUE(server.ok() && client.ok());
    auto& tls = *request_.mutable_tls();
    tls.set_ca_pem(ca_->cert_pem());
    tls.set_server_cert_pem(server->cert_pem);
    tls.set_server_key_pem(std::string(server->key_pem.view()));
    tls.set_client_cert_pem(client->cert_pem);
    tls.set_client_key_pem(std::string(client->key_pem.view()));
  }

  // Standard output of a command, with its exit code in a last line.
  std::string OnHost(const std::string& command) {
    const auto context = provisioner_.Context();
    const auto stream = provisioner_.stub().Exec(context.get());
    ::provisioner::v1::ExecRequest start;
    *start.mutable_start()->mutable_target() = request_.target();
    start.mutable_start()->mutable_exec()->set_command(command);
    stream->Write(start);
    stream->WritesDone();
    machine::v1::ExecResponse response;
    std::string output;
    while (stream->Read(&response)) {
      output += response.stdout();
      if (response.has_exit()) absl::StrAppend(&output, response.exit().code());
    }
    const grpc::Status status = stream->Finish();
    return status.ok() ? output : status.error_message();
  }

  ProvisionerForTest provisioner_;
  std::optional<common::CertAuthority> ca_;
  ProvisionRequest request_;
};

TEST_F(RealHostTest, BareHostBecomesADockerHost) {
  ::provisioner::v1::WaitForSshRequest wait;
  *wait.mutable_target() = request_.target();
  const StreamOutcome waited = provisioner_.WaitForSsh(wait);
  Report("WaitForSsh", waited);
  ASSERT_TRUE(waited.info.ok());
  EXPECT_EQ(waited.info->connections_opened(), 1);
  request_.mutable_target()->set_host_key_sha256(waited.info->host_key_sha256());

  absl::Time begin = absl::Now();
  const auto detected = provisioner_.Detect(request_.target());
  ASSERT_TRUE(detected.ok()) << detected.status();
  std::cout << "Detect: " << absl::FormatDuration(absl::Now() - begin) << "\n";
  EXPECT_EQ(detected->os_id(), "debian");
  EXPECT_EQ(detected->commands_run(), 1);
  EXPECT_EQ(detected->connections_opened(), 0);

  const StreamOutcome created = provisioner_.Provision(request_);
  Report("Provision", created);
  ASSERT_TRUE(created.info.ok()) << created.info.status();
  EXPECT_TRUE(created.info->changed());
  EXPECT_LE(created.info->commands_run() + detected->commands_run(), 4);
  EXPECT_EQ(created.info->connections_opened(), 0);
  EXPECT_NE(created.info->docker_version(), "");
  EXPECT_NE(created.info->docker_api_version(), "");

  const std::string pid = OnHost("systemctl show -p MainPID docker.service");
  const StreamOutcome again = provisioner_.Provision(request_);
  Report("Provision again", again);
  ASSERT_TRUE(again.info.ok()) << again.info.status();
  EXPECT_FALSE(again.info->changed());
  EXPECT_EQ(again.info->commands_run(), 1);
  EXPECT_EQ(OnHost("systemctl show -p MainPID docker.service"), pid);

  EXPECT_EQ(OnHost("hostname; cat /etc/hostname"), "dev\ndev\n0");
  EXPECT_EQ(OnHost("stat -c '%a %U' /etc/docker/server-key.pem"), "600 root\n0");
  EXPECT_EQ(OnHost("ls -a /etc/docker | grep -c machine"), "0\n1");
  EXPECT_EQ(OnHost("systemctl is-enabled docker"), "enabled\n0");
  EXPECT_THAT(OnHost("docker info -f '{{.Labels}}'"), HasSubstr("provider=generic"));
  EXPECT_THAT(OnHost("docker info -f '{{.Labels}}'"), HasSubstr("purpose=\"a test\""));
  EXPECT_EQ(OnHost("tr '\\0' '\\n' </proc/$(pidof dockerd)/environ | grep ^NOTE"),
            "NOTE=it's 100% $HOME \"x\"\n0");
  EXPECT_EQ(OnHost("exit 7"), "7");
}

TEST_F(RealHostTest, CertificatesAreReplacedByThemselves) {
  ASSERT_TRUE(provisioner_.Provision(request_).info.ok());
  IssueCertificates();
  const StreamOutcome outcome = provisioner_.ConfigureTls(request_);
  Report("ConfigureTls", outcome);
  ASSERT_TRUE(outcome.info.ok()) << outcome.info.status();
  EXPECT_TRUE(outcome.info->changed());
  EXPECT_THAT(outcome.progress, ElementsAre("Copying certs to the remote machine..."));
  EXPECT_FALSE(provisioner_.ConfigureTls(request_).info->changed());
}

TEST_F(RealHostTest, WhatABrokenRunLeftIsCompleted) {
  ASSERT_TRUE(provisioner_.Provision(request_).info.ok());
  OnHost("mkdir /etc/docker/.machine-pending; systemctl disable docker; systemctl stop docker");
  const StreamOutcome outcome = provisioner_.Provision(request_);
  Report("Provision after a broken run", outcome);
  ASSERT_TRUE(outcome.info.ok()) << outcome.info.status();
  EXPECT_TRUE(outcome.info->changed());
  EXPECT_EQ(OnHost("systemctl is-enabled docker; systemctl is-active docker"),
            "enabled\nactive\n0");
}

TEST_F(RealHostTest, AnEngineThatCannotStartIsReportedInItsOwnWords) {
  request_.mutable_engine()->add_arbitrary_flags("no-such-option=1");
  const StreamOutcome outcome = provisioner_.Provision(request_);
  Report("Provision with an option that no engine knows", outcome);
  EXPECT_EQ(common::ReasonOf(outcome.info.status()), machine::v1::ERROR_REASON_HOST_COMMAND_FAILED);
  EXPECT_THAT(std::string(outcome.info.status().message()), HasSubstr("no-such-option"));
  EXPECT_THAT(std::string(outcome.info.status().message()),
              HasSubstr("The previous configuration is back"));
  request_.mutable_engine()->clear_arbitrary_flags();
  EXPECT_TRUE(provisioner_.Provision(request_).info.ok());
}

TEST_F(RealHostTest, AUserWithSudoCanProvision) {
  request_.mutable_target()->set_user("deb");
  const StreamOutcome outcome = provisioner_.Provision(request_);
  Report("Provision by sudo", outcome);
  EXPECT_TRUE(outcome.info.ok()) << outcome.info.status();
}

TEST_F(RealHostTest, AUserWithoutSudoIsToldSo) {
  request_.mutable_target()->set_user("plain");
  const StreamOutcome outcome = provisioner_.Provision(request_);
  Report("Provision without sudo", outcome);
  EXPECT_EQ(common::ReasonOf(outcome.info.status()), machine::v1::ERROR_REASON_HOST_COMMAND_FAILED);
  EXPECT_EQ(common::ErrorMetadataOf(outcome.info.status(), "step"), "privileges");
}

TEST_F(RealHostTest, UpgradeOfTheNewestChangesNothing) {
  ASSERT_TRUE(provisioner_.Provision(request_).info.ok());
  const StreamOutcome outcome = provisioner_.Upgrade(request_);
  Report("Upgrade", outcome);
  ASSERT_TRUE(outcome.info.ok()) << outcome.info.status();
  EXPECT_FALSE(outcome.info->changed());
  EXPECT_THAT(outcome.progress, Contains("Upgrading docker..."));
}

}  // namespace
}  // namespace machine::provisioner
