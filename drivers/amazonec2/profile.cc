#include "drivers/amazonec2/profile.h"

#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "services/common/file/file.h"
#include "services/common/status/status.h"

namespace machine::driver::amazonec2 {
namespace {

constexpr int64_t kMaxFileBytes = 1 << 20;

// The profile that a section "[…]" begins; no value for a section of another kind.
std::optional<std::string> ProfileOfSection(absl::string_view line, bool is_config) {
  const size_t end = line.find(']');
  if (end == absl::string_view::npos) return std::nullopt;
  absl::string_view name = absl::StripAsciiWhitespace(line.substr(1, end - 1));
  if (!is_config || name == "default") return std::string(name);
  if (!absl::ConsumePrefix(&name, "profile ") && !absl::ConsumePrefix(&name, "profile\t")) {
    return std::nullopt;
  }
  return std::string(absl::StripAsciiWhitespace(name));
}

absl::Status AddFile(const std::string& path, bool is_config, Profiles& profiles) {
  const absl::StatusOr<std::string> text = common::ReadFile(path, kMaxFileBytes);
  if (absl::IsNotFound(text.status())) return absl::OkStatus();
  if (!text.ok()) return text.status();
  ParseProfiles(*text, is_config, profiles);
  return absl::OkStatus();
}

}  // namespace

std::optional<std::string> ProcessEnvironment(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

void ParseProfiles(absl::string_view text, bool is_config, Profiles& profiles) {
  Profile* profile = nullptr;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const absl::string_view trimmed = absl::StripAsciiWhitespace(line);
    if (trimmed.empty() || trimmed[0] == '#' || trimmed[0] == ';') continue;
    if (trimmed[0] == '[') {
      const std::optional<std::string> name = ProfileOfSection(trimmed, is_config);
      profile = name.has_value() ? &profiles[*name] : nullptr;
      continue;
    }
    const size_t equals = trimmed.find('=');
    // An indented line belongs to the setting above it.
    const bool nested = absl::ascii_isspace(static_cast<unsigned char>(line[0]));
    if (profile == nullptr || nested || equals == absl::string_view::npos) continue;
    const std::string key(absl::StripTrailingAsciiWhitespace(trimmed.substr(0, equals)));
    absl::string_view value = absl::StripLeadingAsciiWhitespace(trimmed.substr(equals + 1));
    if (const size_t comment = value.find(" #"); comment != absl::string_view::npos) {
      value = absl::StripTrailingAsciiWhitespace(value.substr(0, comment));
    }
    (*profile)[absl::AsciiStrToLower(key)] = std::string(value);
  }
}

absl::StatusOr<Profiles> LoadProfiles(const Environment& environment) {
  const std::string home = environment("HOME").value_or("/nonexistent");
  Profiles profiles;
  DM_RETURN_IF_ERROR(
      AddFile(environment("AWS_CONFIG_FILE").value_or(absl::StrCat(home, "/.aws/config")),
              /*is_config=*/true, profiles));
  DM_RETURN_IF_ERROR(AddFile(
      environment("AWS_SHARED_CREDENTIALS_FILE").value_or(absl::StrCat(home, "/.aws/credentials")),
      /*is_config=*/false, profiles));
  return profiles;
}

}  // namespace machine::driver::amazonec2
