#include "services/provisioner/distro/suse/suse.h"

#include "services/provisioner/distro/packages/packages.h"

namespace machine::provisioner {
namespace {

Distro Entry(absl::string_view name, absl::string_view os_id) {
  Distro distro;
  distro.name = name;
  distro.os_id = os_id;
  distro.engine_packages = "docker";
  distro.extra_packages = "iptables";
  distro.package_manager = ZypperScript();
  return distro;
}

}  // namespace

std::vector<Distro> Suse() {
  std::vector<Distro> all = {
      Entry("sles", "sles"),
      Entry("openSUSE", "opensuse-leap"),
      Entry("openSUSE", "opensuse-tumbleweed"),
      // Before version 15.
      Entry("openSUSE", "opensuse"),
  };
  // The engine is in a module that a registered host can switch on.
  all[0].source_url = "sle-module-containers";
  return all;
}

}  // namespace machine::provisioner
