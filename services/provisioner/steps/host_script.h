// Running a script that changes the host, and making sense of what it prints.
#ifndef SERVICES_PROVISIONER_STEPS_HOST_SCRIPT_H_
#define SERVICES_PROVISIONER_STEPS_HOST_SCRIPT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/common/rpc/call_scope.h"
#include "services/provisioner/host/remote_host.h"

namespace machine::provisioner {

/// What a script that succeeded printed.
struct ScriptOutcome {
  bool changed = false;  ///< "@changed": the host is not as it was.
  std::string output;    ///< All of standard output.
};

/// Runs a script of the provisioner's own kind, after host/head.sh, as `run_as`. It waits, at most
/// for half of the call's time, for one that still runs on the host. While it runs, "@say TEXT"
/// becomes progress, and "@at TEXT", what a program that it runs says now, a line of the log for
/// debugging. When it fails, "@failed WHAT", "@status N" and "@output LINE" become
/// FAILED_PRECONDITION HOST_COMMAND_FAILED: what failed, and the last lines of its output; a script
/// that dies without saying so is reported with its standard error. `step` goes into the metadata.
absl::StatusOr<ScriptOutcome> RunHostScript(common::CallScope& call, RemoteHost& host, RunAs run_as,
                                            absl::string_view step, absl::string_view text);

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_STEPS_HOST_SCRIPT_H_
