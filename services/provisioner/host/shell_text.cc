#include "services/provisioner/host/shell_text.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "services/common/ssh/ssh.h"

namespace machine::provisioner {
namespace {

// Bytes of the well-formed UTF-8 sequence at the start of `text`; 0 where there is none (RFC 3629).
size_t Utf8Length(absl::string_view text) {
  const auto byte = [&text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  size_t length = 0;
  uint8_t low = 0x80;
  uint8_t high = 0xBF;
  if (first >= 0xC2 && first <= 0xDF) {
    length = 2;
  } else if (first >= 0xE0 && first <= 0xEF) {
    length = 3;
    if (first == 0xE0) low = 0xA0;   // Shorter forms exist.
    if (first == 0xED) high = 0x9F;  // Surrogates.
  } else if (first >= 0xF0 && first <= 0xF4) {
    length = 4;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
  }
  if (length == 0 || text.size() < length || byte(1) < low || byte(1) > high) return 0;
  for (size_t i = 2; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  return length;
}

}  // namespace

std::string ShellVariable(absl::string_view name, absl::string_view value) {
  return absl::StrCat(name, "=", common::ShellQuote(value), "\n");
}

std::string PrintableText(absl::string_view text, size_t max_bytes) {
  if (text.size() > max_bytes) text.remove_prefix(text.size() - max_bytes);
  std::string printable;
  printable.reserve(text.size());
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    const auto c = static_cast<uint8_t>(text[0]);
    if (length == 0) {
      printable.push_back('?');
    } else if (length == 1 && (c < 0x20 || c == 0x7F)) {
      if (c == '\n') printable.push_back('\n');
      if (c == '\t') printable.push_back(' ');
    } else {
      printable.append(text.data(), length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return printable;
}

}  // namespace machine::provisioner
