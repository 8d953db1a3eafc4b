#include "drivers/sdk/errors.h"

#include "absl/strings/str_cat.h"

namespace machine::driver {

absl::Status BadOption(absl::string_view flag, absl::string_view message) {
  return common::InvalidField(flag, absl::StrCat("--", flag, ": ", message),
                              machine::v1::ERROR_REASON_OPTION_OUT_OF_RANGE);
}

absl::Status PreCreateCheckFailed(absl::string_view message) {
  return common::Error(absl::StatusCode::kFailedPrecondition,
                       machine::v1::ERROR_REASON_PRECREATE_CHECK_FAILED, message);
}

absl::Status DoesNotSupport(absl::string_view driver, absl::string_view verb) {
  return common::Error(absl::StatusCode::kUnimplemented,
                       machine::v1::ERROR_REASON_CAPABILITY_MISSING,
                       absl::StrCat(driver, " driver does not support ", verb));
}

absl::Status InstanceGone(absl::string_view message) {
  return common::Error(absl::StatusCode::kNotFound, machine::v1::ERROR_REASON_INSTANCE_GONE,
                       message);
}

absl::Status InstanceDiffers(absl::string_view instance_id, absl::string_view difference) {
  return common::Error(absl::StatusCode::kAlreadyExists, machine::v1::ERROR_REASON_INSTANCE_DIFFERS,
                       absl::StrCat("instance ", instance_id,
                                    " was made for this machine before, but differs: ", difference),
                       {{"instance_id", std::string(instance_id)}});
}

}  // namespace machine::driver
