#include "services/provisioner/steps/provision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "services/common/crypto/digest.h"
#include "services/common/status/status.h"
#include "services/provisioner/detect/facts.h"
#include "services/provisioner/host/fake_host.h"
#include "services/provisioner/steps/daemon_json.h"
#include "services/provisioner/steps/drop_in.h"

namespace machine::provisioner {
namespace {

using ::machine::v1::ErrorReason;
using ::provisioner::v1::HostInfo;
using ::provisioner::v1::ProvisionRequest;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kExecStart[] = "/usr/sbin/dockerd -H fd:// $DOCKER_OPTS";

class FakeProbe final : public EngineProbe {
 public:
  absl::StatusOr<EngineVersion> Ask(common::CallScope&, absl::string_view docker_url,
                                    const std::optional<EngineTls>& tls) const override {
    url = std::string(docker_url);
    with_tls = tls.has_value();
    return answer;
  }

  absl::StatusOr<EngineAnswer> Send(common::CallScope&, absl::string_view,
                                    const std::optional<EngineTls>&, absl::string_view,
                                    absl::string_view, const std::string&) const override {
    return absl::InternalError("no call of the API was expected");
  }

  absl::StatusOr<EngineVersion> answer = EngineVersion{"20.10.24+dfsg1", "1.41"};
  mutable std::string url;
  mutable bool with_tls = false;
};

// The facts of a Debian host, with further lines, as its script prints them.
std::string BareHost(absl::string_view more = "") {
  return absl::StrCat(
      "@fact user=deb\n@fact access=sudo\n@fact os_id=debian\n@fact os_version=12\n"
      "@fact os_name=Debian GNU/Linux 12\n@fact architecture=x86_64\n@fact hostname=old\n"
      "@fact init=systemd\n@fact disk=9999999 /\n",
      more, "@fact end=1\n");
}

std::string EngineHost(absl::string_view more = "") {
  return BareHost(absl::StrCat(
      "@fact dockerd=/usr/sbin/dockerd\n@fact dockerd_version=Docker version 20.10.24, build x\n"
      "@fact exec_start=",
      kExecStart,
      "\n@fact unit.Id=docker.service\n@fact unit.LoadState=loaded\n@fact unit.ActiveState=active\n"
      "@fact unit.UnitFileState=enabled\n@fact unit.Id=docker.socket\n@fact "
      "unit.LoadState=loaded\n",
      more));
}

ProvisionRequest Request() {
  ProvisionRequest request;
  request.mutable_target()->set_host("10.0.0.1");
  request.set_driver("generic");
  request.mutable_tls()->set_ca_pem("CA");
  request.mutable_tls()->set_server_cert_pem("CERT");
  request.mutable_tls()->set_server_key_pem("SERVER-SECRET");
  request.mutable_tls()->set_client_cert_pem("CLIENT");
  request.mutable_tls()->set_client_key_pem("CLIENT-SECRET");
  return request;
}

// What a host that is as `request` wants it adds to its facts.
std::string ProvisionedFacts(const ProvisionRequest& request) {
  const auto settings = ReadEngineSettings(request);
  const auto json = MergeDaemonJson(std::nullopt, *settings);
  Facts facts;
  facts.exec_start = kExecStart;
  facts.docker_socket.load_state = "loaded";
  const auto drop_in = RenderDropIn(facts, *settings, false);
  std::string lines;
  const auto add = [&lines](absl::string_view path, int mode, absl::string_view contents) {
    absl::StrAppend(&lines, "@fact sha256=", common::Sha256Hex(contents), "  ", path,
                    "\n@fact mode=", mode, " 0 ", path, "\n");
  };
  add(kCaPath, 644, "CA");
  add(kServerCertPath, 644, "CERT");
  add(kServerKeyPath, 600, "SERVER-SECRET");
  add(kDropInPath, 644, *drop_in);
  absl::StrAppend(&lines, "@fact daemon_json=", absl::Base64Escape(json->text), "\n");
  return lines;
}

class ProvisionTest : public testing::Test {
 protected:
  absl::StatusOr<HostInfo> Run(const ProvisionRequest& request,
                               Purpose purpose = Purpose::kProvision) {
    common::CallScope::Sink sink;
    sink.progress = [this](machine::v1::Progress p) { progress_.push_back(p.message()); };
    sink.log = [this](machine::v1::LogLine line) { log_.push_back(line.text()); };
    common::CallScope call(absl::InfiniteFuture(), std::make_shared<common::Cancellation>(),
                           std::move(sink));
    return Provision(call, host_, probe_, request, purpose);
  }

