// The host whose tools drive a hypervisor: this one, or another that is reached over ssh.
#ifndef DRIVERS_HYPERVISOR_TOOL_HOST_H_
#define DRIVERS_HYPERVISOR_TOOL_HOST_H_

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/common/rpc/call_scope.h"

namespace machine::driver::hypervisor {

/// What a tool printed and how it ended.
struct ToolOutput {
  /// 128 + n when signal n ended it.
  int exit_code = 0;
  std::string out;
  std::string err;

  bool ok() const { return exit_code == 0; }
};

struct ToolInput {
  /// All of its standard input. The place for secrets and scripts.
  std::string stdin_data;
  /// How long it may run, within the call's own deadline.
  absl::Duration timeout = absl::Minutes(2);
};

/// Runs tools and keeps small files on one host. Thread-safe; all methods block.
class ToolHost {
 public:
  virtual ~ToolHost() = default;

  /// "this host", or "ssh://user@host:22"; for messages.
  virtual const std::string& name() const = 0;

  /// Runs `argv`; argv[0] is looked up in the host's PATH. OK whatever the exit code. A relative
  /// path in an argument is below the folder of the program, or of the login user.
  /// Errors: NOT_FOUND naming the tool (here only: elsewhere it is exit code 127),
  /// DEADLINE_EXCEEDED, CANCELLED, UNAVAILABLE SSH_UNREACHABLE, UNAUTHENTICATED SSH_KEY_REFUSED,
  /// PERMISSION_DENIED SSH_HOST_KEY_CHANGED.
  virtual absl::StatusOr<ToolOutput> Run(common::CallScope& call,
                                         const std::vector<std::string>& argv,
                                         const ToolInput& input = {}) = 0;

  /// Puts a file at `path` in one step; its folder must exist. Errors: those of the system, or as
  /// Run().
  virtual absl::Status WriteFile(common::CallScope& call, absl::string_view path, mode_t mode,
                                 absl::string_view contents) = 0;

  /// Errors: NOT_FOUND; OUT_OF_RANGE or RESOURCE_EXHAUSTED when it is longer than `max_bytes`; or
  /// as Run().
  virtual absl::StatusOr<std::string> ReadFile(common::CallScope& call, absl::string_view path,
                                               size_t max_bytes) = 0;
};

/// OK when the tool succeeded, else FAILED_PRECONDITION with `what` and the last lines that it
/// printed on standard error (or on standard output, where the former is empty).
absl::Status ToolError(absl::string_view what, const ToolOutput& output);

/// As ToolHost::Run(), where any exit code but 0 is an error: ToolError(argv[0] …). Returns
/// standard output.
absl::StatusOr<std::string> RunTool(ToolHost& host, common::CallScope& call,
                                    const std::vector<std::string>& argv,
                                    const ToolInput& input = {});

// Files on a host with a POSIX shell's tools, here or elsewhere alike.

/// Makes the folder and its parents; new ones are open to their owner only.
absl::Status MakeFolder(ToolHost& host, common::CallScope& call, absl::string_view path);
/// Removes a file or folder with all in it; OK when nothing is there.
absl::Status RemoveTree(ToolHost& host, common::CallScope& call, absl::string_view path);
absl::StatusOr<bool> Exists(ToolHost& host, common::CallScope& call, absl::string_view path);

}  // namespace machine::driver::hypervisor

#endif  // DRIVERS_HYPERVISOR_TOOL_HOST_H_
