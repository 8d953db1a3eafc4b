// Errors of a VMware Cloud Director, as its two APIs tell them.
#ifndef DRIVERS_VMWAREVCLOUDAIR_VCD_ERRORS_H_
#define DRIVERS_VMWAREVCLOUDAIR_VCD_ERRORS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace machine::driver::vmwarevcloudair {

/// UNAVAILABLE PROVIDER_DOWN: "Cloud Director did not answer in time".
absl::Status DirectorIsDown(absl::string_view what);

/// The beginning of `text`, without bytes that a message cannot show.
std::string Printable(absl::string_view text);

/// The error for a minor error code, with the server's words; `otherwise` for a code that says no
/// more than the status of HTTP does. UNAVAILABLE for BUSY_ENTITY, NOT_FOUND for
/// ACCESS_TO_RESOURCE_IS_FORBIDDEN, which the server says of what is gone, too. Codes:
/// https://developer.broadcom.com/xapis/vmware-cloud-director-api/latest/
absl::Status ErrorOfCode(absl::string_view code, absl::string_view message, absl::Status otherwise);

}  // namespace machine::driver::vmwarevcloudair

#endif  // DRIVERS_VMWAREVCLOUDAIR_VCD_ERRORS_H_
