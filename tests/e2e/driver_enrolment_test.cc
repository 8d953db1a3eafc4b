// A driver near its hypervisor: installed there over ssh, and used through the orchestrator by a
// client that reaches nothing else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/e2e/bed.h"
#include "tests/integration/shared_world.h"

namespace machine::tests {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kLimit = absl::Minutes(5);
// Networks of this test: in the hypervisor, and between the client and this host.
constexpr char kLabNetwork[] = "10.196.77.0/24";
constexpr char kServerIp[] = "10.194.77.1";
constexpr char kClientIp[] = "10.194.77.2";

// A network namespace with one peer, this host, and no way to anywhere else.
class IsolatedClient {
 public:
  explicit IsolatedClient(const World& world) : world_(world) {
    Remove();  // Of a run that was killed.
    Ip("netns add machine-client");
    Ip("link add machine-peer type veth peer name eth0 netns machine-client");
    Ip(absl::StrCat("addr add ", kServerIp, "/30 dev machine-peer"));
    Ip("link set machine-peer up");
    Ip(absl::StrCat("-n machine-client addr add ", kClientIp, "/30 dev eth0"));
    Ip("-n machine-client link set eth0 up");
  }
  ~IsolatedClient() { Remove(); }
  IsolatedClient(const IsolatedClient&) = delete;
  IsolatedClient& operator=(const IsolatedClient&) = delete;

  Outcome Run(absl::string_view line) const {
    std::vector<std::string> argv = {"ip", "netns", "exec", "machine-client"};
    for (absl::string_view word : absl::StrSplit(line, ' ', absl::SkipEmpty())) {
      argv.emplace_back(word);
    }
    return world_.RunOther(argv);
  }

 private:
  void Ip(absl::string_view line) const {
    std::vector<std::string> argv = {"ip"};
    for (absl::string_view word : absl::StrSplit(line, ' ')) argv.emplace_back(word);
    const Outcome outcome = world_.RunOther(argv);
    EXPECT_EQ(outcome.exit_code, 0) << line << outcome;
  }
  void Remove() const {
    world_.RunOther({"ip", "netns", "del", "machine-client"});
    world_.RunOther({"ip", "link", "del", "machine-peer"});
  }

  const World& world_;
};

class DriverEnrolmentTest : public SharedTest {
 protected:
  void SetUp() override {
    if (!Bed::Ready()) GTEST_SKIP() << kNoBed;
  }
  void TearDown() override {
    world_.RunOther({"ip", "route", "del", kLabNetwork});
    SharedTest::TearDown();
  }

  // Its engine has the image of machines, and a network that is routed as a site would.
  void MakeHypervisor(const Bed& bed, const BareHost& host) {
    host.Sh("systemctl start docker");
    const Outcome loaded = world_.RunOther(
        {"bash", "-euo", "pipefail", "-c",
         absl::StrCat("docker --host ", bed.engine(), " save ", kEngineImage, " | ssh -i ",
                      bed.key(),
                      " -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null deb@",
                      host.ip(), " sudo docker load")});
    ASSERT_EQ(loaded.exit_code, 0) << loaded;
    host.Sh(absl::StrCat("docker network create --subnet ", kLabNetwork, " lab"));
    host.Sh("iptables -I DOCKER-USER -j ACCEPT");
    const Outcome routed =
        world_.RunOther({"ip", "route", "replace", kLabNetwork, "via", host.ip()});
    ASSERT_EQ(routed.exit_code, 0) << routed;
  }

