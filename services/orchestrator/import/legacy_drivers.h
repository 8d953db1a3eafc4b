// What the original's drivers wrote into config.json, and which options of ours mean the same.
#ifndef SERVICES_ORCHESTRATOR_IMPORT_LEGACY_DRIVERS_H_
#define SERVICES_ORCHESTRATOR_IMPORT_LEGACY_DRIVERS_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "machine/v1/drivers.pb.h"
#include "machine/v1/machine.pb.h"

namespace machine::orchestrator {

/// How a field's value becomes an option's.
enum class LegacyType { kString, kSecret, kInt, kBool, kList };

/// A field of `Driver` in config.json.
struct LegacyField {
  /// Name in config.json; "Client.User" is a field of the object "Client".
  absl::string_view field;
  /// Name of the option, without dashes.
  absl::string_view option;
  LegacyType type = LegacyType::kString;
  /// Left out where this other field has a value: the original filled in both.
  absl::string_view unless = {};
};

/// A driver of the original.
struct LegacyDriver {
  /// As in DriverName.
  absl::string_view name;
  /// Of our driver for the same provider.
  absl::string_view ours;
  /// Login name where SSHUser is empty.
  absl::string_view ssh_user;
  absl::Span<const LegacyField> fields;
  /// Field with the address.
  absl::string_view ip_field = "IPAddress";
  /// Field with the provider's id of the instance; empty where it is found by the machine's name.
  absl::string_view id_field = {};
  /// The id is a number.
  bool id_is_number = false;
  /// Field with the engine's port; empty where that is always 2376.
  absl::string_view port_field = {};
  /// Logs in to a port of this host that the hypervisor forwards.
  bool ssh_on_loopback = false;
};

/// Null for a driver that was none of the original's own.
const LegacyDriver* FindLegacyDriver(absl::string_view name);
/// By the name of our driver.
const LegacyDriver* FindLegacyDriverOfOurs(absl::string_view name);

/// The value of a field, dots included; null where there is none.
const nlohmann::ordered_json* FindLegacyField(const nlohmann::ordered_json& fields,
                                              absl::string_view name);
/// The same as text; empty where there is none or it is no text.
std::string LegacyText(const nlohmann::ordered_json& fields, absl::string_view name);
/// The same as a number, which may be written as text; 0 where there is none.
int64_t LegacyInt(const nlohmann::ordered_json& fields, absl::string_view name);

/// Options of our driver from the fields of the original's. Secrets are secret_values. `flags`, of
/// our driver, decide on types and on which names it knows; without them the table does. What is
/// left out for want of such an option is added to `warnings` by name, never with its value.
std::vector<machine::v1::OptionValue> OptionsOfLegacy(const LegacyDriver& driver,
                                                      const nlohmann::ordered_json& fields,
                                                      absl::Span<const machine::v1::FlagSpec> flags,
                                                      std::vector<std::string>& warnings);

/// Puts `options`, secrets included, into `fields` under the original's names.
void PutLegacyOptions(const LegacyDriver& driver,
                      absl::Span<const machine::v1::OptionValue> options,
                      nlohmann::ordered_json& fields);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_IMPORT_LEGACY_DRIVERS_H_
