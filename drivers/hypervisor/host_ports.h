#ifndef DRIVERS_HYPERVISOR_HOST_PORTS_H_
#define DRIVERS_HYPERVISOR_HOST_PORTS_H_

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace machine::driver::hypervisor {

/// Whether this host has the IPv4 `address` and nobody listens on `port` there.
bool PortIsFree(const std::string& address, int port);

/// The first of three ports in a row for machine `uid` in 20000–31999, all of which `is_free`
/// takes. The same machine gets the same ones while they are free. RESOURCE_EXHAUSTED when none
/// are.
absl::StatusOr<int> ChooseThreePorts(absl::string_view uid, absl::FunctionRef<bool(int)> is_free);

}  // namespace machine::driver::hypervisor

#endif  // DRIVERS_HYPERVISOR_HOST_PORTS_H_
