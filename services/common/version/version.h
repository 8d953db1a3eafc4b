// The version that all programs of one release share.
#ifndef SERVICES_COMMON_VERSION_VERSION_H_
#define SERVICES_COMMON_VERSION_VERSION_H_

namespace machine::common {

inline constexpr char kVersion[] = "1.0.0";

}  // namespace machine::common

#endif  // SERVICES_COMMON_VERSION_VERSION_H_
