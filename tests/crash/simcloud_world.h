// The real programs with a provider that can be asked what it has: the judge of every crash.
#ifndef TESTS_CRASH_SIMCLOUD_WORLD_H_
#define TESTS_CRASH_SIMCLOUD_WORLD_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "tests/fakes/simcloud/simcloud_process.h"
#include "tests/integration/world.h"

namespace machine::tests {

/// What belongs to one machine: key, rule, disk, address, instance.
inline constexpr size_t kObjectsOfMachine = 5;

class SimCloudWorldTest : public WorldTest {
 protected:
  SimCloudWorldTest();

  /// Starts the provider; every program run from now on knows it.
  void StartProvider(uint64_t seed);
  /// "Running" or "Stopped" as the ledger has it, empty where there is no instance. An error of the
  /// test unless there is one instance with all that belongs to it and nothing else, or nothing.
  std::string StateInLedger();

  std::unique_ptr<fakes::SimCloudProcess> cloud_;
};

}  // namespace machine::tests

#endif  // TESTS_CRASH_SIMCLOUD_WORLD_H_
