// The versions of Resource Manager's APIs that the driver speaks.
#ifndef DRIVERS_AZURE_API_VERSIONS_H_
#define DRIVERS_AZURE_API_VERSIONS_H_

#include "absl/strings/string_view.h"

namespace machine::driver::azure {

inline constexpr absl::string_view kSubscriptionVersion = "2020-01-01";
inline constexpr absl::string_view kResourcesVersion = "2021-04-01";
/// Virtual machines and images.
inline constexpr absl::string_view kComputeVersion = "2022-11-01";
inline constexpr absl::string_view kSkusVersion = "2021-07-01";
inline constexpr absl::string_view kDiskVersion = "2022-07-02";
/// The first with standard addresses is 2017-08-01.
inline constexpr absl::string_view kNetworkVersion = "2022-07-01";

}  // namespace machine::driver::azure

#endif  // DRIVERS_AZURE_API_VERSIONS_H_
