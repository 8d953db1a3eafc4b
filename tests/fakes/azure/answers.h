// How the fake answers, and reads ids.
#ifndef TESTS_FAKES_AZURE_ANSWERS_H_
#define TESTS_FAKES_AZURE_ANSWERS_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/fakes/http/fake_server.h"

namespace machine::fakes::azure_answers {

inline Response Reply(int status, const nlohmann::json& body) {
  return {.status = status, .body = body.dump()};
}

inline nlohmann::json ErrorOf(absl::string_view code, absl::string_view message) {
  return {{"code", std::string(code)}, {"message", std::string(message)}};
}

inline Response Refuse(int status, absl::string_view code, absl::string_view message) {
  return Reply(status, {{"error", ErrorOf(code, message)}});
}

inline Response NoSuch(const Request& request) {
  return Refuse(404, "ResourceNotFound", absl::StrCat("'", request.path, "' was not found."));
}

/// "group/type/name" in lower case, of a path or an id with "/resourceGroups/G/providers/N/T/X";
/// empty where it is none.
inline std::string KeyOf(absl::string_view path) {
  const std::vector<std::string> parts = absl::StrSplit(path, '/');
  for (size_t i = 0; i + 5 < parts.size(); ++i) {
    if (!absl::EqualsIgnoreCase(parts[i], "resourceGroups")) continue;
    return absl::AsciiStrToLower(absl::StrCat(parts[i + 1], "/", parts[i + 4], "/", parts[i + 5]));
  }
  return "";
}

inline void CollectIds(const nlohmann::json& json, std::vector<std::string>& ids) {
  if (!json.is_structured()) return;
  for (const auto& [key, value] : json.items()) {
    if (key == "id" && value.is_string()) ids.push_back(value);
    CollectIds(value, ids);
  }
}

/// The ids that a resource refers to.
inline std::vector<std::string> ReferencesOf(const nlohmann::json& resource) {
  std::vector<std::string> ids;
  CollectIds(resource.value("properties", nlohmann::json::object()), ids);
  return ids;
}

}  // namespace machine::fakes::azure_answers

#endif  // TESTS_FAKES_AZURE_ANSWERS_H_
