// Which orchestrator a command speaks to.
#ifndef CLI_CONNECT_CONTEXTS_H_
#define CLI_CONNECT_CONTEXTS_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/common/rpc/channel.h"

namespace machine::cli {

/// A named orchestrator address and the files to authenticate with.
struct Context {
  std::string name;
  /// "host:port" with TLS both ways, "unix:/path", or "insecure://127.0.0.1:port".
  std::string address;
  std::string ca_file;
  std::string cert_file;
  std::string key_file;
};

/// The current context in `<storage_path>/contexts.json`; none when the file or the choice is
/// missing. PERMISSION_DENIED when others may read the file, DATA_LOSS when it cannot be
/// understood.
///
///   {"current": "team", "contexts": [
///     {"name": "team", "address": "machines.example.org:7676",
///      "ca": "ca.pem", "cert": "cert.pem", "key": "key.pem"}]}
///
/// Files with a relative path are looked up beside contexts.json.
absl::StatusOr<std::optional<Context>> CurrentContext(absl::string_view storage_path);

/// A connection to `context`, not yet tried.
absl::StatusOr<common::Channel> Dial(const Context& context);

}  // namespace machine::cli

#endif  // CLI_CONNECT_CONTEXTS_H_
