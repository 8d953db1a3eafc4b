// An edge gateway, by whose rules a machine is reached at a public address.
#ifndef DRIVERS_VMWAREVCLOUDAIR_EDGE_GATEWAY_H_
#define DRIVERS_VMWAREVCLOUDAIR_EDGE_GATEWAY_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/vmwarevcloudair/vcd_api.h"

namespace machine::driver::vmwarevcloudair {

/// What leads to a machine from outside, and from it to the outside.
struct PublicAccess {
  /// On everything that is made for it, by which it is found again.
  std::string tag;
  std::string public_ip;
  /// Empty while the machine has none.
  std::string internal_ip;
  /// TCP ports, the same inside and outside.
  std::vector<int> ports;
  /// The one of them that is given up where a rule of somebody else takes it; 0 for none.
  int spare_port = 0;
  /// IPv4 ranges that may come in; one at least.
  std::vector<std::string> sources;
};

/// One for each way in which Cloud Director backs it. The gateway must not be used by two threads
/// at once.
class EdgeGateway {
 public:
  virtual ~EdgeGateway() = default;

  /// Whether `access` can be given, before there is a machine. Errors: PreCreateCheckFailed() that
  /// names a right that is missing, an address that is not the gateway's, or the rule of somebody
  /// else that takes one of the ports.
  virtual absl::Status Check(const common::CallScope& call, const PublicAccess& access) = 0;

  /// Makes what `access` asks for the only thing with its tag; all else stays as it is. Waits while
  /// the gateway works on something else, and adopts what an attempt before has made.
  /// Errors: ABORTED when others change it all the time; those of Check().
  virtual absl::Status Open(const common::CallScope& call, const PublicAccess& access) = 0;

  /// Removes everything that has the tag, whatever of it is there; OK when the gateway is gone.
  virtual absl::Status Close(const common::CallScope& call, absl::string_view tag) = 0;
};

/// A gateway that the user sees.
struct EdgeGatewayName {
  std::string name;
  /// For EdgeGatewayAt(), also of another process: a URN with NSX-T, a path with NSX-V.
  std::string place;
};

absl::StatusOr<std::vector<EdgeGatewayName>> ListEdgeGateways(const common::CallScope& call,
                                                              VcdApi& api);

/// The gateway at that place; its URL, too, with NSX-V. `api` outlives it.
std::unique_ptr<EdgeGateway> EdgeGatewayAt(VcdApi& api, const Backoff& backoff,
                                           absl::string_view place);

/// Calls `step`, which reads, mends and says whether there was anything to mend, until there is
/// not. Errors that pass, such as that of a busy gateway, are waited for. One at a time for each
/// account. Errors: ABORTED when there is always something.
absl::Status MendUntilRight(const common::CallScope& call, VcdApi& api, const Backoff& backoff,
                            absl::FunctionRef<absl::StatusOr<bool>()> step);

/// A rule that lets something in at `addresses`: one, a range or a CIDR.
struct InboundRule {
  std::string name;
  std::string addresses;
  /// "22", "8000-8100"; "Any" or empty for all.
  std::string ports;
};

/// `access` without its spare port where one of `rules` takes that. Errors: PreCreateCheckFailed()
/// that names the first that takes another of the ports.
absl::StatusOr<PublicAccess> BesideRules(absl::string_view gateway,
                                         const std::vector<InboundRule>& rules,
                                         PublicAccess access);

/// Whether `addresses`, as in InboundRule, have the IPv4 address.
bool HasAddress(absl::string_view addresses, absl::string_view ip);

}  // namespace machine::driver::vmwarevcloudair

#endif  // DRIVERS_VMWAREVCLOUDAIR_EDGE_GATEWAY_H_
