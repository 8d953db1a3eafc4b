// The package manager of Debian and its relatives.
#ifndef SERVICES_PROVISIONER_DISTRO_APT_APT_H_
#define SERVICES_PROVISIONER_DISTRO_APT_APT_H_

#include "absl/strings/string_view.h"

namespace machine::provisioner {

/// The script apt.sh.
absl::string_view AptScript();

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_DISTRO_APT_APT_H_
