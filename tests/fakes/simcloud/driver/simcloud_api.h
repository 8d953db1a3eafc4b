// simcloud's API, typed.
#ifndef TESTS_FAKES_SIMCLOUD_DRIVER_SIMCLOUD_API_H_
#define TESTS_FAKES_SIMCLOUD_DRIVER_SIMCLOUD_API_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/sdk/cloud/json_api.h"

namespace machine::driver::simcloud {

/// In the order in which they are made; removed in the opposite one.
inline constexpr absl::string_view kKinds[] = {"keys", "rules", "disks", "ips", "instances"};
inline constexpr absl::string_view kInstances = "instances";

struct Object {
  std::string id;
  std::string tag;
  std::string size;
  /// "building", "active" or "off".
  std::string state;
};

/// Thread-safe. Errors: those of JsonApi::Send().
class SimCloudApi {
 public:
  SimCloudApi(common::HttpClient& http, std::string endpoint);

  absl::StatusOr<Object> Create(const common::CallScope& call, absl::string_view kind,
                                absl::string_view tag, absl::string_view owner,
                                absl::string_view size) const;
  absl::StatusOr<std::vector<Object>> List(const common::CallScope& call, absl::string_view kind,
                                           absl::string_view tag) const;
  /// OK when it is gone.
  absl::Status Delete(const common::CallScope& call, absl::string_view kind,
                      absl::string_view id) const;
  absl::Status SetPower(const common::CallScope& call, absl::string_view id, bool on) const;
  /// The instances of any of `tags`.
  absl::StatusOr<std::vector<Object>> Search(const common::CallScope& call,
                                             const std::vector<std::string>& tags) const;
  absl::StatusOr<std::vector<Object>> ListOwned(const common::CallScope& call,
                                                absl::string_view owner) const;

 private:
  absl::StatusOr<std::vector<Object>> ObjectsOf(const common::CallScope& call,
                                                const ApiRequest& request) const;

  const JsonApi api_;
};

}  // namespace machine::driver::simcloud

#endif  // TESTS_FAKES_SIMCLOUD_DRIVER_SIMCLOUD_API_H_
