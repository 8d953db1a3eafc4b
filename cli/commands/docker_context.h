// Contexts of the docker command, as it keeps them on disk:
// `contexts/meta/SHA256-OF-NAME/meta.json` and
// `contexts/tls/SHA256-OF-NAME/docker/{ca,cert,key}.pem` below its configuration folder.
#ifndef CLI_COMMANDS_DOCKER_CONTEXT_H_
#define CLI_COMMANDS_DOCKER_CONTEXT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "cli/args/environment.h"
#include "cli/commands/access.h"

namespace machine::cli {

/// The docker command's contexts of this user, in $DOCKER_CONFIG or ~/.docker.
class DockerContexts {
 public:
  explicit DockerContexts(const Environment& env);

  /// INVALID_ARGUMENT for a name that docker does not take.
  static absl::Status CheckName(absl::string_view name);

  /// Makes the context `name` for `machine`, or replaces it when docker-machine made it.
  /// ALREADY_EXISTS when somebody else did.
  absl::Status Write(absl::string_view name, absl::string_view machine, const Access& access) const;

  /// Removes the context `name`. NOT_FOUND when there is none, FAILED_PRECONDITION when it is not
  /// one that docker-machine made for `machine`.
  absl::Status Remove(absl::string_view name, absl::string_view machine) const;

 private:
  enum class Owner { kNobody, kUs, kOther };

  std::string MetaFolder(absl::string_view name) const;
  std::string TlsFolder(absl::string_view name) const;
  Owner OwnerOf(absl::string_view name, absl::string_view machine) const;

  std::string folder_;
};

}  // namespace machine::cli

#endif  // CLI_COMMANDS_DOCKER_CONTEXT_H_
