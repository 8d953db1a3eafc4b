// VMware Cloud Director's OpenAPI (JSON), which has what came with NSX-T.
// https://developer.broadcom.com/xapis/vmware-cloud-director-openapi/latest/
#ifndef DRIVERS_VMWAREVCLOUDAIR_CLOUD_API_H_
#define DRIVERS_VMWAREVCLOUDAIR_CLOUD_API_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/sdk/cloud/json.h"
#include "drivers/vmwarevcloudair/vcd_api.h"
#include "services/common/rpc/call_scope.h"

namespace machine::driver::vmwarevcloudair {

/// Paths are those behind "/cloudapi/1.0.0/". Errors as with VcdApi: NOT_FOUND also where something
/// may not be seen or done, which the server does not tell apart. Thread-safe; blocks.
class CloudApi {
 public:
  /// `api`, whose session it uses and whose tasks it waits for, outlives it.
  explicit CloudApi(VcdApi& api) : api_(api) {}

  absl::StatusOr<Json> Get(const common::CallScope& call, absl::string_view path);

  /// All objects of a list, with `filter` in the server's own form (FIQL); empty for none.
  absl::StatusOr<std::vector<Json>> List(const common::CallScope& call, absl::string_view path,
                                         absl::string_view filter = "");

  /// A request with effect, sent once; waits for the end of its task. UNAVAILABLE where the object
  /// is busy; where the answer was lost, what it did may show later.
  absl::Status Run(const common::CallScope& call, absl::string_view method, absl::string_view path,
                   const Json& body = nullptr);

 private:
  struct Answer;

  absl::StatusOr<Answer> Send(const common::CallScope& call, absl::string_view method,
                              absl::string_view url, const Json& body);
  absl::StatusOr<Answer> Read(const common::CallScope& call, absl::string_view url);

  VcdApi& api_;
};

}  // namespace machine::driver::vmwarevcloudair

#endif  // DRIVERS_VMWAREVCLOUDAIR_CLOUD_API_H_
