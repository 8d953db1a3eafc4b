// The package managers of hosts: shell scripts, beside this file.
#ifndef SERVICES_PROVISIONER_DISTRO_PACKAGES_PACKAGES_H_
#define SERVICES_PROVISIONER_DISTRO_PACKAGES_PACKAGES_H_

#include "absl/strings/string_view.h"

namespace machine::provisioner {

/// What all have in common; comes after one of those below and says what it is given and prints.
absl::string_view PackagesScript();

absl::string_view AptScript();
absl::string_view DnfScript();
absl::string_view PacmanScript();
absl::string_view ZypperScript();

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_DISTRO_PACKAGES_PACKAGES_H_
