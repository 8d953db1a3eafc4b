// What commands need to know of an orchestrator's credentials.
#ifndef CLI_COMMANDS_CREDENTIALS_H_
#define CLI_COMMANDS_CREDENTIALS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/commands/command.h"
#include "machine/v1/credentials.pb.h"

namespace machine::cli {

/// "cloud" of "credentials/cloud".
absl::string_view CredentialId(absl::string_view name);
/// "credentials/cloud" of "cloud" or "credentials/cloud".
std::string CredentialName(absl::string_view id);

/// All of them, by name.
absl::StatusOr<std::vector<machine::v1::Credential>> AllCredentials(CommandContext& context);

/// The one of that name. NOT_FOUND.
absl::StatusOr<machine::v1::Credential> FindCredential(CommandContext& context,
                                                       absl::string_view name);

}  // namespace machine::cli

#endif  // CLI_COMMANDS_CREDENTIALS_H_
