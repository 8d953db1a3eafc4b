// Reading JSON that somebody else wrote: what is missing or of another type reads as empty.
#ifndef DRIVERS_SDK_CLOUD_JSON_H_
#define DRIVERS_SDK_CLOUD_JSON_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace machine::driver {

using Json = nlohmann::json;

/// A discarded value (Json::is_discarded()) where `text` is no JSON; throws nothing.
Json ParseJson(absl::string_view text);

/// Compact text; bytes that are no UTF-8 are replaced, so that it throws nothing.
std::string DumpJson(const Json& json);

/// Member `key` of an object; null where there is none.
const Json& Member(const Json& json, absl::string_view key);
/// The elements of member `key`; empty where it is no array.
const Json& Elements(const Json& json, absl::string_view key);
/// A text; empty where it is none.
std::string Text(const Json& json, absl::string_view key);
/// A whole number, also one in a text; 0 where it is none.
int64_t Number(const Json& json, absl::string_view key);
/// Any number; 0 where it is none.
double Decimal(const Json& json, absl::string_view key);
bool Flag(const Json& json, absl::string_view key);
/// The texts in array `key`.
std::vector<std::string> Texts(const Json& json, absl::string_view key);

}  // namespace machine::driver

#endif  // DRIVERS_SDK_CLOUD_JSON_H_
