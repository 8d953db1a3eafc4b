// Ubuntu.
#ifndef SERVICES_PROVISIONER_DISTRO_UBUNTU_UBUNTU_H_
#define SERVICES_PROVISIONER_DISTRO_UBUNTU_UBUNTU_H_

#include <vector>

#include "services/provisioner/distro/distro.h"

namespace machine::provisioner {

/// Its entries in the table.
std::vector<Distro> Ubuntu();

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_DISTRO_UBUNTU_UBUNTU_H_
