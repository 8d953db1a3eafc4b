// Environment variables as a dependency, so that tests need not change the process's own.
#ifndef CLI_ARGS_ENVIRONMENT_H_
#define CLI_ARGS_ENVIRONMENT_H_

#include <initializer_list>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace machine::cli {

/// The variables a command sees. Thread-safe.
class Environment {
 public:
  virtual ~Environment() = default;

  /// The value of `name`; empty when it is empty or not set, which are the same thing here.
  virtual std::string Get(absl::string_view name) const = 0;
};

/// The process's environment. HOME is the user's folder in the password database where it is not
/// set.
class ProcessEnvironment final : public Environment {
 public:
  std::string Get(absl::string_view name) const override;
};

/// A fixed set of variables.
class FakeEnvironment final : public Environment {
 public:
  FakeEnvironment(std::initializer_list<std::pair<const std::string, std::string>> values = {})
      : values_(values) {}

  void Set(const std::string& name, const std::string& value) { values_[name] = value; }
  std::string Get(absl::string_view name) const override;

 private:
  std::map<std::string, std::string> values_;
};

}  // namespace machine::cli

#endif  // CLI_ARGS_ENVIRONMENT_H_
