#include "drivers/sdk/host_port.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace machine::driver {
namespace {

using ::testing::HasSubstr;

TEST(HostPortTest, ReadsWhatPeopleWrite) {
  const struct {
    const char* text;
    const char* host;
    int port;
  } cases[] = {
      {"10.0.0.1:2376", "10.0.0.1", 2376},
      {"host-1.example.com:1", "host-1.example.com", 1},
      {"[::1]:65535", "::1", 65535},
      {"[fe80::1:2]:22", "fe80::1:2", 22},
      {"a_b:22", "a_b", 22},
  };
  for (const auto& row : cases) {
    SCOPED_TRACE(row.text);
    const auto address = ParseHostPort(row.text);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(address->host, row.host);
    EXPECT_EQ(address->port, row.port);
    EXPECT_EQ(HostPort(address->host, address->port), row.text);
  }
}

TEST(HostPortTest, SaysWhatIsWrong) {
  const struct {
    const char* text;
    const char* message;
  } cases[] = {
      {"", "has no port"},          {"host", "has no port"},
      {"[::1]", "has no port"},     {":22", "has no host"},
      {"[]:22", "has no host"},     {"::1:22", "brackets"},
      {"[host]:22", "brackets"},    {"host:0", "1 to 65535"},
      {"host:65536", "1 to 65535"}, {"host:ssh", "1 to 65535"},
      {"host:", "1 to 65535"},      {"a b:22", "neither an IP address nor a host name"},
      {"-a:22", "neither"},         {"a..b:22", "neither"},
      {"10.0.0.256:22", "neither"}, {"10.0.1:22", "neither"},
      {"user@host:22", "neither"},  {"[1:2]:22", "neither"},
  };
  for (const auto& row : cases) {
    SCOPED_TRACE(row.text);
    const auto address = ParseHostPort(row.text);
    EXPECT_EQ(address.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(address.status().message()), HasSubstr(row.message));
  }
}

}  // namespace
}  // namespace machine::driver
