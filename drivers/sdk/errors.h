// Errors that every driver reports alike.
#ifndef DRIVERS_SDK_ERRORS_H_
#define DRIVERS_SDK_ERRORS_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "services/common/status/status.h"

namespace machine::driver {

/// INVALID_ARGUMENT OPTION_OUT_OF_RANGE: "--flag: message". `flag` without dashes.
absl::Status BadOption(absl::string_view flag, absl::string_view message);

/// FAILED_PRECONDITION PRECREATE_CHECK_FAILED: a create cannot succeed; `message` says why and what
/// to do.
absl::Status PreCreateCheckFailed(absl::string_view message);

/// UNIMPLEMENTED CAPABILITY_MISSING: "generic driver does not support start".
absl::Status DoesNotSupport(absl::string_view driver, absl::string_view verb);

/// NOT_FOUND INSTANCE_GONE: the provider no longer knows the instance of the machine.
absl::Status InstanceGone(absl::string_view message);

/// ALREADY_EXISTS INSTANCE_DIFFERS: an instance with the machine's uid exists and is another one
/// than asked for. `difference` says in what.
absl::Status InstanceDiffers(absl::string_view instance_id, absl::string_view difference);

}  // namespace machine::driver

#endif  // DRIVERS_SDK_ERRORS_H_
