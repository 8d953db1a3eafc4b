// An edge gateway backed by NSX-T, whose rules are objects of the OpenAPI (JSON).
#ifndef DRIVERS_VMWAREVCLOUDAIR_NSXT_GATEWAY_H_
#define DRIVERS_VMWAREVCLOUDAIR_NSXT_GATEWAY_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/vmwarevcloudair/cloud_api.h"
#include "drivers/vmwarevcloudair/edge_gateway.h"

namespace machine::driver::vmwarevcloudair {

/// A port-forwarding (DNAT) rule for each port and an SNAT rule; firewall rules that let the ports
/// in and the machine out. Firewall rules know addresses by IP sets only, and both know ports by
/// application port profiles. All have names that are the tag or begin with it and a dash.
class NsxtGateway final : public EdgeGateway {
 public:
  /// `id` is a URN: "urn:vcloud:gateway:UUID".
  NsxtGateway(VcdApi& api, const Backoff& backoff, absl::string_view id)
      : api_(api), cloud_(api), backoff_(backoff), id_(id) {}

  absl::Status Check(const common::CallScope& call, const PublicAccess& access) override;
  absl::Status Open(const common::CallScope& call, const PublicAccess& access) override;
  absl::Status Close(const common::CallScope& call, absl::string_view tag) override;

 private:
  /// Objects by their names.
  using Ids = std::map<std::string, std::string>;

  /// The path of what belongs to the gateway: "/nat/rules".
  std::string Of(absl::string_view what) const;
  absl::StatusOr<std::vector<Json>> ListOurs(const common::CallScope& call, absl::string_view path,
                                             absl::string_view filter, absl::string_view tag);
  /// Deletes the objects; whether there were any.
  absl::StatusOr<bool> DeleteAll(const common::CallScope& call, absl::string_view path,
                                 const std::vector<Json>& objects);

  // Each mends one kind of object, and says whether there was anything to mend.
  absl::StatusOr<bool> MendIpSets(const common::CallScope& call, const PublicAccess& access,
                                  const Json& gateway, Ids& ids);
  absl::StatusOr<bool> MendPortProfiles(const common::CallScope& call, const PublicAccess& access,
                                        const Json& gateway, Ids& ids);
  absl::StatusOr<bool> MendNat(const common::CallScope& call, const PublicAccess& access,
                               const Json& gateway, const std::vector<Json>& rules,
                               const Ids& profiles);
  absl::StatusOr<bool> MendFirewall(const common::CallScope& call, const PublicAccess& access,
                                    const Ids& sets, const Ids& profiles);
  absl::StatusOr<bool> Mend(const common::CallScope& call, const PublicAccess& wanted);
  absl::StatusOr<bool> DeleteOurs(const common::CallScope& call, absl::string_view tag);

  VcdApi& api_;
  CloudApi cloud_;
  const Backoff backoff_;
  const std::string id_;
};

}  // namespace machine::driver::vmwarevcloudair

#endif  // DRIVERS_VMWAREVCLOUDAIR_NSXT_GATEWAY_H_
