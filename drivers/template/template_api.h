// The calls of the provider's API that the driver makes, typed. Put here where it is documented.
#ifndef DRIVERS_TEMPLATE_TEMPLATE_API_H_
#define DRIVERS_TEMPLATE_TEMPLATE_API_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/sdk/cloud/json_api.h"
#include "services/common/http/http_client.h"
#include "services/common/rpc/call_scope.h"

namespace machine::driver::template_cloud {

struct Size {
  std::string name;
  int64_t memory_mib = 0;
  std::vector<std::string> regions;
};

struct Image {
  std::string name;
  /// For example "ubuntu-lts"; the newest of a family comes last.
  std::string family;
};

struct Instance {
  std::string id;
  /// "building", "running", "stopping" or "stopped".
  std::string status;
  std::string region;
  std::string size;
  std::string image;
  std::vector<std::string> tags;
  std::vector<std::string> addresses;

  bool HasTag(absl::string_view tag) const;
};

/// What an instance is to be.
struct InstanceSpec {
  std::string name;
  std::string region;
  std::string size;
  std::string image;
  std::string public_key;
  std::string user_data;
  std::vector<std::string> tags;
};

/// One account. Thread-safe; blocks. Lists read all pages. Errors: those of JsonApi::Send();
/// RESOURCE_EXHAUSTED PROVIDER_QUOTA at the account's limit.
class TemplateApi {
 public:
  /// `http` outlives it. `endpoint` has no slash at its end. `retry` are the pauses before a
  /// request is sent again.
  TemplateApi(common::HttpClient& http, std::string endpoint, std::string token,
              const Backoff& retry);

  absl::StatusOr<std::vector<std::string>> ListRegions(const common::CallScope& call) const;
  absl::StatusOr<std::vector<Size>> ListSizes(const common::CallScope& call) const;
  absl::StatusOr<std::vector<Image>> ListImages(const common::CallScope& call) const;

  absl::StatusOr<std::vector<Instance>> ListInstances(const common::CallScope& call,
                                                      absl::string_view tag) const;
  /// No value where there is none.
  absl::StatusOr<std::optional<Instance>> FindInstance(const common::CallScope& call,
                                                       absl::string_view id) const;
  absl::StatusOr<Instance> CreateInstance(const common::CallScope& call,
                                          const InstanceSpec& spec) const;
  /// OK when it is not there.
  absl::Status DeleteInstance(const common::CallScope& call, absl::string_view id) const;
  /// `verb` is "start", "stop", "kill" or "reboot". OK where the instance is in that state.
  absl::Status Act(const common::CallScope& call, absl::string_view id,
                   absl::string_view verb) const;

 private:
  /// Calls `each` with every element of `key` on every page.
  absl::Status List(const common::CallScope& call, ApiRequest request, absl::string_view key,
                    absl::FunctionRef<void(const Json&)> each) const;

  const JsonApi api_;
};

}  // namespace machine::driver::template_cloud

#endif  // DRIVERS_TEMPLATE_TEMPLATE_API_H_
