#include "services/provisioner/distro/apt/apt.h"

namespace machine::provisioner {
namespace {

constexpr char kAptScript[] =
#include "services/provisioner/distro/apt/apt.sh.inc"
    ;

}  // namespace

absl::string_view AptScript() { return kAptScript; }

}  // namespace machine::provisioner
