// An edge gateway backed by NSX-V, which takes its services as a whole: "configureServices" of the
// API (XML).
#ifndef DRIVERS_VMWAREVCLOUDAIR_NSXV_GATEWAY_H_
#define DRIVERS_VMWAREVCLOUDAIR_NSXV_GATEWAY_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/vmwarevcloudair/edge_gateway.h"
#include "drivers/vmwarevcloudair/vcd_api.h"

namespace machine::driver::vmwarevcloudair {

/// Rules have the tag as their description.
class NsxvGateway final : public EdgeGateway {
 public:
  NsxvGateway(VcdApi& api, const Backoff& backoff, absl::string_view url)
      : api_(api), backoff_(backoff), url_(url) {}

  absl::Status Check(const common::CallScope& call, const PublicAccess& access) override;
  absl::Status Open(const common::CallScope& call, const PublicAccess& access) override;
  absl::Status Close(const common::CallScope& call, absl::string_view tag) override;

 private:
  /// Makes the rules of `wanted` the only ones with its tag; whether any had to be changed.
  absl::StatusOr<bool> Mend(const common::CallScope& call, const PublicAccess& wanted);

  VcdApi& api_;
  const Backoff backoff_;
  const std::string url_;
};

}  // namespace machine::driver::vmwarevcloudair

#endif  // DRIVERS_VMWAREVCLOUDAIR_NSXV_GATEWAY_H_
