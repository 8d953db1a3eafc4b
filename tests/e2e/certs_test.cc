// Certificates over the life of a machine: what they name, when they end, and that they are renewed
// while containers run on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "services/common/file/file.h"
#include "tests/e2e/bed.h"
#include "tests/e2e/docker_machine.h"
#include "tests/integration/world.h"

namespace machine::tests {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::Duration kLimit = absl::Minutes(3);

class CertsTest : public WorldTest {
 protected:
  void SetUp() override {
    if (!Bed::Ready()) GTEST_SKIP() << kNoBed;
    bed_ = std::make_unique<Bed>();
  }

  Outcome Shell(const std::string& script) const {
    return world_.RunOther({"bash", "-euc", script});
  }

  Outcome Docker(absl::string_view machine, absl::string_view words) const {
    return Shell(absl::StrCat("docker $(docker-machine config ", machine, ") ", words));
  }

  Outcome Create(const BareHost& host, absl::string_view options) const {
    return Run(absl::StrCat("create -d generic --generic-ip-address=", host.ip(),
                            " --generic-ssh-user=deb --generic-ssh-key=", bed_->key(), " ", options,
                            " dev"));
  }

  // What the engine shows to whoever connects, as openssl prints it.
  std::string Shown(const std::string& ip, absl::string_view what) const {
    return Shell(absl::StrCat("openssl s_client -connect ", ip,
                              ":2376 </dev/null 2>/dev/null | openssl x509 -noout ", what))
        .out;
  }

  // A container that runs; on the host, its process.
  std::string StartContainer(const BareHost& host) const {
    const Outcome imported =
        Shell(absl::StrCat(getenv("MACHINE_BED_SCRIPTS"),
                           "/busybox.sh import busybox:test $(docker-machine config dev)"));
    EXPECT_EQ(imported.exit_code, 0) << imported;
    EXPECT_EQ(Docker("dev", "run -d --init --name stays busybox:test sleep 100000").exit_code, 0);
    return host.Sh(kProcess);
  }

  static std::string EngineProcess(const BareHost& host) {
    return host.Sh("systemctl show docker.service -p MainPID --value");
  }

  nlohmann::json Listed() const {
    const auto all = nlohmann::json::parse(Run("ls -o json").out, nullptr, false);
    return all.is_array() && !all.empty() ? all[0] : nlohmann::json();
  }

  static constexpr char kProcess[] = "docker inspect -f '{{.State.Pid}} {{.RestartCount}}' stays";

  std::unique_ptr<Bed> bed_;
};

TEST_F(CertsTest, NamesAndEndAreAsAskedFor) {
  const BareHost host(*bed_, "e2e-certs");
  const Outcome refused = Create(host, "--server-cert-lifetime=20000h");
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("--server-cert-lifetime) must be 1m to 19776h"));
  const Outcome created =
      Create(host, "--tls-san=dev.lan --tls-san=192.0.2.77 --server-cert-lifetime=48h");
  ASSERT_EQ(created.exit_code, 0) << created;
  const std::string names = Shown(host.ip(), "-ext subjectAltName");
  for (const std::string& name :
       {std::string("DNS:dev.lan"), std::string("DNS:dev"), std::string("DNS:localhost"),
        std::string("IP Address:192.0.2.77"), absl::StrCat("IP Address:", host.ip())}) {
    EXPECT_THAT(names, HasSubstr(name));
  }
  const std::string end = Listed().value("server_cert_expire_time", "");
  EXPECT_NE(end, "");
  EXPECT_EQ(Run("inspect -f {{.HostOptions.AuthOptions.ServerCertExpireTime}} dev").out,
            absl::StrCat(end, "\n"));
  EXPECT_EQ(Shell(absl::StrCat("date -ud '", end, "' +%s")).out,
            Shell(absl::StrCat("date -ud \"$(sed s/notAfter=// <<<'",
                               Line(Shown(host.ip(), "-enddate")), "')\" +%s"))
                .out);

