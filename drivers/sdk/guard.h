// The one place where exceptions of libraries become errors.
#ifndef DRIVERS_SDK_GUARD_H_
#define DRIVERS_SDK_GUARD_H_

#include <exception>

#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"

namespace machine::driver {

/// What `function` returns (a Status or StatusOr), or INTERNAL when it throws.
template <typename Function>
auto Guarded(Function&& function) -> decltype(function()) {
  try {
    return function();
  } catch (const std::exception& exception) {
    return common::Error(absl::StatusCode::kInternal, machine::v1::ERROR_REASON_INVARIANT,
                         absl::StrCat("unexpected exception: ", exception.what()));
  }
}

}  // namespace machine::driver

#endif  // DRIVERS_SDK_GUARD_H_
