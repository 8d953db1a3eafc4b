// What a provider's own tools have left on the driver's host: variables, and files of accounts.
#ifndef DRIVERS_SDK_CLOUD_HOST_FILES_H_
#define DRIVERS_SDK_CLOUD_HOST_FILES_H_

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace machine::driver {

/// The value of an environment variable; no value where it is not set or empty.
using Environment = std::function<std::optional<std::string>(const char* name)>;

/// That of this process.
std::optional<std::string> ProcessEnvironment(const char* name);

/// A section of a file of accounts. Holds secrets.
struct FileSection {
  /// Empty for what comes before the first one.
  std::string name;
  /// By name in lower case.
  std::map<std::string, std::string> values;

  /// Empty where there is none.
  std::string Get(const std::string& key) const;
};

/// The sections of an INI file ("[name]", "key = value"), and of a TOML file as far as tools of
/// providers use it ("[[name]]", texts in quotes), in order. Lines that begin with "#" or ";" are
/// comments; what is of another form is passed over.
std::vector<FileSection> ParseSections(absl::string_view text);

/// The same of a file; none where it is not there. Errors: those of ReadFile().
absl::StatusOr<std::vector<FileSection>> ReadSections(const std::string& path);

}  // namespace machine::driver

#endif  // DRIVERS_SDK_CLOUD_HOST_FILES_H_
