// A Docker Engine in memory, as far as the driver uses one, with faults to order.
#ifndef DRIVERS_DOCKER_FAKE_ENGINE_H_
#define DRIVERS_DOCKER_FAKE_ENGINE_H_

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "drivers/docker/engine_transport.h"

namespace machine::driver::docker {

/// What a test may see and change of a container.
struct FakeContainer {
  std::string id;
  std::string name;
  std::string status = "created";
  nlohmann::json specification;
  /// What was unpacked into it, in order.
  std::vector<std::string> archives;
  std::string output;
  std::string address;
};

/// Thread-safe where it is called over transports; the public members are for tests to set and read
/// while no call is under way.
class FakeEngine {
 public:
  /// Where in a request an accident happens.
  enum class Accident { kBeforeTheEffect, kAfterTheEffect };

  /// Connections to this engine, which outlives them.
  EngineTransportFactory transports();

  absl::StatusOr<EngineResponse> Handle(const EngineRequest& request);

  /// The request number `number`, from 0, counted from now, is not answered.
  void LoseAnswer(int number, Accident accident);
  /// The next request whose "METHOD target" contains `part` gets `response`, and has no effect.
  void AnswerOnce(absl::string_view part, EngineResponse response);

  /// The one container that is a machine; ends the test where there is another number of them.
  FakeContainer& only();
  /// Requests so far whose "METHOD target" contains `part`.
  int Count(absl::string_view part) const;

  std::string api_version = "1.41";
  std::string min_api_version = "1.12";
  std::string os_type = "linux";
  std::string backing_file_system = "extfs";
  std::set<std::string> images = {"machine-host:bookworm"};
  std::set<std::string> networks = {"bridge"};
  std::string passwd =
      "root:x:0:0:root:/root:/bin/bash\nmachine:x:1000:1000::/home/machine:/bin/bash\n";
  /// Its host lacks a capability.
  bool refuses_privileged = false;
  std::string bounding_set = "000001fffeffffff";
  std::set<int> taken_ports;
  /// Machines end at SIGRTMIN+3.
  bool guests_obey = true;
  /// How many of these a guest does not hear, as before its systemd is up.
  int signals_missed = 0;
  /// What a started machine's status becomes.
  std::string status_after_start = "running";
  std::vector<FakeContainer> containers;
  std::map<std::string, nlohmann::json> volumes;
  std::vector<std::string> requests;

 private:
  EngineResponse Dispatch(const EngineRequest& request, absl::string_view path,
                          const std::map<std::string, std::string>& query);
  EngineResponse List(const std::map<std::string, std::string>& query) const;
  EngineResponse Create(const std::string& name, const std::string& body);
  EngineResponse Start(FakeContainer& container);
  EngineResponse Kill(FakeContainer& container, const std::string& signal);
  EngineResponse OnContainer(const EngineRequest& request, const std::string& id,
                             absl::string_view verb,
                             const std::map<std::string, std::string>& query);
  EngineResponse OnVolume(const EngineRequest& request, absl::string_view name,
                          const std::map<std::string, std::string>& query);

  absl::Mutex mu_;
  int answered_ = 0;
  int made_ = 0;
  std::optional<std::pair<int, Accident>> accident_;
  std::vector<std::pair<std::string, EngineResponse>> ordered_;
};

}  // namespace machine::driver::docker

#endif  // DRIVERS_DOCKER_FAKE_ENGINE_H_
