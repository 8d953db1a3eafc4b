// What is asked of the engine reaches it: on real hosts, as the daemon itself tells it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tests/e2e/bed.h"
#include "tests/integration/world.h"

namespace machine::tests {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;

// What shells, systemd and JSON each make something of.
constexpr char kLabel[] = R"(note=it's "so": $HOME 50% \n)";
constexpr char kVariable[] = R"(NOTE=it's "so": ${HOME} 50% \n)";
constexpr char kPidFile[] = R"(/run/it's "so" $HOME 50% \n.pid)";
constexpr char kEngine[] = "$(systemctl show docker.service -p MainPID --value)";

std::vector<std::string> Strings(const nlohmann::json& list) {
  return list.is_array() ? list.get<std::vector<std::string>>() : std::vector<std::string>();
}

class EngineOptionsTest : public WorldTest {
 protected:
  void SetUp() override {
    if (!Bed::Ready()) GTEST_SKIP() << kNoBed;
    bed_ = std::make_unique<Bed>();
  }

  std::unique_ptr<BareHost> NewHost(const std::string& name) {
    auto host = std::make_unique<BareHost>(*bed_, name);
    EXPECT_NE(host->ip(), "");
    return host;
  }

  Outcome Create(const BareHost& host, const std::string& name,
                 const std::vector<std::string>& options) {
    std::vector<std::string> words = {"create",
                                      "-d",
                                      "generic",
                                      "--generic-ip-address=" + host.ip(),
                                      "--generic-ssh-user=deb",
                                      "--generic-ssh-key=" + bed_->key()};
    words.insert(words.end(), options.begin(), options.end());
    words.push_back(name);
    return world_.RunWords(words);
  }

  // What the daemon says of itself, over TLS.
  nlohmann::json Info(const std::string& machine) {
    const Outcome info = world_.RunOther(
        {"bash", "-euc",
         absl::StrCat("docker $(docker-machine config ", machine, ") info -f '{{json .}}'")});
    EXPECT_EQ(info.exit_code, 0) << info;
    return nlohmann::json::parse(info.out, nullptr, /*allow_exceptions=*/false);
  }

  // Of the daemon's process: its environment or command line, a line each.
  static std::string OfProcess(const BareHost& host, absl::string_view file) {
    return absl::StrCat(host.Sh(absl::StrCat("tr '\\0' '\\n' </proc/", kEngine, "/", file)), "\n");
  }

