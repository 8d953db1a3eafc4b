#include "cli/commands/fleet.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace machine::cli {

using machine::v1::Role;

absl::string_view UserId(absl::string_view name) { return absl::StripPrefix(name, "users/"); }

std::string UserName(absl::string_view id) { return absl::StrCat("users/", UserId(id)); }

std::string RoleWord(Role role) {
  if (role == machine::v1::ROLE_UNSPECIFIED) return "none";
  return absl::AsciiStrToLower(absl::StripPrefix(machine::v1::Role_Name(role), "ROLE_"));
}

absl::StatusOr<Role> ParseRole(absl::string_view word) {
  for (const Role role : {machine::v1::ROLE_UNSPECIFIED, machine::v1::ROLE_VIEWER,
                          machine::v1::ROLE_OPERATOR, machine::v1::ROLE_ADMIN}) {
    if (RoleWord(role) == word) return role;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("Error: \"", word, "\" is no role: there are viewer, operator, admin and none"));
}

}  // namespace machine::cli
