// The filter of ListMachines and WatchMachines.
#ifndef SERVICES_ORCHESTRATOR_EVENTS_MACHINE_FILTER_H_
#define SERVICES_ORCHESTRATOR_EVENTS_MACHINE_FILTER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "machine/v1/machine.pb.h"

namespace machine::orchestrator {

/// Terms over `driver`, `state`, `name`, `labels.KEY` with = or !=, joined by AND. Values with
/// other characters than [A-Za-z0-9._-] stand in double quotes, where \ escapes the next character.
/// States are the words of Docker Machine ("Running") or of the enum, without regard to case.
class MachineFilter {
 public:
  /// Errors: INVALID_ARGUMENT that says where and what was expected. Empty text fits everything.
  static absl::StatusOr<MachineFilter> Parse(absl::string_view text);

  bool Fits(const machine::v1::Machine& machine) const;

 private:
  struct Term {
    std::string key;
    std::string value;
    bool negated = false;
  };
  std::vector<Term> terms_;
};

/// "Running" for MACHINE_STATE_RUNNING: the word that Docker Machine shows.
std::string StateWord(machine::v1::MachineState state);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_EVENTS_MACHINE_FILTER_H_
