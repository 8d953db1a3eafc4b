#include "drivers/sdk/cloud/host_files.h"

#include <cstdint>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "services/common/file/file.h"

namespace machine::driver {
namespace {

constexpr int64_t kMaxFileBytes = 1 << 20;

// Without the quotes around it; a text without any ends before " #".
absl::string_view Unquoted(absl::string_view value) {
  if (!value.empty() && (value.front() == '"' || value.front() == '\'')) {
    const size_t end = value.find(value.front(), 1);
    return end == absl::string_view::npos ? value : value.substr(1, end - 1);
  }
  return absl::StripTrailingAsciiWhitespace(value.substr(0, value.find(" #")));
}

}  // namespace

std::optional<std::string> ProcessEnvironment(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

std::string FileSection::Get(const std::string& key) const {
  const auto value = values.find(key);
  return value == values.end() ? "" : value->second;
}

std::vector<FileSection> ParseSections(absl::string_view text) {
  std::vector<FileSection> sections(1);
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[') {
      const size_t begin = line.find_first_not_of("[ ");
      const size_t end = line.find_first_of("] ", begin);
      FileSection& section = sections.emplace_back();
      if (end != absl::string_view::npos)
        section.name = std::string(line.substr(begin, end - begin));
      continue;
    }
    const size_t equals = line.find('=');
    if (equals == absl::string_view::npos) continue;
    const absl::string_view key = absl::StripTrailingAsciiWhitespace(line.substr(0, equals));
    const absl::string_view value = absl::StripLeadingAsciiWhitespace(line.substr(equals + 1));
    sections.back().values[absl::AsciiStrToLower(key)] = std::string(Unquoted(value));
  }
  return sections;
}

absl::StatusOr<std::vector<FileSection>> ReadSections(const std::string& path) {
  const absl::StatusOr<std::string> text = common::ReadFile(path, kMaxFileBytes);
  if (absl::IsNotFound(text.status())) return std::vector<FileSection>();
  if (!text.ok()) return text.status();
  return ParseSections(*text);
}

}  // namespace machine::driver
