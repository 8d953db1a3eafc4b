// machine-driver-generic as the orchestrator runs it, with a real sshd as its host.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "drivers/sdk/conformance/driver_process.h"
#include "drivers/sdk/conformance/expect_conformance.h"
#include "services/common/ssh/sshd_for_test.h"

namespace machine::driver::generic {
namespace {

std::string* g_program = nullptr;  // From the command line of this test.

TEST(GenericProcessTest, Conforms) {
  const auto sshd = common::SshdForTest::Start();
  ASSERT_TRUE(sshd.ok()) << sshd.status();
  const auto driver = conformance::DriverProcess::Start(*g_program);
  ASSERT_TRUE(driver.ok()) << driver.status();
  EXPECT_EQ((*driver)->result().name(), "generic");
  conformance::Options options;
  machine::v1::OptionValue& address = options.options.emplace_back();
  address.set_name("generic-ip-address");
  address.set_string_value("127.0.0.1");
  machine::v1::OptionValue& port = options.options.emplace_back();
  port.set_name("generic-ssh-port");
  port.set_int_value((*sshd)->port());
  options.adopts_existing_hosts = true;
  options.skip_restart = true;  // It would reboot this machine; see remote_reboot_test.
  options.timeout = absl::Seconds(60);
  options.ssh_private_key = (*sshd)->target().private_key;
  options.log = [&] { return (*driver)->Log(); };
  conformance::ExpectConformance((*driver)->Channel(), options);
}

}  // namespace
}  // namespace machine::driver::generic

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  std::string program = argv[1];
  machine::driver::generic::g_program = &program;
  return RUN_ALL_TESTS();
}
