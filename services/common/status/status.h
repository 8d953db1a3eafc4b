// Errors of this project: an absl::Status with one google.rpc.ErrorInfo as payload.
//
//   return Error(absl::StatusCode::kNotFound, machine::v1::ERROR_REASON_MACHINE_NOT_FOUND,
//                "no machine \"dev\"", {{"machine", "dev"}});
//   return Annotate(api.CreateDroplet(spec), "creating droplet");
//
// The conversions from and to gRPC are in grpc_status.h; they are used at the RPC edge only.
#ifndef SERVICES_COMMON_STATUS_STATUS_H_
#define SERVICES_COMMON_STATUS_STATUS_H_

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "machine/v1/error_reason.pb.h"

/// Returns from the enclosing function when `expr`, an absl::Status, is not OK.
#define DM_RETURN_IF_ERROR(expr)                                    \
  do {                                                              \
    if (absl::Status dm_status = (expr); !dm_status.ok()) {         \
      return dm_status; /* NOLINT(performance-no-automatic-move) */ \
    }                                                               \
  } while (false)

#define DM_STATUS_CONCAT_INNER(a, b) a##b
#define DM_STATUS_CONCAT(a, b) DM_STATUS_CONCAT_INNER(a, b)

/// Declares or assigns `lhs` from `expr`, an absl::StatusOr, or returns its status.
#define DM_ASSIGN_OR_RETURN(lhs, expr) \
  DM_ASSIGN_OR_RETURN_IMPL(DM_STATUS_CONCAT(dm_statusor_, __LINE__), lhs, expr)
#define DM_ASSIGN_OR_RETURN_IMPL(statusor, lhs, expr)      \
  auto statusor = (expr);                                  \
  if (!statusor.ok()) return std::move(statusor).status(); \
  lhs = *std::move(statusor)

namespace machine::common {

/// Facts about an error, as ErrorInfo.metadata.
using ErrorMetadata = std::map<std::string, std::string>;

/// An error with a reason that programs can act on. `message` is for people: what went wrong and
/// what to do. Neither may contain a secret.
absl::Status Error(absl::StatusCode code, machine::v1::ErrorReason reason,
                   absl::string_view message, const ErrorMetadata& metadata = {});

/// INVALID_ARGUMENT for one field of a request, with BadRequest and ErrorInfo.
absl::Status InvalidField(absl::string_view field, absl::string_view message,
                          machine::v1::ErrorReason reason = machine::v1::ERROR_REASON_BAD_FIELD);

/// `status` with "context: " before its message; code and details are kept. OK stays OK.
absl::Status Annotate(absl::Status status, absl::string_view context);

template <typename T>
absl::StatusOr<T> Annotate(absl::StatusOr<T> value, absl::string_view context) {
  if (value.ok()) return value;
  return Annotate(std::move(value).status(), context);
}

/// The reason in the status' ErrorInfo; ERROR_REASON_UNSPECIFIED when it has none.
machine::v1::ErrorReason ReasonOf(const absl::Status& status);

/// The metadata value of `key` in the status' ErrorInfo; empty when there is none.
std::string ErrorMetadataOf(const absl::Status& status, absl::string_view key);

/// Adds RetryInfo: the call may be repeated after `delay`.
absl::Status WithRetryDelay(absl::Status status, absl::Duration delay);

/// The delay in the status' RetryInfo, if it has one.
std::optional<absl::Duration> RetryDelayOf(const absl::Status& status);

/// The status as a message, with its details. Lossless both ways.
google::rpc::Status ToRpcStatus(const absl::Status& status);
absl::Status FromRpcStatus(const google::rpc::Status& status);

/// The text of an errno value, for example "Permission denied". Thread-safe.
std::string ErrnoText(int error);

}  // namespace machine::common

#endif  // SERVICES_COMMON_STATUS_STATUS_H_
