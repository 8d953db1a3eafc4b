#include "services/provisioner/distro/arch/arch.h"

#include "services/provisioner/distro/packages/packages.h"

namespace machine::provisioner {

std::vector<Distro> Arch() {
  Distro distro;
  distro.name = "arch";
  distro.os_id = "arch";
  distro.engine_packages = "docker";
  distro.package_manager = PacmanScript();
  // Arch Linux for ARM.
  Distro arm = distro;
  arm.os_id = "archarm";
  return {distro, arm};
}

}  // namespace machine::provisioner
