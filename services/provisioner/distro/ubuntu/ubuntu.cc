#include "services/provisioner/distro/ubuntu/ubuntu.h"

#include "services/provisioner/distro/packages/packages.h"

namespace machine::provisioner {

std::vector<Distro> Ubuntu() {
  Distro distro;
  // Scripts that watch the original's output expect this spelling.
  distro.name = "ubuntu(systemd)";
  distro.os_id = "ubuntu";
  distro.engine_packages = "docker.io";
  distro.extra_packages = "ca-certificates iptables docker-cli";
  distro.package_manager = AptScript();
  return {distro};
}

}  // namespace machine::provisioner
