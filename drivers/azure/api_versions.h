// The versions of Resource Manager's APIs that the driver speaks: stable ones of 2024 where a newer
// one gives something that is needed, else those that Microsoft's own clients still send.
// https://learn.microsoft.com/azure/templates/
#ifndef DRIVERS_AZURE_API_VERSIONS_H_
#define DRIVERS_AZURE_API_VERSIONS_H_

#include "absl/strings/string_view.h"

namespace machine::driver::azure {

inline constexpr absl::string_view kSubscriptionVersion = "2022-12-01";
inline constexpr absl::string_view kResourcesVersion = "2021-04-01";
/// Virtual machines and images.
inline constexpr absl::string_view kComputeVersion = "2024-07-01";
inline constexpr absl::string_view kSkusVersion = "2021-07-01";
inline constexpr absl::string_view kDiskVersion = "2024-03-02";
/// The first with defaultOutboundAccess is 2023-05-01.
inline constexpr absl::string_view kNetworkVersion = "2024-05-01";

}  // namespace machine::driver::azure

#endif  // DRIVERS_AZURE_API_VERSIONS_H_
