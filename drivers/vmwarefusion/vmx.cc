#include "drivers/vmwarefusion/vmx.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace machine::driver::vmwarefusion {
namespace {

constexpr char kMark = '|';

std::string Escape(absl::string_view value) {
  std::string text;
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    const bool special = c == '"' || c == kMark || byte < ' ';
    absl::StrAppend(&text, special ? absl::StrFormat("|%02X", byte) : std::string(1, c));
  }
  return text;
}

std::string Unescape(absl::string_view text) {
  std::string value;
  for (size_t i = 0; i < text.size(); ++i) {
    uint32_t byte = 0;
    if (text[i] == kMark && i + 2 < text.size() &&
        absl::SimpleHexAtoi(text.substr(i + 1, 2), &byte)) {
      value.push_back(static_cast<char>(byte));
      i += 2;
    } else {
      value.push_back(text[i]);
    }
  }
  return value;
}

}  // namespace

std::string WriteVmx(const Vmx& vmx) {
  // The encoding comes first, as it is about the rest.
  std::string text = ".encoding = \"UTF-8\"\n";
  for (const auto& [name, value] : vmx) {
    absl::StrAppend(&text, name, " = \"", Escape(value), "\"\n");
  }
  return text;
}

Vmx ParseVmx(absl::string_view text) {
  Vmx vmx;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    const size_t equals = line.find('=');
    if (line.empty() || line.front() == '#' || equals == absl::string_view::npos) continue;
    const absl::string_view name = absl::StripAsciiWhitespace(line.substr(0, equals));
    absl::string_view value = absl::StripAsciiWhitespace(line.substr(equals + 1));
    if (name.empty()) continue;
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
      value = value.substr(1, value.size() - 2);
    }
    vmx[absl::AsciiStrToLower(name)] = Unescape(value);
  }
  return vmx;
}

}  // namespace machine::driver::vmwarefusion
