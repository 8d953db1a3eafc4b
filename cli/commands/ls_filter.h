// The --filter conditions of `ls`.
#ifndef CLI_COMMANDS_LS_FILTER_H_
#define CLI_COMMANDS_LS_FILTER_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "machine/v1/machine.pb.h"
#include "re2/re2.h"

namespace machine::cli {

/// Conditions on machines: those of one key are alternatives, those of several keys must all hold.
class LsFilter {
 public:
  /// From "driver=…", "swarm=…", "state=…", "name=REGEX", "label=KEY[=VALUE]".
  static absl::StatusOr<LsFilter> Parse(const std::vector<std::string>& conditions);

  /// `swarm` is the name of the master of the machine's swarm, if it is in one.
  bool Matches(const machine::v1::Machine& machine, absl::string_view swarm) const;

 private:
  // Lower-cased, but for names.
  std::map<std::string, std::vector<std::string>> values_;
  std::vector<std::shared_ptr<const RE2>> names_;
};

}  // namespace machine::cli

#endif  // CLI_COMMANDS_LS_FILTER_H_
