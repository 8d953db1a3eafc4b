#include "cli/commands/ls_filter.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/commands/machines.h"
#include "services/common/legacy/driver_name.h"
#include "services/common/legacy/machine_config.h"

namespace machine::cli {
namespace {

using machine::v1::Machine;

bool AnyEquals(const std::vector<std::string>& values, absl::string_view text) {
  return std::any_of(values.begin(), values.end(),
                     [&](const std::string& value) { return absl::EqualsIgnoreCase(value, text); });
}

bool HasLabel(const Machine& machine, absl::string_view wanted) {
  const auto matches = [&](absl::string_view label) {
    return absl::EqualsIgnoreCase(label, wanted) ||
           absl::EqualsIgnoreCase(label.substr(0, label.find('=')), wanted);
  };
  for (const std::string& label : machine.engine().labels()) {
    if (matches(label)) return true;
  }
  for (const auto& [key, value] : machine.labels()) {
    if (matches(absl::StrCat(key, "=", value))) return true;
  }
  // Every engine has this one, whether it was asked for or not.
  return matches(absl::StrCat("provider=", machine.driver()));
}

}  // namespace

absl::StatusOr<LsFilter> LsFilter::Parse(const std::vector<std::string>& conditions) {
  LsFilter filter;
  for (const std::string& condition : conditions) {
    const size_t equals = condition.find('=');
    if (equals == std::string::npos) {
      return absl::InvalidArgumentError("Unsupported filter syntax");
    }
    const std::string key = absl::AsciiStrToLower(condition.substr(0, equals));
    const std::string value = condition.substr(equals + 1);
    if (key == "name") {
      auto name = std::make_shared<const RE2>(value, RE2::Quiet);
      if (!name->ok()) {
        return absl::InvalidArgumentError(
            absl::StrCat("Unsupported filter syntax: name=", value, ": ", name->error()));
      }
      filter.names_.push_back(std::move(name));
    } else if (key == "driver" || key == "swarm" || key == "state" || key == "label") {
      filter.values_[key].push_back(key == "driver" ? common::DriverNameHere(value) : value);
    } else {
      return absl::InvalidArgumentError(absl::StrCat("Unsupported filter key '", key, "'"));
    }
  }
  return filter;
}

bool LsFilter::Matches(const Machine& machine, absl::string_view swarm) const {
  for (const auto& [key, values] : values_) {
    const bool matches =
        key == "driver"  ? AnyEquals(values, machine.driver())
        : key == "state" ? AnyEquals(values, StateWord(machine.state()))
        : key == "swarm" ? !swarm.empty() && AnyEquals(values, swarm)
                         : std::any_of(values.begin(), values.end(), [&](const std::string& value) {
                             return HasLabel(machine, value);
                           });
    if (!matches) return false;
  }
  const std::string id(common::MachineId(machine.name()));
  return names_.empty() || std::any_of(names_.begin(), names_.end(), [&](const auto& name) {
           return RE2::PartialMatch(id, *name);
         });
}

}  // namespace machine::cli
