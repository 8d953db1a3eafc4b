// Signatures of Exoscale's API v2: EXO2-HMAC-SHA256.
#ifndef DRIVERS_EXOSCALE_SIGNATURE_H_
#define DRIVERS_EXOSCALE_SIGNATURE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/common/http/http_message.h"

namespace machine::driver::exoscale {

/// The value of "Authorization" for `request`, valid until `expires`. No parameter of its query may
/// occur twice. https://openapi-v2.exoscale.com/topic/topic-api-request-signature
std::string AuthorizationOf(const common::HttpRequest& request, absl::string_view key,
                            absl::string_view secret, absl::Time expires);

}  // namespace machine::driver::exoscale

#endif  // DRIVERS_EXOSCALE_SIGNATURE_H_
