// What a killed driver may leave: one machine or none, which the next driver finishes or removes.
#ifndef DRIVERS_SDK_CONFORMANCE_KILL_TESTS_H_
#define DRIVERS_SDK_CONFORMANCE_KILL_TESTS_H_

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "drivers/sdk/conformance/driver_under_test.h"
#include "tests/fakes/killer/driver_killer.h"

namespace machine::driver::conformance {

/// The driver's provider, seen from outside.
struct KillWorld {
  /// How many machines of `uid` run.
  std::function<size_t(const std::string& uid)> running;
  /// Everything there is of `uid`: machines, files. Empty when all of it is gone.
  std::function<std::vector<std::string>(const std::string& uid)> left;
};

// Each fails the running test. They start `driver` as they need it.

/// After each of the first `events` events of a create.
void ExpectKillsBetweenEventsAreMended(DriverUnderTest& driver, const KillWorld& world, int events);

/// Before and after the effect of a create and of a remove, and when the answer is on its way.
void ExpectKillsAroundEffectsAreMended(DriverUnderTest& driver, const KillWorld& world);

/// When a stop, a start, a kill, a restart and a remove have begun (their first event), at the
/// second event of a restart, before and after the effect of each, and when the answer is on its
/// way. What the next driver says of the machine is what `world` sees, and it does the same to the
/// end.
void ExpectKillsInPowerAreMended(DriverUnderTest& driver, const KillWorld& world);

/// At each call of a tool in a create and in a remove, before or after the tool's own effect in
/// turn.
void ExpectKillsAtToolCallsAreMended(DriverUnderTest& driver, const KillWorld& world,
                                     const fakes::KillOrder& order);

}  // namespace machine::driver::conformance

#endif  // DRIVERS_SDK_CONFORMANCE_KILL_TESTS_H_
