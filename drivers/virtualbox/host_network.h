// The network between VirtualBox's host and its machines.
#ifndef DRIVERS_VIRTUALBOX_HOST_NETWORK_H_
#define DRIVERS_VIRTUALBOX_HOST_NETWORK_H_

#include <string>

#include "absl/status/statusor.h"
#include "drivers/virtualbox/settings.h"
#include "drivers/virtualbox/vbox_manage.h"

namespace machine::driver::virtualbox {

/// The name of a host-only interface with the host's address of `settings.range`, made if there is
/// none, and its DHCP server running. It is for all machines and stays when they go.
/// Errors: those of VBoxManage; FAILED_PRECONDITION with what to do where VirtualBox does not allow
/// the range.
absl::StatusOr<std::string> EnsureHostOnly(common::CallScope& call, VBoxManage& vbox,
                                           const Settings& settings);

/// The address of the network interface `mac` ("08:00:27:…") of machine `vm` on `interface`: by the
/// lease of VirtualBox's DHCP server, or as the guest additions report. Empty while it has none.
absl::StatusOr<std::string> GuestAddress(common::CallScope& call, VBoxManage& vbox,
                                         const std::string& vm, const std::string& interface,
                                         const std::string& mac);

}  // namespace machine::driver::virtualbox

#endif  // DRIVERS_VIRTUALBOX_HOST_NETWORK_H_
