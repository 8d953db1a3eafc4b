#include "cli/args/environment.h"

#include <cstdlib>

namespace machine::cli {

std::string ProcessEnvironment::Get(absl::string_view name) const {
  const char* value = std::getenv(std::string(name).c_str());
  return value == nullptr ? "" : value;
}

std::string FakeEnvironment::Get(absl::string_view name) const {
  const auto it = values_.find(std::string(name));
  return it == values_.end() ? "" : it->second;
}

}  // namespace machine::cli