  std::unique_ptr<Bed> bed_;
};

TEST_F(EngineOptionsTest, ReachTheDaemonBesideWhatOthersHaveConfigured) {
  const auto host = NewHost("e2e-options");
  host->Sh(
      "mkdir -p /etc/docker && cat >/etc/docker/daemon.json <<'END'\n"
      R"({"labels": ["rack=7", "provider=other"], "max-concurrent-downloads": 2,
          "insecure-registries": ["old.test:5000"], "log-opts": {"max-size": "10m"}})"
      "\nEND");
  const Outcome created =
      Create(*host, "opted",
             {absl::StrCat("--engine-label=", kLabel), "--engine-label", "tier=web",
              absl::StrCat("--engine-env=", kVariable), "--engine-env=NO_PROXY=10.0.0.0/8,.test",
              "--engine-label=who=Zoë ☃", "--engine-insecure-registry=new.test:5000",
              "--engine-registry-mirror=https://mirror.test", "--engine-storage-driver=overlay2",
              "--engine-opt=log-driver=json-file", "--engine-opt=log-opt=max-file=3",
              "--engine-opt=live-restore", absl::StrCat("--engine-opt=pidfile=", kPidFile)});
  ASSERT_EQ(created.exit_code, 0) << created;

  nlohmann::json info = Info("opted");
  EXPECT_THAT(Strings(info["Labels"]),
              IsSupersetOf(std::vector<std::string>{kLabel, "tier=web", "who=Zoë ☃", "rack=7",
                                                    "provider=generic"}));
  EXPECT_THAT(Strings(info["Labels"]), Not(Contains("provider=other")));
  EXPECT_TRUE(info["RegistryConfig"]["IndexConfigs"].contains("new.test:5000")) << info;
  EXPECT_TRUE(info["RegistryConfig"]["IndexConfigs"].contains("old.test:5000")) << info;
  EXPECT_THAT(Strings(info["RegistryConfig"]["Mirrors"]), Contains("https://mirror.test/"));
  EXPECT_EQ(info["Driver"], "overlay2");
  EXPECT_EQ(info["LoggingDriver"], "json-file");
  EXPECT_EQ(info["LiveRestoreEnabled"], true);
  EXPECT_THAT(OfProcess(*host, "cmdline"), HasSubstr(absl::StrCat("--pidfile=", kPidFile, "\n")));
  EXPECT_EQ(host->Sh(absl::StrCat("test -f '/run/it'\\''s \"so\" $HOME 50% \\n.pid' || ",
                                  "ls /run/*.pid")),
            "");
  EXPECT_THAT(OfProcess(*host, "environ"), HasSubstr(absl::StrCat(kVariable, "\n")));
  EXPECT_THAT(OfProcess(*host, "environ"), HasSubstr("NO_PROXY=10.0.0.0/8,.test\n"));
  const auto file = nlohmann::json::parse(host->Sh("cat /etc/docker/daemon.json"));
  EXPECT_EQ(file["max-concurrent-downloads"], 2);
  EXPECT_EQ(file["log-opts"], (nlohmann::json{{"max-size", "10m"}, {"max-file", "3"}}));

  // Nothing differs: nothing is restarted.
  const std::string first = host->Sh(absl::StrCat("echo ", kEngine));
  ASSERT_EQ(Run("provision opted").exit_code, 0);
  EXPECT_EQ(host->Sh(absl::StrCat("echo ", kEngine)), first);
  // Somebody took a setting away: it comes back, with a restart; what is his stays.
  host->Sh("echo '{\"max-concurrent-downloads\": 3}' >/etc/docker/daemon.json");
  ASSERT_EQ(Run("provision opted").exit_code, 0);
  EXPECT_NE(host->Sh(absl::StrCat("echo ", kEngine)), first);
  info = Info("opted");
  EXPECT_THAT(Strings(info["Labels"]), Contains(kLabel));
  EXPECT_EQ(
      nlohmann::json::parse(host->Sh("cat /etc/docker/daemon.json"))["max-concurrent-downloads"],
      3);

  // Somebody has broken it: it stays as he left it, and the engine goes on.
  const std::string running = host->Sh(absl::StrCat("echo ", kEngine));
  const std::string kept = host->Sh(
      "cp -p /etc/docker/daemon.json /root/; "
      "echo '{\"debug\": true,}' >/etc/docker/daemon.json; "
      "stat -c '%y %a' /etc/docker/daemon.json");
  const Outcome broken = Run("provision opted");
  EXPECT_EQ(broken.exit_code, 1);
  EXPECT_THAT(broken.err, HasSubstr("/etc/docker/daemon.json on the host is not a JSON object; "
                                    "mend it or remove it"));
  EXPECT_EQ(host->Sh("stat -c '%y %a' /etc/docker/daemon.json"), kept);
  EXPECT_EQ(host->Sh(absl::StrCat("echo ", kEngine)), running);
  host->Sh("cp -p /root/daemon.json /etc/docker/");
  EXPECT_EQ(Run("provision opted").exit_code, 0);

  // A machine that would hide the images of the host is refused; its engine goes on as it was.
  const std::string second = host->Sh(absl::StrCat("echo ", kEngine));
  host->Sh("mkdir -p /var/lib/docker/image/overlay2/layerdb/sha256/some");
  const Outcome refused = Create(*host, "hiding", {"--engine-storage-driver=vfs"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("the host has images of storage driver overlay2"));
  EXPECT_EQ(host->Sh(absl::StrCat("echo ", kEngine)), second);
}

// The only way out of this host is a proxy, which stands on it and knows one script.
TEST_F(EngineOptionsTest, InstallScriptAndProxyAreUsed) {
  const auto host = NewHost("e2e-script");
  host->Sh(
      "cat >/root/script <<'END'\n"
      "set -e\n"
      "env | grep -i _proxy= | sort >/root/seen\n"
      "apt-get -qq update\n"
      "apt-get -qq install -y --no-install-recommends docker.io >/dev/null\n"
      "END\n"
      "cat >/root/proxy.sh <<'END'\n"
      "while :; do\n"
      "  { printf 'HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n'\n"
      "    printf 'Content-Length: %s\\r\\n\\r\\n' \"$(wc -c </root/script)\"\n"
      "    cat /root/script; } | nc -N -l 127.0.0.1 3128 >>/root/requests\n"
      "done\n"
      "END\n"
      "systemd-run --quiet --unit=proxy sh /root/proxy.sh\n"
      "until ss -ltn | grep -q :3128; do sleep 0.05; done");
  const Outcome created =
      Create(*host, "scripted",
             {"--engine-install-url=http://get.test/docker.sh?key=secret",
              "--engine-env=HTTP_PROXY=http://127.0.0.1:3128", "--engine-env=NO_PROXY=.local"});
  ASSERT_EQ(created.exit_code, 0) << created;
  EXPECT_THAT(host->Sh("cat /root/requests"),
              HasSubstr("GET http://get.test/docker.sh?key=secret HTTP/1.1\r\nHost: get.test\r\n"));
  EXPECT_EQ(host->Sh("cat /root/seen"),
            "HTTP_PROXY=http://127.0.0.1:3128\nNO_PROXY=.local\n"
            "http_proxy=http://127.0.0.1:3128\nno_proxy=.local");
  EXPECT_THAT(OfProcess(*host, "environ"), HasSubstr("HTTP_PROXY=http://127.0.0.1:3128\n"));
  EXPECT_EQ(Info("scripted")["HttpProxy"], "http://127.0.0.1:3128");
  EXPECT_EQ(Info("scripted")["NoProxy"], ".local");
}

}  // namespace
}  // namespace machine::tests
