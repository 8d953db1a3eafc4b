// The calls of the Docker Engine's HTTP API that the driver makes, typed.
// https://docs.docker.com/reference/api/engine/
#ifndef DRIVERS_DOCKER_ENGINE_API_H_
#define DRIVERS_DOCKER_ENGINE_API_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "drivers/docker/engine_transport.h"
#include "services/common/rpc/call_scope.h"

namespace machine::driver::docker {

using Labels = std::map<std::string, std::string>;

/// What the engine says of itself.
struct EngineInfo {
  std::string os_type;
  int64_t memory_bytes = 0;
  int64_t cpus = 0;
  std::string storage_driver;
  /// File system under the storage driver, for example "extfs"; empty where it does not say.
  std::string backing_file_system;
};

/// A container as the engine lists it.
struct Container {
  struct Port {
    int inner = 0;
    /// 0 where it is not published.
    int outer = 0;
  };

  std::string id;
  /// Without the slash.
  std::string name;
  /// "created", "running", "paused", "restarting", "removing", "exited" or "dead".
  std::string status;
  Labels labels;
  /// The network it was made for.
  std::string network;
  /// Address by network; empty while it is down.
  std::map<std::string, std::string> addresses;
  std::vector<Port> ports;
};

/// One engine. The API version is agreed on at the first call and again when the engine has become
/// another one. Thread-safe; blocks.
///
/// Errors of all: those of EngineTransport::Send; and of what the engine answers INVALID_ARGUMENT
/// (400), PERMISSION_DENIED PROVIDER_POLICY (401, 403), NOT_FOUND INSTANCE_GONE (404),
/// ALREADY_EXISTS (409), UNAVAILABLE PROVIDER_DOWN (503), FAILED_PRECONDITION HOST_COMMAND_FAILED
/// (other 5xx) with the engine's own message; FAILED_PRECONDITION when it is no Docker Engine.
class EngineApi {
 public:
  EngineApi(std::string name, std::unique_ptr<EngineTransport> transport);

  /// Agrees on an API version unless that was done. Errors: FAILED_PRECONDITION where the engine is
  /// too old.
  absl::Status Connect(const common::CallScope& call);

  absl::StatusOr<EngineInfo> Info(const common::CallScope& call);
  absl::StatusOr<bool> HasImage(const common::CallScope& call, absl::string_view image);
  absl::StatusOr<bool> HasNetwork(const common::CallScope& call, absl::string_view network);

  /// All containers, running or not, that carry every one of `labels`. One request.
  absl::StatusOr<std::vector<Container>> List(const common::CallScope& call, const Labels& labels);

  /// Makes a container of `specification`, the JSON text of the call. Returns its id.
  absl::StatusOr<std::string> CreateContainer(const common::CallScope& call, absl::string_view name,
                                              std::string specification);
  /// OK when it runs already.
  absl::Status Start(const common::CallScope& call, absl::string_view id);
  absl::Status Unpause(const common::CallScope& call, absl::string_view id);
  /// Sends a signal; OK when the container is not running.
  absl::Status Signal(const common::CallScope& call, absl::string_view id,
                      absl::string_view signal);
  /// Ends it at once, also where it is about to be restarted; OK when it is down.
  absl::Status StopNow(const common::CallScope& call, absl::string_view id);
  /// By force, with its anonymous volumes. OK when it is not there or is being removed.
  absl::Status RemoveContainer(const common::CallScope& call, absl::string_view id);
  /// Its exit status, once it has ended by itself.
  absl::StatusOr<int64_t> Wait(const common::CallScope& call, absl::string_view id);
  /// The last `lines` that it wrote.
  absl::StatusOr<std::string> Logs(const common::CallScope& call, absl::string_view id, int lines);

  /// Unpacks a tar archive over the container's root folder.
  absl::Status PutArchive(const common::CallScope& call, absl::string_view id, std::string archive);
  /// A tar archive of `path` in the container.
  absl::StatusOr<std::string> GetArchive(const common::CallScope& call, absl::string_view id,
                                         absl::string_view path);

  /// Makes a volume unless it exists. `size_mib` 0 means no limit.
  absl::Status CreateVolume(const common::CallScope& call, absl::string_view name,
                            const Labels& labels, int64_t size_mib);
  /// Names of the volumes that carry every one of `labels`.
  absl::StatusOr<std::vector<std::string>> ListVolumes(const common::CallScope& call,
                                                       const Labels& labels);
  /// OK when it is not there.
  absl::Status RemoveVolume(const common::CallScope& call, absl::string_view name);

 private:
  /// Sends a request, and says in errors which engine it was and what to do.
  absl::StatusOr<EngineResponse> Send(const common::CallScope& call, const EngineRequest& request);
  absl::StatusOr<std::string> Version(const common::CallScope& call);
  /// Sends a request for `path` below the agreed version; answers from 400 on are answers, too.
  absl::StatusOr<EngineResponse> Ask(const common::CallScope& call, absl::string_view method,
                                     absl::string_view path, std::string body = "",
                                     absl::string_view content_type = "application/json",
                                     absl::Duration timeout = absl::Seconds(30));
  /// As Ask(), with answers from 400 on as errors, except `also_ok`.
  absl::StatusOr<EngineResponse> Do(const common::CallScope& call, absl::string_view method,
                                    absl::string_view path, std::string body = "",
                                    std::optional<int> also_ok = std::nullopt);
  absl::StatusOr<bool> Exists(const common::CallScope& call, absl::string_view path);
  absl::Status NotAnEngine() const;

  const std::string name_;
  const std::unique_ptr<EngineTransport> transport_;
  absl::Mutex mu_;
  std::string version_ ABSL_GUARDED_BY(mu_);
};

/// The API version to speak with an engine that speaks `least` to `newest`, both as "1.41".
/// Errors: FAILED_PRECONDITION where it is too old, or these are no versions.
absl::StatusOr<std::string> AgreeOnVersion(absl::string_view least, absl::string_view newest);

/// `text` for a path or a query: all but letters, digits and "-._~" as %XX.
std::string PercentEncode(absl::string_view text);

}  // namespace machine::driver::docker

#endif  // DRIVERS_DOCKER_ENGINE_API_H_
