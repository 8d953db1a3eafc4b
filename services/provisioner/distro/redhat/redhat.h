// Red Hat Enterprise Linux, what is made of it, Fedora and Amazon Linux.
#ifndef SERVICES_PROVISIONER_DISTRO_REDHAT_REDHAT_H_
#define SERVICES_PROVISIONER_DISTRO_REDHAT_REDHAT_H_

#include <vector>

#include "services/provisioner/distro/distro.h"

namespace machine::provisioner {

/// Its entries in the table.
std::vector<Distro> RedHat();

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_DISTRO_REDHAT_REDHAT_H_