  // The serial number of the certificate that is served, or that lies there.
  std::string Serial(const BareHost& host, absl::string_view source) {
    return host.Sh(absl::StrCat(
        source == "served" ? "openssl s_client -connect 127.0.0.1:7700 </dev/null 2>/dev/null"
                           : "cat /etc/docker-machine/drivers/lab/cert.pem",
        " | openssl x509 -noout -serial"));
  }
};

TEST_F(DriverEnrolmentTest, ADriverNearItsHypervisorServesWhoeverReachesTheOrchestrator) {
  const Bed bed;
  const BareHost host(bed, absl::StrCat("lab-", getpid()), kEngineImage);
  ASSERT_FALSE(host.ip().empty());
  MakeHypervisor(bed, host);
  const IsolatedClient client(world_);
  Start({absl::StrCat("--listen=", kServerIp, ":0"), "--driver-cert-lifetime=2m"});
  StoreOf("ada", "admin");

  const std::string enrol = absl::StrCat("driver enroll lab --driver docker --host ssh://deb@",
                                         host.ip(), ":22/ -i ", bed.key());
  const Outcome enrolled = RunAs("ada", enrol);
  ASSERT_EQ(enrolled.exit_code, 0) << enrolled;
  EXPECT_THAT(enrolled.out, HasSubstr("Registered the driver \"lab\", version "));
  const std::string first = Serial(host, "stored");
  Outcome listed;
  EXPECT_TRUE(Eventually(kLimit, [&] {
    listed = RunAs("ada", "driver ls");
    return absl::StrContains(listed.out, ":7700   20");
  })) << listed;
  EXPECT_THAT(listed.out, testing::ContainsRegex(absl::StrCat("lab +[^ ]+ +ready +0 +", host.ip(),
                                                              ":7700 +[0-9-]+T[0-9:]+Z *\n")));

  // It lives in the sandbox of the packages' unit.
  EXPECT_EQ(host.Sh("systemctl show -p User --value machine-driver-lab"), "docker-machine-driver");
  EXPECT_EQ(host.Sh("ps -o user:32= -C machine-driver-docker | tr -d ' '"),
            "docker-machine-driver");
  double exposure = 10;
  EXPECT_TRUE(absl::SimpleAtod(host.Sh("systemd-analyze --no-pager security machine-driver-lab | "
                                       "sed -n 's/.*exposure level.*: \\([0-9.]*\\) .*/\\1/p'"),
                               &exposure));
  EXPECT_LE(exposure, 2.5);

  // The client reaches the orchestrator, and neither the hypervisor nor the machine.
  EXPECT_NE(client.Run(absl::StrCat("ping -c 1 -W 1 ", host.ip())).exit_code, 0);
  const std::string machine =
      absl::StrCat("docker-machine --storage-path=", world_.Path("store-ada"), " ");
  const Outcome created = client.Run(machine + "create -d lab --docker-network lab dev");
  ASSERT_EQ(created.exit_code, 0) << created;
  EXPECT_EQ(client.Run(machine + "ssh dev hostname").out, "dev\n");
  EXPECT_EQ(host.Sh("docker ps -q --filter label=org.machine.name=dev | wc -l"), "1");

  // Its certificate is renewed in time, and again by hand; neither restarts anything.
  const std::string pid = host.Sh("systemctl show -p MainPID machine-driver-lab");
  EXPECT_TRUE(Eventually(kLimit, [&] { return Serial(host, "stored") != first; }));
  EXPECT_EQ(host.Sh("stat -c '%a %U' /etc/docker-machine/drivers/lab/key.pem"),
            "600 docker-machine-driver");
  EXPECT_TRUE(Eventually(kLimit, [&] { return Serial(host, "served") == Serial(host, "stored"); }));
  const std::string renewed = Serial(host, "stored");
  ASSERT_EQ(RunAs("ada", enrol).exit_code, 0);
  EXPECT_NE(renewed, Serial(host, "stored"));
  EXPECT_TRUE(Eventually(kLimit, [&] { return Serial(host, "served") == Serial(host, "stored"); }));
  EXPECT_EQ(host.Sh("systemctl show -p MainPID machine-driver-lab"), pid);
  EXPECT_EQ(client.Run(machine + "status dev").out, "Running\n");

  const std::string remove =
      absl::StrCat("driver rm lab --host ssh://deb@", host.ip(), " -i ", bed.key());
  const Outcome in_use = RunAs("ada", remove);
  EXPECT_EQ(in_use.exit_code, 1);
  EXPECT_THAT(in_use.err, HasSubstr("in use"));
  EXPECT_EQ(client.Run(machine + "rm -y dev").exit_code, 0);
  EXPECT_EQ(host.Sh("docker ps -aq | wc -l"), "0");
  const Outcome removed = RunAs("ada", remove);
  EXPECT_EQ(removed.exit_code, 0) << removed;
  EXPECT_EQ(host.Sh("find /etc/docker-machine /etc/systemd/system/machine-driver-lab.service "
                    "/usr/local/lib/docker-machine 2>/dev/null | wc -l"),
            "0");
  EXPECT_EQ(host.Sh("systemctl is-active machine-driver-lab || true"), "inactive");
  EXPECT_EQ(host.Sh("getent passwd docker-machine-driver || true"), "");
}

TEST_F(DriverEnrolmentTest, WhatCannotBeInstalledIsSaid) {
  const Bed bed;
  const BareHost host(bed, absl::StrCat("lab2-", getpid()));
  ASSERT_FALSE(host.ip().empty());
  Start();
  StoreOf("ada", "admin");
  const std::string to = absl::StrCat(" --host ssh://plain@", host.ip(), " -i ", bed.key());
  const Outcome no_root = RunAs("ada", "driver enroll lab --driver docker" + to);
  EXPECT_EQ(no_root.exit_code, 1);
  EXPECT_THAT(no_root.err, HasSubstr("sudo"));
  const Outcome no_program = RunAs(
      "ada", absl::StrCat("driver enroll nosuch --host ssh://root@", host.ip(), " -i ", bed.key()));
  EXPECT_EQ(no_program.exit_code, 1);
  EXPECT_THAT(no_program.err, HasSubstr("name it with --program"));
  EXPECT_EQ(host.Sh("ls /etc/docker-machine 2>/dev/null | wc -l"), "0");
}

}  // namespace
}  // namespace machine::tests
