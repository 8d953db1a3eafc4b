// SUSE Linux Enterprise and openSUSE.
#ifndef SERVICES_PROVISIONER_DISTRO_SUSE_SUSE_H_
#define SERVICES_PROVISIONER_DISTRO_SUSE_SUSE_H_

#include <vector>

#include "services/provisioner/distro/distro.h"

namespace machine::provisioner {

/// Its entries in the table.
std::vector<Distro> Suse();

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_DISTRO_SUSE_SUSE_H_
