#include "tests/fakes/openapi/schema.h"

#include <re2/re2.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace machine::fakes {
namespace {

using Json = nlohmann::json;

// Schemas that are part of themselves end here.
constexpr int kMaxDepth = 32;

absl::Status Wrong(absl::string_view where, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(where, " ", what));
}

bool HasType(const Json& value, const std::string& type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "number") return value.is_number();
  if (type == "null") return value.is_null();
  if (type == "integer") {
    return value.is_number_integer() ||
           (value.is_number() && value.get<double>() == std::floor(value.get<double>()));
  }
  return true;
}

std::vector<std::string> TypesOf(const Json& schema) {
  const Json& type = MemberOf(schema, "type");
  if (type.is_string()) return {type.get<std::string>()};
  std::vector<std::string> types;
  if (type.is_array()) {
    for (const Json& each : type) types.push_back(each.get<std::string>());
  }
  return types;
}

}  // namespace

const Json& MemberOf(const Json& json, const std::string& key) {
  static const Json* const kNothing = new Json();
  if (!json.is_object()) return *kNothing;
  const auto it = json.find(key);
  return it == json.end() ? *kNothing : *it;
}

const Json& Resolve(const Json& document, const Json& json) {
  static const Json* const kNothing = new Json();
  const Json* at = &json;
  for (int depth = 0; depth < kMaxDepth; ++depth) {
    const Json& ref = MemberOf(*at, "$ref");
    if (!ref.is_string()) return *at;
    const std::string& text = ref.get_ref<const std::string&>();
    if (!absl::StartsWith(text, "#/")) return *kNothing;
    const Json::json_pointer pointer(text.substr(1));
    if (!document.contains(pointer)) return *kNothing;
    at = &document.at(pointer);
  }
  return *kNothing;
}

absl::Status SchemaChecker::Check(const Json& schema, const Json& value,
                                  const std::string& where) const {
  return CheckKnowing(schema, value, where, {});
}

absl::Status SchemaChecker::CheckText(const Json& schema, const std::string& text,
                                      const std::string& where) const {
  const Json& resolved = Resolve(document_, schema);
  for (const char* const list : {"anyOf", "oneOf"}) {
    const Json& alternatives = MemberOf(resolved, list);
    if (!alternatives.is_array()) continue;
    absl::Status status;
    for (const Json& alternative : alternatives) {
      status = CheckText(alternative, text, where);
      if (status.ok()) return status;
    }
    return status;
  }
  const std::vector<std::string> types = TypesOf(resolved);
  const std::string type = types.empty() ? "string" : types.front();
  if (type == "string") return Check(resolved, text, where);
  if (type == "array") return absl::OkStatus();
  const Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) return Wrong(where, absl::StrCat("is \"", text, "\", not ", type));
  return Check(resolved, value, where);
}

void SchemaChecker::AddNames(const Json& schema, Names& names, int depth) const {
  const Json& resolved = Resolve(document_, schema);
  const Json& properties = MemberOf(resolved, "properties");
  if (properties.is_object()) {
    for (const auto& [name, unused] : properties.items()) names.insert(name);
  }
  const Json& all = MemberOf(resolved, "allOf");
  if (!all.is_array() || depth > kMaxDepth) return;
  for (const Json& part : all) AddNames(part, names, depth + 1);
}

bool SchemaChecker::IsOpen(const Json& schema, int depth) const {
  const Json& resolved = Resolve(document_, schema);
  const Json& additional = MemberOf(resolved, "additionalProperties");
  if (additional.is_object() || (additional.is_boolean() && additional.get<bool>())) return true;
  const Json& all = MemberOf(resolved, "allOf");
  if (all.is_array() && depth < kMaxDepth) {
    // An empty part, as some descriptions have it, says nothing.
    return std::any_of(all.begin(), all.end(), [&](const Json& part) {
      return !Resolve(document_, part).empty() && IsOpen(part, depth + 1);
    });
  }
  return MemberOf(resolved, "properties").is_null() && MemberOf(resolved, "oneOf").is_null() &&
         MemberOf(resolved, "anyOf").is_null();
}

