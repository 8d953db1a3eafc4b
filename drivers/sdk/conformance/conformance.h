// What every driver must do, checked from outside over gRPC, in whatever language it is written.
#ifndef DRIVERS_SDK_CONFORMANCE_CONFORMANCE_H_
#define DRIVERS_SDK_CONFORMANCE_CONFORMANCE_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "machine/v1/machine.pb.h"
#include "services/common/rpc/channel.h"

namespace machine::driver::conformance {

/// The machines to make, and how far the driver's world lets them be tested.
struct Options {
  /// Options of create for a machine that can be made, and made again.
  std::vector<machine::v1::OptionValue> options;
  /// For the machine. Any well-formed key is enough unless the driver logs in itself.
  std::string ssh_public_key =
      "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE1hY2hpbmUgY29uZm9ybWFuY2UgdGVzdCBrZXkgLi4u "
      "conformance";
  std::string ssh_private_key;
  /// Limit of each call.
  absl::Duration timeout = absl::Minutes(10);

  /// Machines are there before Create and after Remove: the host is the user's.
  bool adopts_existing_hosts = false;
  /// Create cannot say yet whether the machine runs.
  bool state_unknown_after_create = false;
  /// Restart is not tried, though the driver can do it.
  bool skip_restart = false;

  /// What the driver has logged so far, to be searched for secrets. May be empty.
  std::function<std::string()> log;
  /// Removes the instance of a machine behind the driver's back. May be empty.
  std::function<absl::Status(absl::string_view machine_uid)> vanish;
  /// Options that make another machine of the same uid INSTANCE_DIFFERS. May be empty.
  std::vector<machine::v1::OptionValue> different_options;
};

/// The outcome of one rule.
struct Result {
  /// The rule as a sentence.
  std::string rule;
  /// OK, or how it was broken.
  absl::Status status;
  /// Not tried, and why; empty when it was.
  std::string skipped;
};

/// Tries every rule, in an order in which later ones may need earlier ones. Makes a few machines
/// and removes them. Blocks.
std::vector<Result> RunConformance(const common::Channel& channel, const Options& options);

/// Turns "name=value" into an option of the type that the driver's flags say.
/// Errors: INVALID_ARGUMENT; or why the driver did not answer.
absl::StatusOr<std::vector<machine::v1::OptionValue>> ParseOptions(
    const common::Channel& channel, absl::Span<const std::string> texts);

}  // namespace machine::driver::conformance

#endif  // DRIVERS_SDK_CONFORMANCE_CONFORMANCE_H_
