// clouds.yaml, where OpenStack's own tools keep credentials.
// https://docs.openstack.org/openstacksdk/latest/user/config/configuration.html
#ifndef DRIVERS_OPENSTACK_CLOUDS_YAML_H_
#define DRIVERS_OPENSTACK_CLOUDS_YAML_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace machine::driver::openstack {

/// Texts of clouds.yaml and of secure.yaml, whose values count for more. Secrets.
struct CloudsFiles {
  std::string clouds;
  std::string secure;
};

/// Those of this host: in the folder openstack of the user's configuration (XDG_CONFIG_HOME, HOME),
/// else in /etc/openstack. Empty where there are none. Errors: those of reading.
absl::StatusOr<CloudsFiles> ReadCloudsFiles();

/// The values of one cloud, by their names in the file, those below "auth" beside the others:
/// {"auth_url": …, "region_name": …, "verify": "false"}. Errors: INVALID_ARGUMENT that lists the
/// clouds where `name` is none of them, or says what is wrong with the file; nothing of its values.
absl::StatusOr<std::map<std::string, std::string>> FindCloud(const CloudsFiles& files,
                                                             absl::string_view name);

}  // namespace machine::driver::openstack

#endif  // DRIVERS_OPENSTACK_CLOUDS_YAML_H_