  // Runs, expects a failure with this reason, and returns its message.
  std::string Failure(const ProvisionRequest& request, ErrorReason reason,
                      Purpose purpose = Purpose::kProvision) {
    const absl::Status status = Run(request, purpose).status();
    EXPECT_EQ(common::ReasonOf(status), reason) << status;
    return std::string(status.message());
  }

  std::string Script(size_t i) const { return host_.scripts().at(i).text; }

  FakeHost host_;
  FakeProbe probe_;
  std::vector<std::string> progress_;
  std::vector<std::string> log_;
};

TEST_F(ProvisionTest, ABareHostTakesThreeCommands) {
  host_.Answer(BareHost());
  host_.Answer("@at Setting up docker.io\n@changed\n" + EngineHost());
  host_.Answer(
      "@say Copying certs to the remote machine...\n"
      "@say Setting Docker configuration on the remote daemon...\n@changed\n");
  ProvisionRequest request = Request();
  request.set_host_name("new");
  const absl::StatusOr<HostInfo> info = Run(request);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_TRUE(info->changed());
  EXPECT_TRUE(info->engine_installed());
  EXPECT_EQ(info->commands_run(), 3);
  EXPECT_EQ(info->provisioner(), "debian");
  EXPECT_EQ(info->docker_version(), "20.10.24+dfsg1");
  EXPECT_EQ(info->docker_api_version(), "1.41");
  EXPECT_EQ(info->host_key_sha256(), "fakehostkey");
  EXPECT_EQ(probe_.url, "tcp://10.0.0.1:2376");
  EXPECT_TRUE(probe_.with_tls);
  EXPECT_THAT(progress_, ElementsAre("Provisioning with debian...", "Installing Docker...",
                                     "Copying certs to the remote machine...",
                                     "Setting Docker configuration on the remote daemon..."));
  EXPECT_THAT(log_, ElementsAre("Setting up docker.io")) << "the installer's last line";
  EXPECT_EQ(host_.scripts()[1].run_as, RunAs::kSudo);
  EXPECT_THAT(Script(1), HasSubstr("action='install'\nengine_packages='docker.io'\n"));
  EXPECT_THAT(Script(2), HasSubstr("put '/etc/docker/server-key.pem' 600 <<"));
  EXPECT_THAT(Script(2), HasSubstr("\nset_hostname 'new'\n"));
  EXPECT_THAT(Script(2), HasSubstr("\nvalidate '/usr/sbin/dockerd'\n"
                                   "reload_units 'tcp://0.0.0.0:2376'\nrestart_engine\nfinish"));
  EXPECT_THAT(Script(2), Not(HasSubstr("\nenable_engine\n")));
}

TEST_F(ProvisionTest, NothingToDoTakesOneCommandAndChangesNothing) {
  host_.Answer(EngineHost(ProvisionedFacts(Request())));
  const absl::StatusOr<HostInfo> info = Run(Request());
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_FALSE(info->changed());
  EXPECT_FALSE(info->engine_installed());
  EXPECT_EQ(info->commands_run(), 1);
  EXPECT_THAT(progress_, ElementsAre("Provisioning with debian..."));
}

struct DifferenceCase {
  absl::string_view label;
  // Changes the facts of a host that is as it should be.
  std::function<std::string(std::string facts)> change;
  absl::string_view expected;
  absl::string_view unexpected;
};

class DifferenceTest : public ProvisionTest, public testing::WithParamInterface<DifferenceCase> {};

TEST_P(DifferenceTest, OnlyThatIsChanged) {
  const DifferenceCase& c = GetParam();
  host_.Answer(c.change(EngineHost(ProvisionedFacts(Request()))));
  host_.Answer("@changed\n");
  const absl::StatusOr<HostInfo> info = Run(Request());
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_TRUE(info->changed());
  ASSERT_EQ(info->commands_run(), 2);
  const std::string calls = Script(1).substr(Script(1).find("\nbegin\n"));
  EXPECT_THAT(calls, HasSubstr(std::string(c.expected)));
  EXPECT_THAT(calls, Not(HasSubstr(std::string(c.unexpected))));
}

auto Replace(absl::string_view from, absl::string_view to) {
  return [from, to](const std::string& facts) {
    EXPECT_TRUE(absl::StrContains(facts, from));
    return absl::StrReplaceAll(facts, {{from, to}});
  };
}

INSTANTIATE_TEST_SUITE_P(
    Differences, DifferenceTest,
    testing::ValuesIn<DifferenceCase>({
        {"AKeyThatOthersMayRead",
         Replace("mode=600 0 /etc/docker/server-key", "mode=644 0 /etc/docker/server-key"),
         "put '/etc/docker/server-key.pem' 600", "put '/etc/docker/ca.pem'"},
        {"AFileOfAnotherOwner", Replace("mode=644 0 /etc/docker/ca", "mode=644 7 /etc/docker/ca"),
         "put '/etc/docker/ca.pem' 644", "server-key.pem"},
        {"AnEngineThatIsStopped", Replace("ActiveState=active", "ActiveState=inactive"),
         "\nrestart_engine\n", "put "},
        {"AnEngineThatIsDisabled", Replace("UnitFileState=enabled", "UnitFileState=disabled"),
         "\nenable_engine\n", "restart_engine"},
        {"ARunThatWasCutOff", Replace("@fact end", "@fact pending=1\n@fact end"),
         "\nrestart_engine\n", "put "},
        {"AUnitThatSystemdHasNotRead",
         Replace("unit.UnitFileState=enabled",
                 "unit.NeedDaemonReload=yes\n@fact unit.UnitFileState=enabled"),
         "\nreload_units ", "put "},
        {"AnotherDaemonJson",
         [](const std::string& facts) {
           const size_t begin = facts.find("@fact daemon_json=");
           std::string changed = facts;
           return changed.replace(begin, facts.find('\n', begin) - begin, "@fact daemon_json=e30=");
         },
         "put '/etc/docker/daemon.json' 644", "ca.pem"},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST_F(ProvisionTest, KeysAreOnlyInStandardInputAndEncoded) {
  host_.Answer(EngineHost());
  host_.Answer("@changed\n");
  ASSERT_TRUE(Run(Request()).ok());
  for (const HostScript& script : host_.scripts()) {
    EXPECT_THAT(script.text, Not(HasSubstr("SERVER-SECRET")));
    EXPECT_THAT(script.text, Not(HasSubstr(absl::Base64Escape("CLIENT-SECRET"))));
  }
  EXPECT_THAT(Script(1), HasSubstr(absl::Base64Escape("SERVER-SECRET")));
  for (const std::string& text : progress_) EXPECT_THAT(text, Not(HasSubstr("SECRET")));
}

TEST_F(ProvisionTest, TheModeOfAnExistingDaemonJsonStays) {
  host_.Answer(EngineHost("@fact daemon_json=e30=\n@fact mode=600 0 /etc/docker/daemon.json\n"));
  host_.Answer("@changed\n");
  ASSERT_TRUE(Run(Request()).ok());
  EXPECT_THAT(Script(1), HasSubstr("put '/etc/docker/daemon.json' 600"));
}

TEST_F(ProvisionTest, AnInstallScriptIsUsedWhenGiven) {
  ProvisionRequest request = Request();
  request.mutable_engine()->set_install_url("https://get.example/?a='b'");
  host_.Answer(BareHost());
  host_.Answer("@changed\n" + EngineHost());
  host_.Answer("@changed\n");
  ASSERT_TRUE(Run(request).ok());
  EXPECT_THAT(Script(1), HasSubstr("action='script'\n"));
  EXPECT_THAT(Script(1), HasSubstr("install_url='https://get.example/?a='\\''b'\\'''\n"));
}

TEST_F(ProvisionTest, ProxiesAreForTheInstallationToo) {
  ProvisionRequest request = Request();
  request.mutable_engine()->add_env("http_proxy=http://u:p@proxy:3128/?a='b'");
  request.mutable_engine()->add_env("NO_PROXY=10.0.0.0/8,.local");
  request.mutable_engine()->add_env("OTHER=x");
  host_.Answer(BareHost());
  host_.Answer("@changed\n" + EngineHost());
  host_.Answer("@changed\n");
  ASSERT_TRUE(Run(request).ok());
  EXPECT_THAT(Script(1), HasSubstr("proxies='HTTP_PROXY=http://u:p@proxy:3128/?a='\\''b'\\''\n"
                                   "NO_PROXY=10.0.0.0/8,.local'\n"));
}

TEST_F(ProvisionTest, OptionsOfTheCommandLineAreCheckedBeforeARestart) {
  ProvisionRequest request = Request();
  request.mutable_engine()->add_arbitrary_flags("new-thing=it's");
  host_.Answer(EngineHost());
  host_.Answer("@changed\n");
  ASSERT_TRUE(Run(request).ok());
  EXPECT_THAT(Script(1), HasSubstr("\nvalidate '/usr/sbin/dockerd' '--new-thing=it'\\''s'\n"));
}

TEST_F(ProvisionTest, WaitingForAnotherPackageManagerIsShown) {
  host_.Answer(BareHost());
  host_.Answer("@say Waiting for another package manager to finish (apt-get, process 7)...\n" +
               EngineHost());
  host_.Answer("@changed\n");
  ASSERT_TRUE(Run(Request()).ok());
  EXPECT_THAT(progress_,
              Contains("Waiting for another package manager to finish (apt-get, process 7)..."));
}

TEST_F(ProvisionTest, AnUnknownSystemIsLeftAlone) {
  host_.Answer(absl::StrReplaceAll(BareHost(), {{"os_id=debian", "os_id=alpine"},
                                                {"Debian GNU/Linux 12", "Alpine Linux v3.20"}}));
  EXPECT_THAT(Failure(Request(), machine::v1::ERROR_REASON_UNSUPPORTED_HOST),
              HasSubstr("\"alpine\" (Alpine Linux v3.20); supported: debian"));
  EXPECT_EQ(host_.commands_run(), 1);
}

TEST_F(ProvisionTest, AUserWhoCannotBecomeRootChangesNothing) {
  host_.Answer(absl::StrReplaceAll(
      BareHost(),
      {{"access=sudo", "access=none\n@fact access_error=sudo: a password is required"}}));
  const std::string message = Failure(Request(), machine::v1::ERROR_REASON_HOST_COMMAND_FAILED);
  EXPECT_THAT(message, HasSubstr("user \"deb\" cannot become root"));
  EXPECT_THAT(message, HasSubstr("a password is required"));
  EXPECT_EQ(host_.commands_run(), 1);
}

TEST_F(ProvisionTest, AFullDiskIsFoundBeforeTheInstallation) {
  host_.Answer(BareHost("@fact disk=20480 /var/lib\n"));
  const std::string message = Failure(Request(), machine::v1::ERROR_REASON_HOST_COMMAND_FAILED);
  EXPECT_THAT(message, HasSubstr("20 MiB are free on /var/lib, 300 MiB are needed"));
  EXPECT_EQ(host_.commands_run(), 1);
}

TEST_F(ProvisionTest, AFailedInstallationShowsItsLastLines) {
  host_.Answer(BareHost());
  host_.Answer(
      "@failed apt-get install docker.io\n@status 100\n@output Unpacking docker.io\n"
      "@output dpkg: error: No space left on device\n",
      1);
  const absl::Status status = Run(Request()).status();
  EXPECT_EQ(status.message(),
            "apt-get install docker.io failed on the host: Unpacking docker.io\n"
            "dpkg: error: No space left on device");
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_HOST_COMMAND_FAILED);
  EXPECT_EQ(common::ErrorMetadataOf(status, "step"), "install");
  EXPECT_EQ(common::ErrorMetadataOf(status, "exit_code"), "100");
}

TEST_F(ProvisionTest, AScriptThatDiesIsReportedWithItsStandardError) {
  host_.Answer(EngineHost());
  host_.Answer("", 2, "sh: 1: Syntax error\n");
  EXPECT_EQ(Failure(Request(), machine::v1::ERROR_REASON_HOST_COMMAND_FAILED),
            "step configure failed on the host: sh: 1: Syntax error");
}

TEST_F(ProvisionTest, AnEngineThatDoesNotAnswerIsReportedWithItsLog) {
  probe_.answer =
      common::Error(absl::StatusCode::kFailedPrecondition,
                    machine::v1::ERROR_REASON_ENGINE_UNREACHABLE, "certificate refused");
  host_.Answer(EngineHost(ProvisionedFacts(Request())));
  host_.Answer("level=error msg=\"no good\"\n");
  EXPECT_EQ(
      Failure(Request(), machine::v1::ERROR_REASON_ENGINE_UNREACHABLE),
      "certificate refused\nthe last lines of the engine's log:\nlevel=error msg=\"no good\"");
}

TEST_F(ProvisionTest, ALostConnectionKeepsItsReason) {
  host_.Answer(EngineHost());
  host_.Answer(common::Error(absl::StatusCode::kUnavailable,
                             machine::v1::ERROR_REASON_SSH_UNREACHABLE, "connection lost"));
  Failure(Request(), machine::v1::ERROR_REASON_SSH_UNREACHABLE);
}

TEST_F(ProvisionTest, AnotherStorageDriverNeverHidesData) {
  ProvisionRequest request = Request();
  request.mutable_engine()->set_storage_driver("btrfs");
  host_.Answer(EngineHost("@fact storage_data=overlay2\n"));
  EXPECT_THAT(Failure(request, machine::v1::ERROR_REASON_HOST_COMMAND_FAILED),
              HasSubstr("images of storage driver overlay2"));
  EXPECT_EQ(host_.commands_run(), 1);
}

// The text that a script writes with `line`.
std::string Written(const std::string& script, const std::string& line) {
  const size_t begin = script.find("\n" + line + " <<'MACHINE_FILE_END'\n");
  if (begin == std::string::npos) return "no such line";
  const size_t text = script.find('\n', begin + 1) + 1;
  std::string decoded;
  absl::Base64Unescape(script.substr(text, script.find("MACHINE_FILE_END", text) - text), &decoded);
  return decoded;
}

TEST_F(ProvisionTest, RunningContainersOutliveTheRestart) {
  host_.Answer(EngineHost("@fact running_containers=2\n@fact daemon_json=e30=\n"));
  host_.Answer("@changed\n");
  ASSERT_TRUE(Run(Request(), Purpose::kConfigureTls).ok());
  const std::string script = Script(1).substr(Script(1).find("\nbegin\n"));
  EXPECT_THAT(script, HasSubstr("keep_warning='the engine is restarted, and with it its 2 running "
                                "containers'\n"));
  EXPECT_EQ(Written(script, "keep_containers '/etc/docker/daemon.json' 644"),
            "{\n  \"live-restore\": true\n}\n");
  const size_t restart = script.find("\nrestart_engine\n");
  ASSERT_NE(restart, std::string::npos);
  EXPECT_EQ(Written(script.substr(0, restart), "put '/etc/docker/daemon.json' 644"),
            "{\n  \"live-restore\": true\n}\n");
  // Afterwards the setting is off again, and the file is what it was.
  const std::string end = script.substr(restart);
  EXPECT_EQ(Written(end, "put '/etc/docker/daemon.json' 644"), "{\n  \"live-restore\": false\n}\n");
  EXPECT_EQ(
      Written(end.substr(end.find("live_restore_is false")), "put '/etc/docker/daemon.json' 644"),
      "{}");
}

TEST_F(ProvisionTest, ContainersThatCannotBeKeptAreWarnedAbout) {
  host_.Answer(EngineHost("@fact running_containers=2\n@fact daemon_json=W10=\n"));
  host_.Answer("@changed\n");
  ASSERT_TRUE(Run(Request(), Purpose::kConfigureTls).ok());
  EXPECT_THAT(log_, Contains(HasSubstr("its 2 running containers")));
  EXPECT_THAT(Script(1), Not(HasSubstr("\nkeep_containers ")));
}

std::string Boot2docker(absl::string_view more = "") {
  return absl::StrCat(
      "@fact user=docker\n@fact access=sudo\n@fact os_id=boot2docker\n@fact os_version=19.03.12\n"
      "@fact hostname=boot2docker\n@fact init=init\n@fact dockerd=/usr/local/bin/dockerd\n"
      "@fact dockerd_version=Docker version 19.03.12, build 48a66213fe\n@fact engine_alive=1\n",
      more, "@fact end=1\n");
}

TEST_F(ProvisionTest, Boot2dockerIsConfiguredInItsOwnWay) {
  host_.Answer(Boot2docker());
  host_.Answer("@changed\n");
  ProvisionRequest request = Request();
  request.set_host_name("old");
  const absl::StatusOr<HostInfo> info = Run(request);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->provisioner(), "boot2docker");
  EXPECT_THAT(Script(1), HasSubstr("start_script=/etc/init.d/docker\n"));
  const std::string script = Script(1).substr(Script(1).find("\nbegin\n"));
  EXPECT_THAT(script, HasSubstr("put '/var/lib/boot2docker/server-key.pem' 600 <<"));
  EXPECT_THAT(Written(script, "put '/var/lib/boot2docker/profile' 644"),
              HasSubstr("CACERT='/var/lib/boot2docker/ca.pem'\n"));
  EXPECT_EQ(Written(script, "put '/var/lib/boot2docker/daemon.json' 644"),
            "{\n  \"labels\": [\n    \"provider=generic\"\n  ]\n}\n");
  EXPECT_THAT(script, HasSubstr("\nset_hostname 'old'\n"));
  EXPECT_THAT(script, HasSubstr("\nrestart_engine\nfinish\n"));
  EXPECT_THAT(script, Not(HasSubstr("\nenable_engine\n")));
  EXPECT_THAT(script, Not(HasSubstr("/etc/docker/")));
}

TEST_F(ProvisionTest, Boot2dockerCannotBeUpgraded) {
  host_.Answer(Boot2docker());
  EXPECT_THAT(Failure(Request(), machine::v1::ERROR_REASON_HOST_COMMAND_FAILED, Purpose::kUpgrade),
              HasSubstr("create a new machine instead"));
  EXPECT_EQ(host_.commands_run(), 1);
}

TEST_F(ProvisionTest, CertificatesAloneTouchNothingElse) {
  host_.Answer(EngineHost("@fact daemon_json=W10=\n"));  // Even where daemon.json is broken.
  host_.Answer("@changed\n");
  const absl::StatusOr<HostInfo> info = Run(Request(), Purpose::kConfigureTls);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_THAT(Script(1), Not(HasSubstr("put '/etc/docker/daemon.json'")));
  EXPECT_THAT(Script(1), HasSubstr("put '/etc/docker/server.pem'"));
  EXPECT_THAT(Script(1), HasSubstr("\nrestart_engine\n"));
}

TEST_F(ProvisionTest, CertificatesNeedAnEngine) {
  host_.Answer(BareHost());
  EXPECT_THAT(
      Failure(Request(), machine::v1::ERROR_REASON_HOST_COMMAND_FAILED, Purpose::kConfigureTls),
      HasSubstr("no engine"));
}

TEST_F(ProvisionTest, AnUpgradeComesFirst) {
  const std::string host = EngineHost(ProvisionedFacts(Request()));
  host_.Answer(host);
  host_.Answer("@changed\n" + host);
  const absl::StatusOr<HostInfo> info = Run(Request(), Purpose::kUpgrade);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_TRUE(info->changed());
  EXPECT_EQ(info->commands_run(), 2);
  EXPECT_THAT(Script(1), HasSubstr("action='upgrade'\n"));
  EXPECT_THAT(Script(1), HasSubstr("dockerd='/usr/sbin/dockerd'\n"));
}

TEST_F(ProvisionTest, BadRequestsAreRefusedBeforeTheHostIsAsked) {
  ProvisionRequest name = Request();
  name.set_host_name("a; reboot");
  EXPECT_EQ(Run(name).status().code(), absl::StatusCode::kInvalidArgument);
  ProvisionRequest url = Request();
  url.mutable_engine()->set_install_url("file:///etc/passwd");
  EXPECT_EQ(Run(url).status().code(), absl::StatusCode::kInvalidArgument);
  ProvisionRequest tls = Request();
  tls.mutable_tls()->clear_server_key_pem();
  EXPECT_EQ(Run(tls).status().code(), absl::StatusCode::kInvalidArgument);
  ProvisionRequest swarm = Request();
  swarm.mutable_swarm()->set_is_swarm(true);
  swarm.mutable_swarm()->set_discovery("token://1234");
  EXPECT_EQ(Run(swarm).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(host_.commands_run(), 0);
}

TEST_F(ProvisionTest, AStandaloneSwarmWithoutAnImageIsWarnedAbout) {
  ProvisionRequest request = Request();
  request.mutable_swarm()->set_is_swarm(true);
  request.mutable_swarm()->set_discovery("consul://x");
  host_.Answer(EngineHost(ProvisionedFacts(Request())));
  ASSERT_TRUE(Run(request).ok());
  EXPECT_THAT(log_, Contains(HasSubstr("--swarm-image")));
}

TEST_F(ProvisionTest, TheEngineMayHaveAnotherAddressAndPort) {
  ProvisionRequest request = Request();
  request.set_engine_host("fe80::1");
  request.set_engine_port(4243);
  host_.Answer(EngineHost());
  host_.Answer("@changed\n");
  ASSERT_TRUE(Run(request).ok());
  EXPECT_EQ(probe_.url, "tcp://[fe80::1]:4243");
  EXPECT_THAT(Script(1), HasSubstr("reload_units 'tcp://0.0.0.0:4243'"));
}

TEST(DetectTest, DescribesTheHost) {
  FakeHost host;
  host.Answer(EngineHost());
  common::CallScope call(absl::InfiniteFuture(), std::make_shared<common::Cancellation>(), {});
  const absl::StatusOr<HostInfo> info = Detect(call, host);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->os_id(), "debian");
  EXPECT_EQ(info->os_version(), "12");
  EXPECT_EQ(info->architecture(), "x86_64");
  EXPECT_EQ(info->docker_version(), "20.10.24");
  EXPECT_EQ(info->docker_api_version(), "");
  EXPECT_EQ(info->commands_run(), 1);
}

}  // namespace
}  // namespace machine::provisioner
