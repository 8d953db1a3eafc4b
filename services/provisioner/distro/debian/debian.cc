#include "services/provisioner/distro/debian/debian.h"

#include "services/provisioner/distro/packages/packages.h"

namespace machine::provisioner {

std::vector<Distro> Debian() {
  Distro distro;
  distro.name = "debian";
  distro.os_id = "debian";
  distro.engine_packages = "docker.io";
  // The client is a package of its own from Debian 13 on.
  distro.extra_packages = "ca-certificates iptables docker-cli";
  distro.package_manager = AptScript();
  return {distro};
}

}  // namespace machine::provisioner
