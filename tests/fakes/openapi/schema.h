// Whether a value fits a schema of OpenAPI 3 or Swagger 2.
#ifndef TESTS_FAKES_OPENAPI_SCHEMA_H_
#define TESTS_FAKES_OPENAPI_SCHEMA_H_

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace machine::fakes {

/// `json`, or what its "$ref" ("#/…" within `document`) leads to; null where that is missing.
const nlohmann::json& Resolve(const nlohmann::json& document, const nlohmann::json& json);

/// Member `key` of an object; null where there is none.
const nlohmann::json& MemberOf(const nlohmann::json& json, const std::string& key);

/// Checks values against schemas of one document. A property that no part of the schema names is an
/// error, unless additionalProperties allows it in so many words: the published descriptions leave
/// objects open, and a mistyped name would pass otherwise.
class SchemaChecker {
 public:
  explicit SchemaChecker(const nlohmann::json& document) : document_(document) {}

  /// OK, or INVALID_ARGUMENT that begins with `where`, the name of the value.
  absl::Status Check(const nlohmann::json& schema, const nlohmann::json& value,
                     const std::string& where) const;

  /// The same for a value that came as text, in a path or a query.
  absl::Status CheckText(const nlohmann::json& schema, const std::string& text,
                         const std::string& where) const;

 private:
  using Json = nlohmann::json;
  using Names = std::set<std::string>;

  /// `known` are names that the schemas around this one have.
  absl::Status CheckKnowing(const Json& schema, const Json& value, const std::string& where,
                            Names known) const;
  absl::Status CheckType(const Json& schema, const Json& value, const std::string& where) const;
  absl::Status CheckLimits(const Json& schema, const Json& value, const std::string& where) const;
  absl::Status CheckAlternatives(const Json& alternatives, const Json& value,
                                 const std::string& where, const Names& known,
                                 Names& matched) const;
  absl::Status CheckObject(const Json& schema, const Json& value, const std::string& where,
                           const Names& known) const;
  /// The properties that `schema` and what it is made of name.
  void AddNames(const Json& schema, Names& names, int depth = 0) const;
  /// Whether an object may have any property at all.
  bool IsOpen(const Json& schema, int depth = 0) const;

  const Json& document_;
};

}  // namespace machine::fakes

#endif  // TESTS_FAKES_OPENAPI_SCHEMA_H_
