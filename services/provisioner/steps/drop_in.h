// The provisioner's own systemd drop-in for the engine.
#ifndef SERVICES_PROVISIONER_STEPS_DROP_IN_H_
#define SERVICES_PROVISIONER_STEPS_DROP_IN_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/provisioner/detect/facts.h"
#include "services/provisioner/steps/engine_settings.h"

namespace machine::provisioner {

/// The text of 10-machine.conf: the installed unit's own ExecStart, so that the engine's path and
/// what the distribution or administrator gave it stay, plus where to listen, plus the options that
/// daemon.json does not know. What daemon.json gets of us is taken out of the command line: dockerd
/// refuses an option given in both places. With `lists_hosts` that holds for its addresses, too. A
/// variable of the unit with such an option, as $OPTIONS may be, is replaced by the rest of what it
/// holds.
///
/// Without a socket unit to take a listener from, the engine opens its local socket by itself.
/// FAILED_PRECONDITION HOST_COMMAND_FAILED when the host has an engine but no unit to start it.
absl::StatusOr<std::string> RenderDropIn(const Facts& facts, const EngineSettings& settings,
                                         bool lists_hosts);

/// `text` as one word of a command line in a unit, where % and $ mean themselves.
std::string SystemdWord(absl::string_view text);

/// `text` as one word of Environment=, where % means itself.
std::string SystemdAssignment(absl::string_view text);

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_STEPS_DROP_IN_H_
