// What several commands ask about machines.
#ifndef CLI_COMMANDS_MACHINES_H_
#define CLI_COMMANDS_MACHINES_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cli/commands/command.h"
#include "machine/v1/machine.pb.h"
#include "machine/v1/machines.grpc.pb.h"

namespace machine::cli {

/// How old a fact may be that a command prints: the orchestrator keeps them fresher than this
/// anyway, but one that has just been started must ask.
inline constexpr absl::Duration kMaxAge = absl::Minutes(1);
/// The same for `status`, whose only purpose is the state.
inline constexpr absl::Duration kMaxStateAge = absl::Seconds(5);

/// How many characters a machine's name can have.
inline constexpr size_t kMaxMachineName = 128;

/// A name that a machine can have: letters, digits, '-' and '.', the first one a letter or digit,
/// not too many.
bool IsMachineName(absl::string_view name);

/// "machines/dev".
std::string ResourceName(absl::string_view machine);

/// The word for a state, as `ls` and `status` print it; "" for one not known yet.
absl::string_view StateWord(machine::v1::MachineState state);

/// Whether a machine in this state is switched off, so that nothing on it answers.
bool IsOff(machine::v1::MachineState state);

struct ReadOptions {
  /// Fields of Machine; empty means all.
  std::vector<std::string> fields;
  /// How old the facts may be.
  absl::Duration max_age = absl::InfiniteDuration();
  /// Ask the provider whatever the age.
  bool live = false;
};

/// One machine, or the error to print.
absl::StatusOr<machine::v1::Machine> GetMachine(CommandContext& context, absl::string_view machine,
                                                const ReadOptions& options);

/// All machines in natural order. `timeout` is what --timeout says. INVALID_ARGUMENT when it is
/// negative.
absl::StatusOr<std::vector<machine::v1::Machine>> ListMachines(
    CommandContext& context, const std::vector<std::string>& fields, absl::Duration max_age,
    absl::Duration timeout);

/// The machine that a command without a name means: the one that DOCKER_HOST points to, else the
/// one called "default".
absl::StatusOr<std::string> DefaultMachine(CommandContext& context);

/// The one name in `operands`, or the default; an error when there are more.
absl::StatusOr<std::string> OneMachine(CommandContext& context,
                                       const std::vector<std::string>& operands);

/// The names in `operands`, or the default.
absl::StatusOr<std::vector<std::string>> SomeMachines(CommandContext& context,
                                                      const std::vector<std::string>& operands);

/// The address under which a swarm's master answers, from the machine's options and `docker_url`;
/// empty when it is no master.
std::string SwarmMasterUrl(const machine::v1::Machine& machine);

/// Whether DOCKER_HOST `docker_host` means this machine.
bool IsActive(const machine::v1::Machine& machine, absl::string_view docker_host);

/// Calls `run(0)` … `run(count - 1)`, several at once, and returns when all have returned.
void ForEachAtOnce(size_t count, const std::function<void(size_t)>& run);

}  // namespace machine::cli

#endif  // CLI_COMMANDS_MACHINES_H_
