// Tells builds of one version apart.
#ifndef SERVICES_COMMON_VERSION_BUILD_ID_H_
#define SERVICES_COMMON_VERSION_BUILD_ID_H_

#include <string>

namespace machine::common {

/// The first seven digits of the linker's build id of this program, a hash of its contents: the
/// same sources and tools give the same one, without a stamp that would have everything built anew
/// at each commit. "unknown" in a program that was linked without one.
std::string BuildId();

}  // namespace machine::common

#endif  // SERVICES_COMMON_VERSION_BUILD_ID_H_
