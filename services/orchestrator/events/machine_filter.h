// The filter of ListMachines and WatchMachines.
#ifndef SERVICES_ORCHESTRATOR_EVENTS_MACHINE_FILTER_H_
#define SERVICES_ORCHESTRATOR_EVENTS_MACHINE_FILTER_H_

#include <optional>
#include <string>
#include <utility>
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

  /// From now on only machines fit that also fit one of `any`.
  void RestrictTo(std::vector<MachineFilter> any) { any_ = std::move(any); }

  /// OK for text of at least one term, all of them over labels. INVALID_ARGUMENT as Parse().
  static absl::Status CheckSelector(absl::string_view text);

 private:
  struct Term {
    std::string key;
    std::string value;
    bool negated = false;
  };
  std::vector<Term> terms_;
  std::optional<std::vector<MachineFilter>> any_;
};

/// "Running" for MACHINE_STATE_RUNNING: the word that Docker Machine shows.
std::string StateWord(machine::v1::MachineState state);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_EVENTS_MACHINE_FILTER_H_
