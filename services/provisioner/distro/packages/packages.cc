#include "services/provisioner/distro/packages/packages.h"

namespace machine::provisioner {
namespace {

constexpr char kApt[] =
#include "services/provisioner/distro/packages/apt.sh.inc"
    ;
constexpr char kCommon[] =
#include "services/provisioner/distro/packages/common.sh.inc"
    ;
constexpr char kDnf[] =
#include "services/provisioner/distro/packages/dnf.sh.inc"
    ;
constexpr char kPacman[] =
#include "services/provisioner/distro/packages/pacman.sh.inc"
    ;
constexpr char kZypper[] =
#include "services/provisioner/distro/packages/zypper.sh.inc"
    ;

}  // namespace

absl::string_view PackagesScript() { return kCommon; }
absl::string_view AptScript() { return kApt; }
absl::string_view DnfScript() { return kDnf; }
absl::string_view PacmanScript() { return kPacman; }
absl::string_view ZypperScript() { return kZypper; }

}  // namespace machine::provisioner
