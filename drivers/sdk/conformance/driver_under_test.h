// A driver as the process it is, for tests that kill it.
#ifndef DRIVERS_SDK_CONFORMANCE_DRIVER_UNDER_TEST_H_
#define DRIVERS_SDK_CONFORMANCE_DRIVER_UNDER_TEST_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "driver/v1/driver.grpc.pb.h"
#include "drivers/sdk/conformance/driver_process.h"
#include "machine/v1/machine.pb.h"

namespace machine::driver::conformance {

/// A driver and its folder, which outlives the process as the orchestrator's does. One thread at a
/// time.
class DriverUnderTest {
 public:
  /// The program drivers/NAME/machine-driver-NAME. Machines are made with `options`; what it keeps
  /// is below `folder`.
  DriverUnderTest(absl::string_view name, std::string folder,
                  std::vector<machine::v1::OptionValue> options)
      : name_(name), folder_(std::move(folder)), options_(std::move(options)) {}

  /// Starts the process, anew if it was started before.
  void Start();
  /// Ends it by SIGKILL, without waiting.
  void Kill() const;
  /// Ends it as the end of its parent does.
  void End();
  DriverProcess& process() const { return *process_; }

  /// The folder of machine `uid`, where the driver has one on this host.
  std::string MachineFolder(absl::string_view uid) const;
  /// That folder if it is there; for KillWorld::left.
  std::vector<std::string> FoldersOf(absl::string_view uid) const;

  /// Creates and removes machine `uid`; each call needs a higher `token` than the ones before.
  /// Kills the driver after `kill_after` events.
  absl::Status Create(const std::string& uid, int token,
                      std::optional<int> kill_after = std::nullopt) const;
  absl::Status Remove(const std::string& uid, int token,
                      std::optional<int> kill_after = std::nullopt) const;

  enum class Verb { kStart, kStop, kKill, kRestart };
  /// The same of a change of power.
  absl::Status Power(Verb verb, const std::string& uid, int token,
                     std::optional<int> kill_after = std::nullopt) const;

  /// What it says of the machine; UNSPECIFIED, and a failed test, when it cannot tell.
  machine::v1::MachineState StateOf(const std::string& uid) const;

 private:
  using Reader = std::unique_ptr<grpc::ClientReader<::driver::v1::ActionEvent>>;

  // Reads the events of what `begin` begins to the end.
  absl::Status Act(
      std::optional<int> kill_after,
      const std::function<Reader(::driver::v1::Driver::Stub&, grpc::ClientContext&)>& begin) const;

  const std::string name_;
  const std::string folder_;
  const std::vector<machine::v1::OptionValue> options_;
  std::unique_ptr<DriverProcess> process_;
};

}  // namespace machine::driver::conformance

#endif  // DRIVERS_SDK_CONFORMANCE_DRIVER_UNDER_TEST_H_
