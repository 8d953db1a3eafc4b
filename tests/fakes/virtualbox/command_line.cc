#include "tests/fakes/virtualbox/command_line.h"

#include "absl/strings/match.h"

namespace machine::fakes {

CommandLine::CommandLine(std::vector<std::string> words,
                         const std::map<std::string, Takes>& options) {
  size_t at = 0;
  const auto next = [&](const std::string& option) {
    if (at >= words.size()) throw Refused("Missing argument for option: " + option, "");
    return words[at++];
  };
  while (at < words.size()) {
    std::string word = words[at++];
    if (!absl::StartsWith(word, "--")) {
      operands_.push_back(word);
      continue;
    }
    const size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const auto known = options.find(name);
    if (known == options.end()) throw Refused("Unknown option: " + name, "");
    std::vector<std::string> values;
    if (known->second != Takes::kNothing) {
      values.push_back(equals == std::string::npos ? next(name) : word.substr(equals + 1));
    } else if (equals != std::string::npos) {
      throw Refused("Unknown option: " + word, "");
    }
    const bool more = (known->second == Takes::kTwoWords && values[0] != "off") ||
                      (known->second == Takes::kUartMode && values[0] != "disconnected") ||
                      (known->second == Takes::kNatRule && values[0] == "delete");
    if (more) values.push_back(next(name));
    options_.emplace_back(name, std::move(values));
  }
}

bool CommandLine::Has(const std::string& option) const {
  for (const auto& [name, values] : options_) {
    if (name == option) return true;
  }
  return false;
}

std::string CommandLine::Get(const std::string& option) const {
  for (const auto& [name, values] : options_) {
    if (name == option && !values.empty()) return values[0];
  }
  throw Refused("Parameter " + option + " is required", "");
}

std::string CommandLine::GetOr(const std::string& option, const std::string& otherwise) const {
  return Has(option) ? Get(option) : otherwise;
}

const std::string& CommandLine::Operand(size_t index) const {
  if (index >= operands_.size()) throw Refused("Not enough parameters", "");
  return operands_[index];
}

}  // namespace machine::fakes