  // A new one, asked for while a container runs: the container does not notice.
  const std::string process = StartContainer(host);
  const std::string engine = EngineProcess(host);
  const std::string json = host.Sh("cat /etc/docker/daemon.json");
  const std::string server = Shown(host.ip(), "-fingerprint");
  const std::string client = common::ReadFile(world_.machine_folder("dev") + "/cert.pem").value();
  const Outcome regenerated = Run("regenerate-certs -f dev");
  EXPECT_EQ(regenerated.exit_code, 0) << regenerated;
  EXPECT_THAT(regenerated.out, Not(HasSubstr("running containers")));
  EXPECT_NE(Shown(host.ip(), "-fingerprint"), server);
  EXPECT_NE(EngineProcess(host), engine);
  EXPECT_EQ(host.Sh(kProcess), process);
  EXPECT_EQ(host.Sh("cat /etc/docker/daemon.json"), json);
  EXPECT_EQ(host.Sh("docker info -f '{{.LiveRestoreEnabled}}'"), "false");
  EXPECT_EQ(common::ReadFile(world_.machine_folder("dev") + "/cert.pem").value(), client);
  EXPECT_EQ(Run("regenerate-certs -f --client-certs dev").exit_code, 0);
  EXPECT_NE(common::ReadFile(world_.machine_folder("dev") + "/cert.pem").value(), client);
  EXPECT_EQ(Docker("dev", "ps --format {{.Names}}").out, "stays\n");
  EXPECT_EQ(host.Sh(kProcess), process);
}

TEST_F(CertsTest, RenewedInTimeByItselfWhileAContainerRuns) {
  const BareHost host(*bed_, "e2e-renewal");
  const Outcome created = Create(host, "--server-cert-lifetime=75s");
  ASSERT_EQ(created.exit_code, 0) << created;
  const std::string process = StartContainer(host);
  const std::string engine = EngineProcess(host);
  const std::string first = Shown(host.ip(), "-serial");
  ASSERT_THAT(first, HasSubstr("serial="));
  const std::string end = Listed().value("server_cert_expire_time", "");
  // Nobody asks for it.
  EXPECT_TRUE(
      Eventually(kLimit, [&] { return Listed().value("server_cert_expire_time", "") != end; }));
  EXPECT_NE(Shown(host.ip(), "-serial"), first);
  EXPECT_NE(EngineProcess(host), engine);
  EXPECT_EQ(host.Sh(kProcess), process);
  EXPECT_EQ(Docker("dev", "ps --format {{.Names}}").out, "stays\n");
  EXPECT_EQ(Run("status dev").out, "Running\n");
}

TEST_F(CertsTest, AnotherAddressIsCertifiedBeforeTheMachinePassesForRunning) {
  const DockerMachine box(*bed_);
  const Outcome created = Run(box.CreateLine());
  ASSERT_EQ(created.exit_code, 0) << created;
  const std::string address = Run(absl::StrCat("ip ", box.name())).out;
  ASSERT_EQ(Run(absl::StrCat("stop ", box.name())).exit_code, 0);
  // Somebody else takes its address.
  std::vector<std::string> others;
  bool taken = false;
  while (!taken && others.size() < 5) {
    const Outcome other = bed_->Docker(
        {"run", "-d", "--init", "--entrypoint", "sleep", "machine-host:bookworm", "100000"});
    ASSERT_EQ(other.exit_code, 0) << other;
    others.push_back(Line(other.out));
    taken = bed_->Docker({"inspect", "-f", "{{.NetworkSettings.IPAddress}}", others.back()}).out ==
            address;
  }
  EXPECT_TRUE(taken);
  RunningCommand start = world_.Begin(absl::StrCat("start ", box.name()));
  EXPECT_TRUE(Eventually(
      kLimit, [&] { return Run(absl::StrCat("status ", box.name())).out == "Running\n"; }));
  // From the first moment.
  EXPECT_EQ(Docker(box.name(), "ps -q").exit_code, 0);
  const Outcome started = start.Wait();
  EXPECT_EQ(started.exit_code, 0) << started;
  const std::string now = Line(Run(absl::StrCat("ip ", box.name())).out);
  EXPECT_NE(absl::StrCat(now, "\n"), address);
  EXPECT_THAT(Shown(now, "-ext subjectAltName"), HasSubstr(absl::StrCat("IP Address:", now)));
  for (const std::string& other : others) bed_->Docker({"rm", "-f", other});
  EXPECT_EQ(Run(absl::StrCat("rm -y ", box.name())).exit_code, 0);
}

}  // namespace
}  // namespace machine::tests
