// Debian.
#ifndef SERVICES_PROVISIONER_DISTRO_DEBIAN_DEBIAN_H_
#define SERVICES_PROVISIONER_DISTRO_DEBIAN_DEBIAN_H_

#include <vector>

#include "services/provisioner/distro/distro.h"

namespace machine::provisioner {

/// Its entries in the table.
std::vector<Distro> Debian();

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_DISTRO_DEBIAN_DEBIAN_H_
