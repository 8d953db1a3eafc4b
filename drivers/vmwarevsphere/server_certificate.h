// The certificate that a server shows, for those who know its thumbprint.
#ifndef DRIVERS_VMWAREVSPHERE_SERVER_CERTIFICATE_H_
#define DRIVERS_VMWAREVSPHERE_SERVER_CERTIFICATE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "drivers/vmwarevsphere/settings.h"

namespace machine::driver::vmwarevsphere {

/// The certificate of the server at `credentials`, as PEM, where it has their thumbprint. It is
/// sent nothing. Errors: UNAVAILABLE PROVIDER_DOWN; UNAUTHENTICATED SERVER_NOT_TRUSTED with the
/// thumbprint that it has.
absl::StatusOr<std::string> CertificateByThumbprint(const Credentials& credentials,
                                                    absl::Duration timeout);

}  // namespace machine::driver::vmwarevsphere

#endif  // DRIVERS_VMWAREVSPHERE_SERVER_CERTIFICATE_H_
