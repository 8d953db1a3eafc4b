// The values of a driver's create flags.
#ifndef DRIVERS_SDK_OPTIONS_H_
#define DRIVERS_SDK_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "machine/v1/drivers.pb.h"
#include "machine/v1/machine.pb.h"

namespace machine::driver {

/// One value for each flag of a driver, checked against the schema, with defaults filled in. Made
/// by Flags::Complete(). Asking for a name or a type that the schema does not have is a bug in the
/// driver and ends the process.
class Options {
 public:
  /// Options of no flag.
  Options() = default;

  /// Value of a STRING flag that is not secret; empty when it was not given and has no default.
  const std::string& GetString(absl::string_view name) const;
  /// Value of an INT flag; 0 when it was not given and has no default.
  int64_t GetInt(absl::string_view name) const;
  /// Value of a BOOL flag; false when it was not given.
  bool GetBool(absl::string_view name) const;
  /// Values of a STRING_LIST flag, in order.
  std::vector<std::string> GetList(absl::string_view name) const;
  /// Value of a secret flag. Never put it in a message, a log line or a command line.
  const std::string& GetSecret(absl::string_view name) const;
  /// Whether the flag was given or has a default.
  bool Has(absl::string_view name) const;

  /// For Driver::Validate: the standard form of what was given.
  void SetString(absl::string_view name, absl::string_view value);
  void SetInt(absl::string_view name, int64_t value);

  /// All that have a value, in the order of the schema. Holds secrets.
  std::vector<machine::v1::OptionValue> ToProto() const;

 private:
  friend class Flags;

  struct Entry {
    machine::v1::FlagSpec::Type type;
    bool secret = false;
    bool set = false;
    machine::v1::OptionValue value;
  };

  const Entry& Find(absl::string_view name, machine::v1::FlagSpec::Type type, bool secret) const;
  Entry& FindMutable(absl::string_view name, machine::v1::FlagSpec::Type type);

  std::vector<Entry> entries_;
};

}  // namespace machine::driver

#endif  // DRIVERS_SDK_OPTIONS_H_
