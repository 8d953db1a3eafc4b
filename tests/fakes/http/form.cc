#include "tests/fakes/http/form.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_split.h"

namespace machine::fakes {
namespace {

std::string Decoded(absl::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      decoded += absl::HexStringToBytes(text.substr(i + 1, 2));
      i += 2;
    } else {
      decoded += text[i] == '+' ? ' ' : text[i];
    }
  }
  return decoded;
}

}  // namespace

std::map<std::string, std::string> FormFieldsOf(absl::string_view form) {
  std::map<std::string, std::string> fields;
  for (const absl::string_view field : absl::StrSplit(form, '&')) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(field, absl::MaxSplits('=', 1));
    fields[std::string(parts.first)] = Decoded(parts.second);
  }
  return fields;
}

}  // namespace machine::fakes
