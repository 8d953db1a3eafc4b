// Arch Linux.
#ifndef SERVICES_PROVISIONER_DISTRO_ARCH_ARCH_H_
#define SERVICES_PROVISIONER_DISTRO_ARCH_ARCH_H_

#include <vector>

#include "services/provisioner/distro/distro.h"

namespace machine::provisioner {

/// Its entries in the table.
std::vector<Distro> Arch();

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_DISTRO_ARCH_ARCH_H_
