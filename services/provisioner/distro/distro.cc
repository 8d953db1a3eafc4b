#include "services/provisioner/distro/distro.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/common/status/status.h"
#include "services/provisioner/distro/arch/arch.h"
#include "services/provisioner/distro/boot2docker/boot2docker.h"
#include "services/provisioner/distro/debian/debian.h"
#include "services/provisioner/distro/redhat/redhat.h"
#include "services/provisioner/distro/suse/suse.h"
#include "services/provisioner/distro/ubuntu/ubuntu.h"

namespace machine::provisioner {

using ::machine::common::Error;

const std::vector<Distro>& Distros() {
  static const auto& distros = *[] {
    auto* all = new std::vector<Distro>;
    for (const std::vector<Distro>& family :
         {Debian(), Ubuntu(), RedHat(), Suse(), Arch(), Boot2docker()}) {
      all->insert(all->end(), family.begin(), family.end());
    }
    return all;
  }();
  return distros;
}

absl::StatusOr<Distro> FindDistro(const Facts& facts) {
  const auto found =
      std::find_if(Distros().begin(), Distros().end(),
                   [&facts](const Distro& distro) { return distro.os_id == facts.os_id; });
  if (found == Distros().end()) {
    const auto add_id = [](std::string* out, const Distro& distro) {
      absl::StrAppend(out, distro.os_id);
    };
    return Error(absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_UNSUPPORTED_HOST,
                 absl::StrCat("unsupported operating system \"", facts.os_id, "\"",
                              facts.os_name.empty() ? "" : absl::StrCat(" (", facts.os_name, ")"),
                              "; supported: ", absl::StrJoin(Distros(), ", ", add_id)),
                 {{"os_id", facts.os_id}, {"os_name", facts.os_name}});
  }
  if (found->init == Init::kSystemd && facts.init != "systemd") {
    return Error(absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_UNSUPPORTED_HOST,
                 absl::StrCat("the host was started by \"", facts.init,
                              "\"; only hosts with systemd are supported"),
                 {{"os_id", facts.os_id}, {"init", facts.init}});
  }
  return *found;
}

}  // namespace machine::provisioner
