#include "services/provisioner/distro/debian/debian.h"

#include "services/provisioner/distro/apt/apt.h"

namespace machine::provisioner {

Distro Debian() {
  Distro distro;
  distro.name = "debian";
  distro.os_id = "debian";
  distro.engine_package = "docker.io";
  // The client is a package of its own from Debian 13 on.
  distro.extra_packages = "ca-certificates iptables docker-cli";
  distro.packages_script = AptScript();
  return distro;
}

}  // namespace machine::provisioner
