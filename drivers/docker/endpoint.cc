#include "drivers/docker/endpoint.h"

#include <cstdint>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "drivers/sdk/host_port.h"

namespace machine::driver::docker {
namespace {

constexpr absl::string_view kSystemEndpoint = "unix:///var/run/docker.sock";
constexpr int kDefaultPort = 2376;

bool IsIpv6(absl::string_view host) { return absl::StrContains(host, ':'); }

std::string Authority(const Endpoint& endpoint) {
  return IsIpv6(endpoint.host) ? absl::StrCat("[", endpoint.host, "]:", endpoint.port)
                               : absl::StrCat(endpoint.host, ":", endpoint.port);
}

absl::Status SplitAuthority(absl::string_view text, Endpoint& endpoint) {
  absl::string_view host = text;
  absl::string_view port;
  if (absl::ConsumePrefix(&host, "[")) {
    const size_t end = host.find(']');
    if (end == absl::string_view::npos) return absl::InvalidArgumentError("no ] after the address");
    port = host.substr(end + 1);
    host = host.substr(0, end);
    if (!port.empty() && !absl::ConsumePrefix(&port, ":")) {
      return absl::InvalidArgumentError("nothing but a port may follow the address");
    }
  } else if (const size_t colon = host.rfind(':'); colon != absl::string_view::npos) {
    port = host.substr(colon + 1);
    host = host.substr(0, colon);
    if (IsIpv6(host)) {
      return absl::InvalidArgumentError("an IPv6 address stands in brackets: tcp://[::1]:2376");
    }
    if (port.empty()) return absl::InvalidArgumentError("no port after the colon");
  }
  if (host.empty()) return absl::InvalidArgumentError("no host");
  if (const absl::Status status = CheckHost(host); !status.ok()) return status;
  endpoint.host = std::string(host);
  endpoint.port = kDefaultPort;
  if (port.empty()) return absl::OkStatus();
  int32_t number = 0;
  if (!absl::SimpleAtoi(port, &number) || number < 1 || number > 65535) {
    return absl::InvalidArgumentError(absl::StrCat("\"", port, "\" is not a port"));
  }
  endpoint.port = number;
  return absl::OkStatus();
}

}  // namespace

std::string Endpoint::ToString() const {
  return local() ? absl::StrCat("unix://", socket_path) : absl::StrCat("tcp://", Authority(*this));
}

std::string Endpoint::BaseUrl() const {
  // The name is not looked up for a Unix socket; it is what the engine's log shows.
  if (local()) return "http://docker";
  return absl::StrCat(tls() ? "https://" : "http://", Authority(*this));
}

absl::StatusOr<Endpoint> ParseEndpoint(absl::string_view text) {
  Endpoint endpoint;
  absl::string_view rest = text;
  if (absl::ConsumePrefix(&rest, "unix://")) {
    if (!absl::StartsWith(rest, "/")) {
      return absl::InvalidArgumentError("a Unix socket is named as unix:///path");
    }
    endpoint.socket_path = std::string(rest);
    return endpoint;
  }
  if (!absl::ConsumePrefix(&rest, "tcp://") && !absl::ConsumePrefix(&rest, "https://")) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" is neither unix:///path nor tcp://host:port"));
  }
  rest = absl::StripSuffix(rest, "/");
  if (absl::StrContains(rest, '/') || absl::StrContains(rest, '@') ||
      absl::StrContains(rest, '?') || absl::StrContains(rest, '#')) {
    return absl::InvalidArgumentError("only a host and a port may follow tcp://");
  }
  if (const absl::Status status = SplitAuthority(rest, endpoint); !status.ok()) return status;
  return endpoint;
}

bool IsLoopback(absl::string_view host) {
  return host == "localhost" || host == "::1" || absl::StartsWith(host, "127.");
}

std::string DefaultEndpoint(absl::string_view docker_host) {
  return std::string(absl::StartsWith(docker_host, "unix:///") ? docker_host : kSystemEndpoint);
}

}  // namespace machine::driver::docker
