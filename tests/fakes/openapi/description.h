// A provider's published API description, and whether a request fits it.
#ifndef TESTS_FAKES_OPENAPI_DESCRIPTION_H_
#define TESTS_FAKES_OPENAPI_DESCRIPTION_H_

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tests/fakes/http/fake_server.h"

namespace machine::fakes {

/// OpenAPI 3 or Swagger 2, as JSON. References lead within the document. Immutable, thread-safe.
class ApiDescription {
 public:
  /// Errors: NOT_FOUND, or INVALID_ARGUMENT when it is no such document.
  static absl::StatusOr<ApiDescription> Load(const std::string& path);
  static absl::StatusOr<ApiDescription> Parse(absl::string_view text);

  /// Whether it has the path and method of `request`.
  bool Knows(const Request& request) const { return Find(request).has_value(); }

  /// OK when the request fits: path and method exist, parameters are known and well-formed,
  /// required ones are there, and the body fits its schema, with no property that the schema does
  /// not name. Errors: INVALID_ARGUMENT, as "POST /v2/droplets: body.size is missing".
  absl::Status Check(const Request& request) const;

 private:
  using Json = nlohmann::json;

  struct Operation {
    std::string label;
    const Json* item;
    const Json* operation;
    std::vector<std::pair<std::string, std::string>> path_values;
  };

  explicit ApiDescription(Json document);

  std::optional<Operation> Find(const Request& request) const;
  std::vector<const Json*> ParametersOf(const Operation& operation) const;
  absl::Status CheckParameters(const Operation& operation, const Request& request) const;
  absl::Status CheckBody(const Operation& operation, const Request& request) const;
  const Json* BodySchema(const Operation& operation, const Request& request, bool& required,
                         absl::Status& status) const;

  Json document_;
  /// Of the server's URL or basePath; may be empty.
  std::string base_path_;
};

/// The folder of descriptions (environment MACHINE_SPECS_DIR); no value where there is none.
std::optional<std::string> DescriptionsFolder();

/// For FakeServer::CheckRequests: a request must fit the first of `descriptions` that knows its
/// path and method.
FakeServer::Checker FitsOneOf(std::vector<ApiDescription> descriptions);

}  // namespace machine::fakes

#endif  // TESTS_FAKES_OPENAPI_DESCRIPTION_H_
