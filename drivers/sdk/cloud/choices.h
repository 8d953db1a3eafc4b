// What drivers say alike of values that a provider has not, or has no longer.
#ifndef DRIVERS_SDK_CLOUD_CHOICES_H_
#define DRIVERS_SDK_CLOUD_CHOICES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "drivers/sdk/options.h"
#include "machine/v1/machine.pb.h"

namespace machine::driver {

/// A value of an option, or the whole option, that once worked and works no longer.
struct Retired {
  absl::string_view flag;
  /// The value; one that ends with "*" means all that begin so; empty means any.
  absl::string_view value;
  /// Why, and what to use instead: "is gone since 2018; use --x-y".
  absl::string_view advice;
};

/// PRECREATE_CHECK_FAILED for the first of `retired` that STRING options ask for:
/// "--digitalocean-image: "ubuntu-14-04-x64" is gone …". For Driver::PreCreateCheck.
absl::Status CheckRetired(const Options& options, absl::Span<const Retired> retired);

/// A value that has got another name.
struct Renamed {
  absl::string_view old_value;
  absl::string_view new_value;
};

/// `value`, or its newer name.
std::string CurrentNameOf(absl::string_view value, absl::Span<const Renamed> renamed);

/// PRECREATE_CHECK_FAILED that lists what exists:
/// "--digitalocean-region: there is no region "xyz1"; there are ams3, blr1, …". `what` may say
/// more: "size in region nyc3".
absl::Status NoSuchChoice(absl::string_view flag, absl::string_view what, absl::string_view value,
                          std::vector<std::string> existing);

/// NoSuchChoice() unless `value` is one of `existing`.
absl::Status CheckChoice(absl::string_view flag, absl::string_view what, absl::string_view value,
                         std::vector<std::string> existing);

/// The endpoint of an API, as an option gives it, without a slash at its end: https anywhere, plain
/// http on this computer only. Errors: BadOption().
absl::StatusOr<std::string> ParseApiEndpoint(absl::string_view flag, absl::string_view url);

/// OK when `text` is an IPv4 or IPv6 range such as "203.0.113.0/24". Errors: BadOption().
absl::Status CheckCidr(absl::string_view flag, absl::string_view text);

/// Whether the range is all of the internet.
bool IsEverywhere(absl::string_view cidr);

/// A provider's word for a state, and ours.
struct StateWord {
  absl::string_view word;
  machine::v1::MachineState state;
};

/// The state for `word`; UNSPECIFIED for one that the table has not.
machine::v1::MachineState StateOf(absl::Span<const StateWord> table, absl::string_view word);

}  // namespace machine::driver

#endif  // DRIVERS_SDK_CLOUD_CHOICES_H_
