#include "services/provisioner/distro/boot2docker/boot2docker.h"

namespace machine::provisioner {

std::vector<Distro> Boot2docker() {
  Distro distro;
  distro.name = "boot2docker";
  distro.os_id = "boot2docker";
  distro.init = Init::kBoot2docker;
  return {distro};
}

}  // namespace machine::provisioner
