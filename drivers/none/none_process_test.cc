// machine-driver-none as the orchestrator runs it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/conformance/driver_client.h"
#include "drivers/sdk/conformance/driver_process.h"
#include "drivers/sdk/conformance/expect_conformance.h"
#include "drivers/sdk/listener_for_test.h"

namespace machine::driver::none {
namespace {

using conformance::DriverClient;
using conformance::DriverProcess;
using Stub = ::driver::v1::Driver::Stub;

std::string* g_program = nullptr;  // From the command line of this test.

TEST(NoneProcessTest, Conforms) {
  const auto driver = DriverProcess::Start(*g_program);
  ASSERT_TRUE(driver.ok()) << driver.status();
  EXPECT_EQ((*driver)->result().name(), "none");
  const ListenerForTest engine;
  conformance::Options options;
  machine::v1::OptionValue& url = options.options.emplace_back();
  url.set_name("url");
  url.set_string_value(absl::StrCat("tcp://127.0.0.1:", engine.port()));
  options.adopts_existing_hosts = true;
  options.state_unknown_after_create = true;
  options.timeout = absl::Seconds(60);
  options.ssh_private_key = "-----BEGIN-----\nbm90IHJlYWxseSBhIGtleSBhdCBhbGw=\n";
  options.log = [&] { return (*driver)->Log(); };
  conformance::ExpectConformance((*driver)->Channel(), options);
}

TEST(NoneProcessTest, EndsWithItsParent) {
  const auto driver = DriverProcess::Start(*g_program);
  ASSERT_TRUE(driver.ok()) << driver.status();
  const auto exit = (*driver)->EndLifeline();
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_TRUE(exit->ok()) << exit->ToString();
}

TEST(NoneProcessTest, RefusesAWrongCookie) {
  const auto driver = DriverProcess::Start(*g_program);
  ASSERT_TRUE(driver.ok()) << driver.status();
  DriverClient client((*driver)->ChannelWithCookie("wrong"), absl::Seconds(60));
  EXPECT_EQ(client.Call(&Stub::GetCreateFlags, {}).status().code(),
            absl::StatusCode::kUnauthenticated);
}

}  // namespace
}  // namespace machine::driver::none

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  std::string program = argv[1];
  machine::driver::none::g_program = &program;
  return RUN_ALL_TESTS();
}
