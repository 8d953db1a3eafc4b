#include "services/provisioner/distro/redhat/redhat.h"

#include "services/provisioner/distro/packages/packages.h"

namespace machine::provisioner {
namespace {

// Docker's own descriptions of its package sources (its manual, "Install Docker Engine").
constexpr absl::string_view kFedoraSource =
    "https://download.docker.com/linux/fedora/docker-ce.repo";
constexpr absl::string_view kRhelSource = "https://download.docker.com/linux/rhel/docker-ce.repo";
constexpr absl::string_view kCentosSource =
    "https://download.docker.com/linux/centos/docker-ce.repo";

Distro Entry(absl::string_view name, absl::string_view os_id, absl::string_view engine_packages,
             absl::string_view source_url) {
  Distro distro;
  distro.name = name;
  distro.os_id = os_id;
  distro.engine_packages = engine_packages;
  // The client is a package of its own with Fedora's engine.
  distro.extra_packages = "docker-cli";
  distro.source_url = source_url;
  distro.package_manager = DnfScript();
  return distro;
}

}  // namespace

std::vector<Distro> RedHat() {
  return {
      // The distribution's own package first; most of the family have none since version 8.
      Entry("fedora", "fedora", "moby-engine docker-ce", kFedoraSource),
      Entry("redhat", "rhel", "docker-ce", kRhelSource),
      Entry("centos", "centos", "docker-ce", kCentosSource),
      Entry("rocky", "rocky", "docker-ce", kCentosSource),
      Entry("almalinux", "almalinux", "docker-ce", kCentosSource),
      Entry("oraclelinux", "ol", "docker-engine docker-ce", kCentosSource),
      Entry("amazonlinux", "amzn", "docker", "amazon-linux-extras"),
  };
}

}  // namespace machine::provisioner
