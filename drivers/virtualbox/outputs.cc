#include "drivers/virtualbox/outputs.h"

#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace machine::driver::virtualbox {
namespace {

bool IsDigit(char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); }

std::vector<absl::string_view> Lines(absl::string_view text) {
  std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  for (absl::string_view& line : lines) line = absl::StripSuffix(line, "\r");
  return lines;
}

// Takes a number off the front.
std::optional<int> TakeNumber(absl::string_view& text) {
  size_t size = 0;
  while (size < text.size() && IsDigit(text[size])) ++size;
  int number = 0;
  if (!absl::SimpleAtoi(text.substr(0, size), &number)) return std::nullopt;
  text.remove_prefix(size);
  return number;
}

// Reads what follows an opening quote. No value when the quote is not closed at the end of `line`;
// `value` holds what there was then.
bool ReadQuoted(absl::string_view line, std::string& value) {
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\' && i + 1 < line.size() && (line[i + 1] == '"' || line[i + 1] == '\\')) {
      value.push_back(line[++i]);
      continue;
    }
    // Older versions do not mark a quote within the value: the one that ends it ends the line.
    if (line[i] == '"' && i + 1 == line.size()) return true;
    value.push_back(line[i]);
  }
  return false;
}

// Takes key= off the front of `line`, with or without quotes around the key.
std::optional<std::string> TakeKey(absl::string_view& line) {
  std::string key;
  if (absl::ConsumePrefix(&line, "\"")) {
    const size_t end = line.find("\"=");
    if (end == absl::string_view::npos || end == 0) return std::nullopt;
    key = std::string(line.substr(0, end));
    line.remove_prefix(end + 2);
    return key;
  }
  const size_t end = line.find('=');
  if (end == absl::string_view::npos || end == 0) return std::nullopt;
  key = std::string(line.substr(0, end));
  // A sentence with an equals sign is no pair.
  if (key.find_first_of(" \t\"") != std::string::npos) return std::nullopt;
  line.remove_prefix(end + 1);
  return key;
}

}  // namespace

absl::StatusOr<Version> ParseVersion(absl::string_view text) {
  std::optional<Version> found;
  for (absl::string_view line : Lines(text)) {
    line = absl::StripAsciiWhitespace(line);
    const std::optional<int> major = TakeNumber(line);
    if (!major.has_value() || !absl::ConsumePrefix(&line, ".")) continue;
    const std::optional<int> minor = TakeNumber(line);
    if (!minor.has_value() || line.empty() || line.front() != '.') continue;
    found = Version{*major, *minor};
  }
  if (found.has_value()) return *found;
  return absl::FailedPreconditionError(
      absl::StrCat("VBoxManage --version printed no version: \"", text.substr(0, 200), "\""));
}

const std::string& FieldOf(const Fields& fields, absl::string_view key) {
  static const std::string* const kNone = new std::string();
  const auto it = fields.find(std::string(key));
  return it == fields.end() ? *kNone : it->second;
}

Fields ParseMachineReadable(absl::string_view text) {
  Fields fields;
  const std::vector<absl::string_view> lines = Lines(text);
  for (size_t i = 0; i < lines.size(); ++i) {
    absl::string_view rest = lines[i];
    std::optional<std::string> key = TakeKey(rest);
    if (!key.has_value()) continue;
    std::string value;
    if (!absl::ConsumePrefix(&rest, "\"")) {
      fields.emplace(*std::move(key), std::string(rest));
      continue;
    }
    bool closed = ReadQuoted(rest, value);
    std::string longer = value;
    for (size_t next = i + 1; !closed && next < lines.size(); ++next) {
      longer.push_back('\n');
      closed = ReadQuoted(lines[next], longer);
      if (!closed) continue;
      value = std::move(longer);
      i = next;
    }
    fields.emplace(*std::move(key), std::move(value));
  }
  return fields;
}

std::vector<Fields> ParseGroups(absl::string_view text) {
  std::vector<Fields> groups;
  bool fresh = true;
  for (const absl::string_view line : Lines(text)) {
    if (absl::StripAsciiWhitespace(line).empty()) {
      fresh = true;
      continue;
    }
    const size_t colon = line.find(':');
    if (colon == absl::string_view::npos || colon == 0 || line.front() == ' ' ||
        line.front() == '\t') {
      continue;
    }
    if (fresh) groups.emplace_back();
    fresh = false;
    groups.back().emplace(std::string(line.substr(0, colon)),
                          std::string(absl::StripAsciiWhitespace(line.substr(colon + 1))));
  }
  return groups;
}

std::vector<ListedVm> ParseVmList(absl::string_view text) {
  std::vector<ListedVm> vms;
  for (absl::string_view line : Lines(text)) {
    line = absl::StripAsciiWhitespace(line);
    const size_t brace = line.rfind("\" {");
    if (brace == absl::string_view::npos || brace == 0 || line.front() != '"' ||
        line.back() != '}') {
      continue;
    }
    absl::string_view uuid = line.substr(brace + 3);
    uuid.remove_suffix(1);
    vms.push_back({std::string(line.substr(1, brace - 1)), absl::AsciiStrToLower(uuid)});
  }
  return vms;
}

std::set<int> NumbersAfter(absl::string_view text, absl::string_view word) {
  std::set<int> numbers;
  for (size_t at = text.find(word); at != absl::string_view::npos; at = text.find(word, at + 1)) {
    absl::string_view rest = text.substr(at + word.size());
    if (const std::optional<int> number = TakeNumber(rest); number.has_value()) {
      numbers.insert(*number);
    }
  }
  return numbers;
}

std::string ParseValue(absl::string_view text) {
  for (absl::string_view line : Lines(text)) {
    if (absl::ConsumePrefix(&line, "Value:")) {
      return std::string(absl::StripAsciiWhitespace(line));
    }
  }
  return "";
}

}  // namespace machine::driver::virtualbox
