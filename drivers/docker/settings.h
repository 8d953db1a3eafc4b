// The driver's create flags, and their values in a form to work with.
#ifndef DRIVERS_DOCKER_SETTINGS_H_
#define DRIVERS_DOCKER_SETTINGS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/docker/endpoint.h"
#include "drivers/sdk/flags.h"
#include "drivers/sdk/options.h"

namespace machine::driver::docker {

inline constexpr absl::string_view kEndpointFlag = "docker-endpoint";
inline constexpr absl::string_view kImageFlag = "docker-image";
inline constexpr absl::string_view kMemoryFlag = "docker-memory";
inline constexpr absl::string_view kCpusFlag = "docker-cpus";
inline constexpr absl::string_view kDiskFlag = "docker-disk";
inline constexpr absl::string_view kNetworkFlag = "docker-network";
inline constexpr absl::string_view kSshUserFlag = "docker-ssh-user";

/// What a machine is to be.
struct Settings {
  Endpoint endpoint;
  std::string image;
  /// 0 means no limit.
  int64_t memory_mib = 0;
  int64_t nano_cpus = 0;
  int64_t disk_mib = 0;
  /// "source:target" or "source:target:ro".
  std::vector<std::string> volumes;
  std::string network;
  /// Fixed address in `network`; empty for the engine's choice.
  std::string ip;
  std::vector<std::pair<std::string, std::string>> labels;
  /// Where the machine's engine listens, unless the ports are published.
  int engine_port = 0;
  std::string ssh_user;
};

Flags DockerFlags();

/// Reads options. An empty endpoint means `default_endpoint`. Errors: BadOption().
absl::StatusOr<Settings> ReadSettings(const Options& options, absl::string_view default_endpoint);

/// The endpoint alone, for machines that exist.
absl::StatusOr<Endpoint> ReadEndpoint(const Options& options, absl::string_view default_endpoint);

}  // namespace machine::driver::docker

#endif  // DRIVERS_DOCKER_SETTINGS_H_
