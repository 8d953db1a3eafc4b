#include "drivers/sdk/cloud/json.h"

#include "absl/strings/numbers.h"

namespace machine::driver {

Json ParseJson(absl::string_view text) {
  return Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
}

std::string DumpJson(const Json& json) {
  return json.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

const Json& Member(const Json& json, absl::string_view key) {
  static const Json* const kNothing = new Json();
  if (!json.is_object()) return *kNothing;
  const auto it = json.find(std::string(key));
  return it == json.end() ? *kNothing : *it;
}

const Json& Elements(const Json& json, absl::string_view key) {
  static const Json* const kEmpty = new Json(Json::array());
  const Json& member = Member(json, key);
  return member.is_array() ? member : *kEmpty;
}

std::string Text(const Json& json, absl::string_view key) {
  const Json& member = Member(json, key);
  return member.is_string() ? member.get<std::string>() : "";
}

int64_t Number(const Json& json, absl::string_view key) {
  const Json& member = Member(json, key);
  if (member.is_number_integer()) return member.get<int64_t>();
  int64_t number = 0;
  if (member.is_string() && absl::SimpleAtoi(member.get_ref<const std::string&>(), &number)) {
    return number;
  }
  return 0;
}

double Decimal(const Json& json, absl::string_view key) {
  const Json& member = Member(json, key);
  return member.is_number() ? member.get<double>() : 0;
}

bool Flag(const Json& json, absl::string_view key) {
  const Json& member = Member(json, key);
  return member.is_boolean() && member.get<bool>();
}

std::vector<std::string> Texts(const Json& json, absl::string_view key) {
  std::vector<std::string> texts;
  for (const Json& element : Elements(json, key)) {
    if (element.is_string()) texts.push_back(element.get<std::string>());
  }
  return texts;
}

}  // namespace machine::driver
