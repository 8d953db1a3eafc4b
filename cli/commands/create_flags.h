// The flags of `create` and what they become in a request.
#ifndef CLI_COMMANDS_CREATE_FLAGS_H_
#define CLI_COMMANDS_CREATE_FLAGS_H_

#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cli/args/environment.h"
#include "cli/args/flags.h"
#include "machine/v1/drivers.pb.h"
#include "machine/v1/machines.pb.h"

namespace machine::cli {

/// Flags of every create; `drivers` are named in the help of --driver.
std::vector<Flag> CommonCreateFlags(const std::vector<std::string>& drivers);

/// A driver's options as flags, by name.
std::vector<Flag> DriverFlags(const machine::v1::DriverInfo& driver);

/// Fills the engine, swarm and TLS options and what to do about failures.
absl::Status FillCommonOptions(const ParsedArgs& args, machine::v1::CreateMachineRequest& request);

/// What FillDriverOptions used to log in to a host that exists.
struct SshLogin {
  /// "the key /home/me/.ssh/id_ed25519"; empty when the driver takes no key.
  std::string used;
};

/// Fills those of the driver's options that are given, reading the files that they name.
/// INVALID_ARGUMENT naming flag and file for a file that cannot be used.
absl::Status FillGivenOptions(const machine::v1::DriverInfo& driver, const ParsedArgs& args,
                              const Environment& env, machine::v1::Machine& machine);

/// Fills the driver's options, reading the files that they name, and leaves to the machine's
/// credential what is among its `credential_options`. `local` says that the orchestrator
/// runs on this host, so that it can use this user's ssh agent.
/// INVALID_ARGUMENT naming the flag and its variable for a required one that is missing, and naming
/// flag and file for a file that cannot be used.
absl::Status FillDriverOptions(const machine::v1::DriverInfo& driver, const ParsedArgs& args,
                               const Environment& env, bool local,
                               const std::set<std::string>& credential_options,
                               machine::v1::CreateMachineRequest& request, SshLogin& login);

}  // namespace machine::cli

#endif  // CLI_COMMANDS_CREATE_FLAGS_H_
