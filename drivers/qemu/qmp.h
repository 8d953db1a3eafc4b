// What is asked of a running QEMU (its Machine Protocol) and of the agent in its guest.
#ifndef DRIVERS_QEMU_QMP_H_
#define DRIVERS_QEMU_QMP_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "drivers/qemu/json_socket.h"

namespace machine::driver::qemu {

/// Sockets in a machine's folder.
inline constexpr absl::string_view kQmpSocket = "qmp";
inline constexpr absl::string_view kAgentSocket = "agent";

/// A connection to a QEMU, which serves one at a time: keep it short. One thread at a time.
class Qmp {
 public:
  /// Connects and agrees on capabilities. Errors: NOT_FOUND when no QEMU listens there, UNAVAILABLE
  /// when it ended meanwhile, DEADLINE_EXCEEDED.
  static absl::StatusOr<Qmp> Connect(const std::string& folder, absl::Time deadline);

  /// Carries out a command and returns what it returns. Errors: FAILED_PRECONDITION with QEMU's own
  /// words; UNAVAILABLE, DEADLINE_EXCEEDED.
  absl::StatusOr<nlohmann::json> Execute(absl::string_view command, absl::Time deadline);

 private:
  explicit Qmp(JsonSocket socket) : socket_(std::move(socket)) {}

  JsonSocket socket_;
};

/// The IPv4 addresses of the guest's interface with address `mac` (lower case), as the agent in the
/// guest says. Errors: as Qmp::Connect(); DEADLINE_EXCEEDED also where no agent runs.
absl::StatusOr<std::vector<std::string>> GuestAddresses(const std::string& folder,
                                                        absl::string_view mac, absl::Time deadline);

}  // namespace machine::driver::qemu

#endif  // DRIVERS_QEMU_QMP_H_
