// A Unix socket in a machine's folder over which QEMU or the guest's agent speaks JSON, an object a
// line.
#ifndef DRIVERS_QEMU_JSON_SOCKET_H_
#define DRIVERS_QEMU_JSON_SOCKET_H_

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/common/process/unique_fd.h"

namespace machine::driver::qemu {

/// Movable. One thread at a time.
class JsonSocket {
 public:
  /// Connects to socket `name` in `folder`, however long the path of the folder is.
  /// Errors: NOT_FOUND when nothing listens there, DEADLINE_EXCEEDED, or as the system says.
  static absl::StatusOr<JsonSocket> Connect(const std::string& folder, absl::string_view name,
                                            absl::Time deadline);

  /// Errors: UNAVAILABLE when the other side is gone, DEADLINE_EXCEEDED.
  absl::Status Send(const nlohmann::json& message, absl::Time deadline);

  /// The next object; lines that are none are passed over. Errors: as Send(), RESOURCE_EXHAUSTED
  /// for a line without end.
  absl::StatusOr<nlohmann::json> Receive(absl::Time deadline);

 private:
  explicit JsonSocket(common::UniqueFd fd) : fd_(std::move(fd)) {}
  absl::Status Await(short events, absl::Time deadline);

  common::UniqueFd fd_;
  std::string buffer_;
};

}  // namespace machine::driver::qemu

#endif  // DRIVERS_QEMU_JSON_SOCKET_H_
