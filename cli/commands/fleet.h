// What the commands for a shared orchestrator have in common: users and roles.
#ifndef CLI_COMMANDS_FLEET_H_
#define CLI_COMMANDS_FLEET_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "machine/v1/access.pb.h"

namespace machine::cli {

/// "ann" of "users/ann".
absl::string_view UserId(absl::string_view name);
/// "users/ann" of "ann" or "users/ann".
std::string UserName(absl::string_view id);

/// "viewer" for ROLE_VIEWER; "none" for ROLE_UNSPECIFIED.
std::string RoleWord(machine::v1::Role role);
/// The reverse; INVALID_ARGUMENT naming the words.
absl::StatusOr<machine::v1::Role> ParseRole(absl::string_view word);

}  // namespace machine::cli

#endif  // CLI_COMMANDS_FLEET_H_
