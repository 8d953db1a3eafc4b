#include "cli/commands/errors.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "cli/commands/command.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using machine::v1::ErrorReason;

absl::Status WithMessage(const absl::Status& status, absl::string_view message) {
  absl::Status renamed(status.code(), message);
  status.ForEachPayload(
      [&](absl::string_view url, const absl::Cord& payload) { renamed.SetPayload(url, payload); });
  return renamed;
}

}  // namespace

absl::Status UserError(const absl::Status& status, absl::string_view machine) {
  switch (common::ReasonOf(status)) {
    case ErrorReason::ERROR_REASON_MACHINE_NOT_FOUND:
      return WithMessage(status,
                         absl::StrCat("Docker machine \"", machine,
                                      "\" does not exist. Use \"docker-machine ls\" to list "
                                      "machines. Use \"docker-machine create\" to add a new one."));
    case ErrorReason::ERROR_REASON_MACHINE_EXISTS:
      return WithMessage(status, absl::StrCat("Docker machine \"", machine, "\" already exists"));
    case ErrorReason::ERROR_REASON_INVALID_MACHINE_NAME:
      return WithMessage(status, absl::StrCat("Error creating machine: ", kInvalidHostname));
    case ErrorReason::ERROR_REASON_MACHINE_NOT_RUNNING:
      return WithMessage(status, kHostNotRunning);
    default:
      return status;
  }
}

absl::Status JoinErrors(const std::vector<absl::Status>& errors) {
  absl::Status joined;
  for (const absl::Status& error : errors) {
    if (error.ok()) continue;
    if (!joined.ok() && error.message().empty()) continue;
    joined = joined.ok()
                 ? error
                 : absl::UnknownError(absl::StrCat(joined.message(), "\n", error.message()));
  }
  return joined;
}

int ExitCodeOf(const absl::Status& status) {
  if (status.ok()) return kExitOk;
  return common::ReasonOf(status) == ErrorReason::ERROR_REASON_PRECREATE_CHECK_FAILED
             ? kExitPreCreateCheckFailed
             : kExitError;
}

}  // namespace machine::cli
