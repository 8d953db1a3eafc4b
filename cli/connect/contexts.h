// The orchestrators that a user knows by name.
#ifndef CLI_CONNECT_CONTEXTS_H_
#define CLI_CONNECT_CONTEXTS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/common/rpc/channel.h"

namespace machine::cli {

/// A named orchestrator address and the files to authenticate with.
struct Context {
  /// Empty for one that was given by its address.
  std::string name;
  /// "host:port" with TLS both ways, "unix:/path", or "insecure://127.0.0.1:port".
  std::string address;
  std::string ca_file;
  std::string cert_file;
  std::string key_file;

  /// Whether calls go over the network, with certificates.
  bool uses_tls() const;
};

struct Contexts {
  /// The name of the one that commands use; empty for the user's own orchestrator.
  std::string current;
  std::vector<Context> all;

  /// Null when there is none of that name.
  const Context* Find(absl::string_view name) const;
};

/// What `<storage_path>/contexts.json` holds; nothing when there is no such file.
/// PERMISSION_DENIED when others may read it, DATA_LOSS when it cannot be understood.
///
///   {"current": "team", "contexts": [
///     {"name": "team", "address": "machines.example.org:7676",
///      "ca": "ca.pem", "cert": "cert.pem", "key": "key.pem"}]}
///
/// Files with a relative path are looked up beside contexts.json.
absl::StatusOr<Contexts> ReadContexts(absl::string_view storage_path);

/// Replaces the file, readable by this user only.
absl::Status WriteContexts(absl::string_view storage_path, const Contexts& contexts);

/// The current one; none when no choice was made. DATA_LOSS when the chosen one is gone.
absl::StatusOr<std::optional<Context>> CurrentContext(absl::string_view storage_path);

/// The one called `name`; NOT_FOUND that says how to add one.
absl::StatusOr<Context> NamedContext(absl::string_view storage_path, absl::string_view name);

/// Where the credentials of context `name` are kept.
std::string CredentialFolder(absl::string_view storage_path, absl::string_view name);

/// INVALID_ARGUMENT unless `address` is one that Dial() takes.
absl::Status CheckAddress(absl::string_view address);

/// A connection to `context`, not yet tried. Errors say which file is missing, and what to do.
absl::StatusOr<common::Channel> Dial(const Context& context);

}  // namespace machine::cli

#endif  // CLI_CONNECT_CONTEXTS_H_
