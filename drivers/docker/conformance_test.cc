// The contract of all drivers, over gRPC, on an engine in memory.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "drivers/docker/docker_driver.h"
#include "drivers/docker/fake_engine.h"
#include "drivers/docker/machine_container.h"
#include "drivers/sdk/conformance/expect_conformance.h"
#include "drivers/sdk/service.h"
#include "drivers/sdk/test_machine.h"
#include "services/common/file/file.h"
#include "services/common/log/log.h"
#include "services/common/process/unique_fd.h"
#include "services/common/rpc/server.h"

namespace machine::driver::docker {
namespace {

class ConformanceTest : public testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/ddrvXXXXXX";
    ASSERT_NE(mkdtemp(folder), nullptr);
    folder_ = folder;
    log_.reset(open(LogPath().c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600));
    auto service = DriverService::Create(
        std::make_unique<DockerDriver>("unix:///default.sock", engine_.transports()),
        DriverEnvironment{.log = common::Logger(common::Severity::kDebug, "docker", log_.get())},
        [] {});
    ASSERT_TRUE(service.ok()) << service.status();
    service_ = *std::move(service);
    common::RpcServerOptions options;
    options.address = absl::StrCat("unix:", folder_, "/s");
    options.cookie = "c";
    options.services = service_->services();
    auto server = common::RpcServer::Start(options);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  void TearDown() override {
    server_.reset();
    service_.reset();
    unlink(absl::StrCat(folder_, "/s").c_str());
    unlink(LogPath().c_str());
    rmdir(folder_.c_str());
  }

  std::string LogPath() const { return absl::StrCat(folder_, "/log"); }

  absl::Status Vanish(absl::string_view uid) {
    auto& all = engine_.containers;
    const auto ours = [&](const FakeContainer& container) {
      return container.specification.at("Labels").value(std::string(kUidLabel), "") == uid;
    };
    all.erase(std::remove_if(all.begin(), all.end(), ours), all.end());
    return absl::OkStatus();
  }

  void ExpectConformance(conformance::Options options) {
    options.vanish = [this](absl::string_view uid) { return Vanish(uid); };
    options.log = [this] { return common::ReadFile(LogPath()).value_or(""); };
    conformance::ExpectConformance(common::Channel::Local(server_->address(), "c"), options);
    EXPECT_TRUE(engine_.containers.empty());
    EXPECT_TRUE(engine_.volumes.empty());
  }

  FakeEngine engine_;
  std::string folder_;
  common::UniqueFd log_;
  std::unique_ptr<DriverService> service_;
  std::unique_ptr<common::RpcServer> server_;
};

TEST_F(ConformanceTest, OnALocalEngine) {
  ExpectConformance({.different_options = {Option("docker-memory", 512)}});
}

TEST_F(ConformanceTest, OnARemoteEngineThatRefusesPrivilegedContainers) {
  engine_.refuses_privileged = true;
  machine::v1::OptionValue key;
  key.set_name("docker-tls-key-pem");
  key.set_secret_value("-----BEGIN PRIVATE KEY----- a very secret key");
  const std::vector<machine::v1::OptionValue> options = {
      Option("docker-endpoint", "tcp://engine.lan"), Option("docker-tls-ca-cert-pem", "a CA"),
      Option("docker-tls-cert-pem", "a certificate"), key};
  std::vector<machine::v1::OptionValue> different = options;
  different.push_back(Option("docker-cpus", "1"));
  ExpectConformance({.options = options, .different_options = different});
}

}  // namespace
}  // namespace machine::driver::docker
