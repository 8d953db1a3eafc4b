#include "cli/args/environment.h"

#include <pwd.h>
#include <unistd.h>

#include <cstdlib>

namespace machine::cli {

std::string ProcessEnvironment::Get(absl::string_view name) const {
  const char* value = std::getenv(std::string(name).c_str());
  if (value != nullptr && *value != '\0') return value;
  if (name != "HOME") return "";
  // Services are often started without it; the user has a folder all the same.
  passwd entry;
  passwd* found = nullptr;
  char buffer[4096];
  if (getpwuid_r(geteuid(), &entry, buffer, sizeof buffer, &found) != 0 || found == nullptr) {
    return "";
  }
  return found->pw_dir;
}

std::string FakeEnvironment::Get(absl::string_view name) const {
  const auto it = values_.find(std::string(name));
  return it == values_.end() ? "" : it->second;
}

}  // namespace machine::cli
