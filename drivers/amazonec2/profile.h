// The shared files of AWS's own tools: ~/.aws/config and ~/.aws/credentials.
// https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
#ifndef DRIVERS_AMAZONEC2_PROFILE_H_
#define DRIVERS_AMAZONEC2_PROFILE_H_

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace machine::driver::amazonec2 {

/// The value of an environment variable; no value where it is not set or empty.
using Environment = std::function<std::optional<std::string>(const char* name)>;

/// That of this process.
std::optional<std::string> ProcessEnvironment(const char* name);

/// Settings of one profile, as "role_arn" to its value. Holds secrets.
using Profile = std::map<std::string, std::string>;

/// All profiles by name.
using Profiles = std::map<std::string, Profile>;

/// Adds what `text` says to `profiles`. In a config file (`is_config`) sections are named
/// "profile NAME" but for "default"; others than profiles are passed over, as are nested settings.
void ParseProfiles(absl::string_view text, bool is_config, Profiles& profiles);

/// The profiles in both files, where AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE say or below
/// HOME; what the credentials file says wins. A file that is not there counts as empty. Errors:
/// those of ReadFile().
absl::StatusOr<Profiles> LoadProfiles(const Environment& environment);

}  // namespace machine::driver::amazonec2

#endif  // DRIVERS_AMAZONEC2_PROFILE_H_
