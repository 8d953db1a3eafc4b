// boot2docker: retired, but machines that the original made of it can be imported.
#ifndef SERVICES_PROVISIONER_DISTRO_BOOT2DOCKER_BOOT2DOCKER_H_
#define SERVICES_PROVISIONER_DISTRO_BOOT2DOCKER_BOOT2DOCKER_H_

#include <vector>

#include "services/provisioner/distro/distro.h"

namespace machine::provisioner {

std::vector<Distro> Boot2docker();

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_DISTRO_BOOT2DOCKER_BOOT2DOCKER_H_