absl::Status SchemaChecker::CheckKnowing(const Json& schema, const Json& value,
                                         const std::string& where, Names known) const {
  const Json& resolved = Resolve(document_, schema);
  if (resolved.is_null()) return Wrong(where, "has a schema that the description lacks");
  if (value.is_null() && MemberOf(resolved, "nullable") == true) return absl::OkStatus();
  AddNames(resolved, known);
  for (const char* const list : {"oneOf", "anyOf"}) {
    const Json& alternatives = MemberOf(resolved, list);
    if (!alternatives.is_array()) continue;
    Names matched;
    absl::Status status = CheckAlternatives(alternatives, value, where, known, matched);
    if (!status.ok()) return status;
    known.insert(matched.begin(), matched.end());
  }
  const Json& all = MemberOf(resolved, "allOf");
  if (all.is_array()) {
    for (const Json& part : all) {
      absl::Status status = CheckKnowing(part, value, where, known);
      if (!status.ok()) return status;
    }
  }
  absl::Status status = CheckType(resolved, value, where);
  if (status.ok()) status = CheckLimits(resolved, value, where);
  if (status.ok() && value.is_object()) status = CheckObject(resolved, value, where, known);
  const Json& items = MemberOf(resolved, "items");
  if (!status.ok() || !value.is_array() || items.is_null()) return status;
  for (size_t i = 0; i < value.size(); ++i) {
    status = Check(items, value[i], absl::StrCat(where, "[", i, "]"));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status SchemaChecker::CheckAlternatives(const Json& alternatives, const Json& value,
                                              const std::string& where, const Names& known,
                                              Names& matched) const {
  absl::Status best;
  std::pair<ptrdiff_t, size_t> best_score = {-1, 0};
  bool found = false;
  for (const Json& alternative : alternatives) {
    Names names;
    AddNames(alternative, names);
    absl::Status status = CheckKnowing(alternative, value, where, known);
    if (status.ok()) {
      matched.merge(names);
      found = true;
      continue;
    }
    // The one that names most of the properties is the one that was meant; else the deepest
    // complaint.
    const auto named =
        !value.is_object()
            ? 0
            : std::count_if(names.begin(), names.end(),
                            [&](const std::string& name) { return value.contains(name); });
    const std::pair<ptrdiff_t, size_t> score = {named, status.message().size()};
    if (score > best_score) {
      best = std::move(status);
      best_score = score;
    }
  }
  return found ? absl::OkStatus() : best;
}

absl::Status SchemaChecker::CheckType(const Json& schema, const Json& value,
                                      const std::string& where) const {
  const std::vector<std::string> types = TypesOf(schema);
  const bool fits = types.empty() || std::any_of(types.begin(), types.end(), [&](const auto& type) {
                      return HasType(value, type);
                    });
  if (!fits) {
    return Wrong(where, absl::StrCat("is ", value.type_name(), ", not ",
                                     absl::StrJoin(types, " or "), ": ", value.dump()));
  }
  const Json& choices = MemberOf(schema, "enum");
  if (choices.is_array() && std::find(choices.begin(), choices.end(), value) == choices.end()) {
    return Wrong(where, absl::StrCat("is ", value.dump(), ", not one of ", choices.dump()));
  }
  return absl::OkStatus();
}

absl::Status SchemaChecker::CheckLimits(const Json& schema, const Json& value,
                                        const std::string& where) const {
  const auto limit = [&schema](const char* name, double& number) {
    const Json& member = MemberOf(schema, name);
    if (!member.is_number()) return false;
    number = member.get<double>();
    return true;
  };
  double number = 0;
  if (value.is_number()) {
    if (limit("minimum", number) && value.get<double>() < number) {
      return Wrong(where, absl::StrCat("is ", value.dump(), ", less than ", number));
    }
    if (limit("maximum", number) && value.get<double>() > number) {
      return Wrong(where, absl::StrCat("is ", value.dump(), ", more than ", number));
    }
    return absl::OkStatus();
  }
  if (value.is_array()) {
    const double size = static_cast<double>(value.size());
    if (limit("minItems", number) && size < number) return Wrong(where, "has too few elements");
    if (limit("maxItems", number) && size > number) return Wrong(where, "has too many elements");
    return absl::OkStatus();
  }
  if (!value.is_string()) return absl::OkStatus();
  const std::string& text = value.get_ref<const std::string&>();
  const double size = static_cast<double>(text.size());
  if (limit("minLength", number) && size < number) return Wrong(where, "is too short");
  if (limit("maxLength", number) && size > number) return Wrong(where, "is too long");
  const Json& pattern = MemberOf(schema, "pattern");
  if (!pattern.is_string()) return absl::OkStatus();
  const RE2 expression(pattern.get<std::string>(), RE2::Quiet);
  // One that RE2 has not (look-ahead) is passed over.
  if (expression.ok() && !RE2::PartialMatch(text, expression)) {
    return Wrong(where, absl::StrCat("is \"", text, "\", which does not match ", pattern.dump()));
  }
  return absl::OkStatus();
}

absl::Status SchemaChecker::CheckObject(const Json& schema, const Json& value,
                                        const std::string& where, const Names& known) const {
  const Json& required = MemberOf(schema, "required");
  if (required.is_array()) {
    for (const Json& name : required) {
      if (!value.contains(name.get<std::string>())) {
        return Wrong(absl::StrCat(where, ".", name.get<std::string>()), "is missing");
      }
    }
  }
  const Json& properties = MemberOf(schema, "properties");
  const Json& additional = MemberOf(schema, "additionalProperties");
  const bool open = IsOpen(schema);
  for (const auto& [name, member] : value.items()) {
    const std::string place = absl::StrCat(where, ".", name);
    const Json& property = MemberOf(properties, name);
    absl::Status status;
    if (!property.is_null()) {
      status = Check(property, member, place);
    } else if (!known.contains(name) && additional.is_object() && !additional.empty()) {
      status = Check(additional, member, place);
    } else if (!known.contains(name) && !open) {
      status = Wrong(place, "is not a property that the description has");
    }
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace machine::fakes
