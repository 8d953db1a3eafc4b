// The driver as the process it is, for tests that kill it.
#ifndef DRIVERS_QEMU_DRIVER_UNDER_TEST_H_
#define DRIVERS_QEMU_DRIVER_UNDER_TEST_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "drivers/sdk/conformance/driver_process.h"
#include "machine/v1/machine.pb.h"

namespace machine::driver::qemu {

/// A driver and its folder, which outlives the process as the orchestrator's does. One thread at a
/// time.
class DriverUnderTest {
 public:
  /// Machines are made with `options`; their folders are below `folder`.
  DriverUnderTest(std::string folder, std::vector<machine::v1::OptionValue> options)
      : folder_(std::move(folder)), options_(std::move(options)) {}

  /// Starts the process, anew if it was started before.
  void Start();
  /// Ends it by SIGKILL, without waiting.
  void Kill() const;
  /// Ends it as the end of its parent does.
  void End();
  conformance::DriverProcess& process() const { return *process_; }

  /// The folder of machine `uid`.
  std::string MachineFolder(absl::string_view uid) const;

  /// Creates and removes machine `uid`; each call needs a higher `token` than the ones before.
  /// Kills the driver after `kill_after` events.
  absl::Status Create(const std::string& uid, int token,
                      std::optional<int> kill_after = std::nullopt) const;
  absl::Status Remove(const std::string& uid, int token) const;

 private:
  const std::string folder_;
  const std::vector<machine::v1::OptionValue> options_;
  std::unique_ptr<conformance::DriverProcess> process_;
};

}  // namespace machine::driver::qemu

#endif  // DRIVERS_QEMU_DRIVER_UNDER_TEST_H_
