#include "services/provisioner/distro/ubuntu/ubuntu.h"

#include "services/provisioner/distro/apt/apt.h"

namespace machine::provisioner {

Distro Ubuntu() {
  Distro distro;
  // Scripts that watch the original's output expect this spelling.
  distro.name = "ubuntu(systemd)";
  distro.os_id = "ubuntu";
  distro.engine_package = "docker.io";
  distro.extra_packages = "ca-certificates iptables docker-cli";
  distro.packages_script = AptScript();
  return distro;
}

}  // namespace machine::provisioner
