#include "drivers/docker/endpoint.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/match.h"

namespace machine::driver::docker {
namespace {

struct EndpointCase {
  std::string label;
  std::string text;
  /// What it is in standard form, or what the error says.
  std::string standard;
  bool valid = true;
};

class ParseEndpointTest : public testing::TestWithParam<EndpointCase> {};

TEST_P(ParseEndpointTest, ReadsOrSaysWhatIsWrong) {
  const absl::StatusOr<Endpoint> endpoint = ParseEndpoint(GetParam().text);
  ASSERT_EQ(endpoint.ok(), GetParam().valid) << endpoint.status();
  if (endpoint.ok()) {
    EXPECT_EQ(endpoint->ToString(), GetParam().standard);
    EXPECT_EQ(ParseEndpoint(endpoint->ToString()).value(), *endpoint);
  } else {
    EXPECT_TRUE(absl::StrContains(endpoint.status().message(), GetParam().standard))
        << endpoint.status();
  }
}

INSTANTIATE_TEST_SUITE_P(Texts, ParseEndpointTest,
                         testing::ValuesIn<EndpointCase>({
                             {"UnixSocket", "unix:///run/docker.sock", "unix:///run/docker.sock"},
                             {"HostAndPort", "tcp://engine.lan:2375", "tcp://engine.lan:2375"},
                             {"DefaultPort", "tcp://engine.lan", "tcp://engine.lan:2376"},
                             {"SlashAtTheEnd", "tcp://engine.lan:2376/", "tcp://engine.lan:2376"},
                             {"HttpsIsTcp", "https://10.0.0.1:443", "tcp://10.0.0.1:443"},
                             {"Ipv6", "tcp://[fd00::1]:2376", "tcp://[fd00::1]:2376"},
                             {"Ipv6WithoutPort", "tcp://[::1]", "tcp://[::1]:2376"},
                             {"Ipv6WithoutBrackets", "tcp://fd00::1", "brackets", false},
                             {"OpenBracket", "tcp://[fd00::1", "no ]", false},
                             {"BracketInBrackets", "tcp://[[]", "neither an IP address", false},
                             {"HostOfBlanks", "tcp://an engine:2376", "nor a host name", false},
                             {"RelativeSocket", "unix://docker.sock", "unix:///path", false},
                             {"NoHost", "tcp://:2376", "no host", false},
                             {"NoPortAfterColon", "tcp://engine:", "no port", false},
                             {"PortOutOfRange", "tcp://engine:70000", "70000", false},
                             {"Path", "tcp://engine:2376/v1.41", "only a host and a port", false},
                             {"UserInfo", "tcp://user@engine:2376", "only a host and a port",
                              false},
                             {"Ssh", "ssh://engine", "neither unix:///path nor tcp://", false},
                             {"Nothing", "", "neither", false},
                         }),
                         [](const auto& info) { return info.param.label; });

TEST(EndpointTest, OnlyAUnixSocketOfDockerHostIsADefault) {
  EXPECT_EQ(DefaultEndpoint(""), "unix:///var/run/docker.sock");
  EXPECT_EQ(DefaultEndpoint("unix:///tmp/x.sock"), "unix:///tmp/x.sock");
  EXPECT_EQ(DefaultEndpoint("tcp://172.17.0.2:2376"), "unix:///var/run/docker.sock");
}

TEST(EndpointTest, RequestsGoByTheScheme) {
  Endpoint endpoint = ParseEndpoint("tcp://[::1]:2376").value();
  EXPECT_EQ(endpoint.BaseUrl(), "http://[::1]:2376");
  endpoint.ca_pem = "a CA";
  EXPECT_EQ(endpoint.BaseUrl(), "https://[::1]:2376");
}

}  // namespace
}  // namespace machine::driver::docker
