// What is done in a guest by its VMware Tools, where nothing else can reach it yet.
#ifndef DRIVERS_VMWAREVSPHERE_GUEST_OPERATIONS_H_
#define DRIVERS_VMWAREVSPHERE_GUEST_OPERATIONS_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "drivers/sdk/cloud/await.h"
#include "drivers/vmwarevsphere/vim_client.h"

namespace machine::driver::vmwarevsphere {

/// Lets `public_key` log in to a boot2docker guest, now and after its next boots. Waits until the
/// guest takes orders. Errors: FAILED_PRECONDITION when the guest could not do it.
absl::Status InstallGuestKey(const common::CallScope& call, VimClient& client,
                             const Backoff& backoff, const Ref& vm, absl::string_view public_key);

}  // namespace machine::driver::vmwarevsphere

#endif  // DRIVERS_VMWAREVSPHERE_GUEST_OPERATIONS_H_
