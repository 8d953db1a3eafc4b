// A driver's own program, started as the orchestrator starts it, for tests.
#ifndef DRIVERS_SDK_CONFORMANCE_DRIVER_PROCESS_H_
#define DRIVERS_SDK_CONFORMANCE_DRIVER_PROCESS_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "driver/v1/bootstrap.pb.h"
#include "services/common/process/process.h"
#include "services/common/rpc/channel.h"

namespace machine::driver::conformance {

/// A running driver with a folder of its own, which is removed at the end.
class DriverProcess {
 public:
  /// Starts `program` and waits until it serves. `data_dir` is for bulky files of instances; empty
  /// for one that goes with this object. Errors: what the program reported.
  static absl::StatusOr<std::unique_ptr<DriverProcess>> Start(const std::string& program,
                                                              const std::string& data_dir = "");
  /// Ends the program, if it still runs, by closing its lifeline.
  ~DriverProcess();

  DriverProcess(const DriverProcess&) = delete;
  DriverProcess& operator=(const DriverProcess&) = delete;

  /// A connection with the right cookie.
  common::Channel Channel() const { return ChannelWithCookie(kCookie); }
  common::Channel ChannelWithCookie(absl::string_view cookie) const;

  /// What it has written to standard error so far.
  std::string Log() const;
  const ::driver::v1::BootstrapResult& result() const { return result_; }

  /// Closes its standard input, as the death of its parent does, and waits for its end.
  absl::StatusOr<common::ExitStatus> EndLifeline();

 private:
  static constexpr char kCookie[] = "cookie of the test";

  explicit DriverProcess(std::string folder) : folder_(std::move(folder)) {}
  absl::Status Spawn(const std::string& program, const std::string& data_dir);

  const std::string folder_;
  std::unique_ptr<common::Process> process_;
  ::driver::v1::BootstrapResult result_;
};

}  // namespace machine::driver::conformance

#endif  // DRIVERS_SDK_CONFORMANCE_DRIVER_PROCESS_H_
