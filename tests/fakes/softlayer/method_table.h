// SoftLayer's published table of methods, and whether a request fits it.
#ifndef TESTS_FAKES_SOFTLAYER_METHOD_TABLE_H_
#define TESTS_FAKES_SOFTLAYER_METHOD_TABLE_H_

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tests/fakes/http/fake_server.h"

namespace machine::fakes {

/// Services, their methods, how REST calls them, and what the first parameter may have: the format
/// of softlayer/methods.json in MACHINE_SPECS_DIR. Immutable, thread-safe.
class MethodTable {
 public:
  static absl::StatusOr<MethodTable> Load(const std::string& path);
  static absl::StatusOr<MethodTable> Parse(absl::string_view text);

  /// Whether it has the service and method of `request`.
  bool Knows(const Request& request) const;

  /// OK when the request fits: verb, whether an id is in the path, and for a method whose input is
  /// described the parameter: known fields, types, and required ones. Errors: INVALID_ARGUMENT.
  absl::Status Check(const Request& request) const;

 private:
  using Json = nlohmann::json;

  explicit MethodTable(Json services) : services_(std::move(services)) {}

  Json services_;
};

}  // namespace machine::fakes

#endif  // TESTS_FAKES_SOFTLAYER_METHOD_TABLE_H_
