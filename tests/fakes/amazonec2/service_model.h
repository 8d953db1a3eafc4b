// AWS's own description of a service of the EC2 protocol (botocore's service-2.json), and whether
// a request fits it.
#ifndef TESTS_FAKES_AMAZONEC2_SERVICE_MODEL_H_
#define TESTS_FAKES_AMAZONEC2_SERVICE_MODEL_H_

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace machine::fakes {

/// The fields of a form, decoded.
using Form = std::map<std::string, std::string>;
Form ParseForm(absl::string_view body);

/// Immutable, thread-safe.
class ServiceModel {
 public:
  /// Errors: NOT_FOUND, or INVALID_ARGUMENT when it is no such document.
  static absl::StatusOr<ServiceModel> Load(const std::string& path);
  static absl::StatusOr<ServiceModel> Parse(absl::string_view text);

  /// Whether it has the action of `form`.
  bool Knows(const Form& form) const;

  /// OK when all parameters exist, are of their type and one of their values, lists count from 1
  /// without a gap, and nothing required is missing. Errors: INVALID_ARGUMENT, as
  /// "RunInstances: MinCount is missing".
  absl::Status Check(const Form& form) const;

 private:
  using Json = nlohmann::json;
  /// A parameter's text, and what is below it by the next part of its name.
  struct Node {
    std::string text;
    bool has_text = false;
    std::map<std::string, Node> children;
  };

  explicit ServiceModel(Json model) : model_(std::move(model)) {}

  absl::Status CheckNode(const std::string& shape, const Node& node,
                         const std::string& where) const;
  absl::Status CheckStructure(const Json& shape, const Node& node, const std::string& where) const;
  absl::Status CheckList(const Json& shape, const Node& node, const std::string& where) const;
  static absl::Status CheckScalar(const Json& shape, const Node& node, const std::string& where);

  Json model_;
};

}  // namespace machine::fakes

#endif  // TESTS_FAKES_AMAZONEC2_SERVICE_MODEL_H_
