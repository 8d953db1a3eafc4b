// The create flags of a driver, and the check of options against them.
//
//   return Flags()
//       .String("generic-ip-address").Usage("IP Address of machine").Env("GENERIC_IP_ADDRESS")
//       .Required()
//       .Int("generic-ssh-port").Usage("SSH port").Env("GENERIC_SSH_PORT").Default(22)
//       .Range(1, 65535);
#ifndef DRIVERS_SDK_FLAGS_H_
#define DRIVERS_SDK_FLAGS_H_

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "drivers/sdk/options.h"
#include "machine/v1/drivers.pb.h"
#include "machine/v1/machine.pb.h"

namespace machine::driver {

/// A list of flags, in the order for help. String(), Int(), Bool() and StringList() add one; all
/// other calls describe the one added last.
class Flags {
 public:
  /// Adds a flag; `name` without dashes.
  Flags& String(absl::string_view name);
  Flags& Int(absl::string_view name);
  Flags& Bool(absl::string_view name);
  Flags& StringList(absl::string_view name);

  /// One sentence for help, without a full stop.
  Flags& Usage(absl::string_view usage);
  /// An environment variable that gives the value; of several, the first that is set wins.
  Flags& Env(absl::string_view name);
  Flags& Default(absl::string_view value);
  Flags& Default(int64_t value);
  /// A BOOL flag is true unless it is given as false.
  Flags& DefaultTrue();
  /// A create without it is refused. A flag with a default is never missing.
  Flags& Required();
  /// Its value is never shown nor stored unsealed; read it by Options::GetSecret.
  Flags& Secret();
  /// The only values allowed.
  Flags& OneOf(std::initializer_list<absl::string_view> values);
  /// The least and the greatest number allowed.
  Flags& Range(int64_t least, int64_t greatest);
  /// Unit of a number, for example "MiB".
  Flags& Unit(absl::string_view unit);
  /// Another name of the same flag.
  Flags& Alias(absl::string_view name);
  /// Retired: what to use instead.
  Flags& DeprecatedBy(absl::string_view advice);
  /// The value is the path of a file on the client's host, whose text arrives as the STRING option
  /// `option`, which must be a flag of its own.
  Flags& ContentTo(absl::string_view option);
  /// The value is the path of a private key on the client's host, which arrives as
  /// MachineSpec::ssh_private_key.
  Flags& SshPrivateKey();

  const std::vector<machine::v1::FlagSpec>& specs() const { return specs_; }

  /// Which faults of options count.
  enum class Strictness {
    /// For a create: unknown names and missing required ones are refused.
    kCreate,
    /// For a machine that exists, perhaps made by another version of the driver: such faults are
    /// passed over, so that it can still be removed.
    kExisting,
  };

  /// The options with names, types and values checked, aliases resolved and defaults filled in.
  /// Errors: INVALID_ARGUMENT naming the flag, with UNKNOWN_DRIVER_OPTION or OPTION_OUT_OF_RANGE.
  /// `driver` is its name, for messages.
  absl::StatusOr<Options> Complete(absl::string_view driver,
                                   absl::Span<const machine::v1::OptionValue> values,
                                   Strictness strictness) const;

  /// INVALID_ARGUMENT naming what is wrong with the schema itself: a name twice, an empty usage, a
  /// default that is not allowed.
  absl::Status CheckSchema() const;

 private:
  struct Limits {
    int64_t least;
    int64_t greatest;
  };

  Flags& Add(absl::string_view name, machine::v1::FlagSpec::Type type);
  std::optional<size_t> IndexOf(absl::string_view name) const;
  absl::Status CheckValue(size_t index, const machine::v1::OptionValue& value) const;
  absl::Status CheckText(size_t index, absl::string_view value) const;

  std::vector<machine::v1::FlagSpec> specs_;
  std::vector<std::optional<Limits>> limits_;
};

}  // namespace machine::driver

#endif  // DRIVERS_SDK_FLAGS_H_
