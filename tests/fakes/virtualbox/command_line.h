#ifndef TESTS_FAKES_VIRTUALBOX_COMMAND_LINE_H_
#define TESTS_FAKES_VIRTUALBOX_COMMAND_LINE_H_

#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace machine::fakes {

/// The end of the fake with what VBoxManage would print.
struct Refused : std::runtime_error {
  /// `code` is one of the COM result codes' names; empty for an error of syntax.
  Refused(const std::string& words, std::string its_code)
      : std::runtime_error(words), code(std::move(its_code)) {}
  const std::string code;
};

/// What an option takes: none, one word, or (RTGetOpt's second fetch) one or more by its value.
enum class Takes { kNothing, kWord, kTwoWords, kUartMode, kNatRule };

/// The words after a command, by the options that it has; others are refused as VBoxManage does.
class CommandLine {
 public:
  CommandLine(std::vector<std::string> words, const std::map<std::string, Takes>& options);

  const std::vector<std::string>& operands() const { return operands_; }
  /// Options with their values, in order.
  const std::vector<std::pair<std::string, std::vector<std::string>>>& options() const {
    return options_;
  }
  bool Has(const std::string& option) const;
  /// The first value of an option; refused when it was not given.
  std::string Get(const std::string& option) const;
  std::string GetOr(const std::string& option, const std::string& otherwise) const;
  /// Refuses another number of operands.
  const std::string& Operand(size_t index) const;

 private:
  std::vector<std::string> operands_;
  std::vector<std::pair<std::string, std::vector<std::string>>> options_;
};

}  // namespace machine::fakes

#endif  // TESTS_FAKES_VIRTUALBOX_COMMAND_LINE_H_
