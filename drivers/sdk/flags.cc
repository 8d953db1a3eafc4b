#include "drivers/sdk/flags.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "drivers/sdk/errors.h"
#include "services/common/status/status.h"

namespace machine::driver {
namespace {

using machine::v1::FlagSpec;
using machine::v1::OptionValue;

absl::string_view TypeText(FlagSpec::Type type) {
  switch (type) {
    case FlagSpec::INT:
      return "a whole number";
    case FlagSpec::BOOL:
      return "true or false";
    case FlagSpec::STRING_LIST:
      return "a list of texts";
    default:
      return "a text";
  }
}

absl::Status MissingOption(absl::string_view driver, const FlagSpec& spec) {
  std::string message = absl::StrCat(driver, " driver requires the --", spec.name(), " option");
  if (spec.env_vars_size() > 0) {
    absl::StrAppend(&message, " (environment variable ", absl::StrJoin(spec.env_vars(), " or "),
                    ")");
  }
  return common::InvalidField(spec.name(), message, machine::v1::ERROR_REASON_OPTION_OUT_OF_RANGE);
}

// A value that says nothing counts as not given, as an empty environment variable does.
bool IsEmpty(const OptionValue& value) {
  switch (value.value_case()) {
    case OptionValue::kStringValue:
      return value.string_value().empty();
    case OptionValue::kSecretValue:
      return value.secret_value().empty();
    case OptionValue::kListValue:
      return value.list_value().values().empty();
    case OptionValue::VALUE_NOT_SET:
      return true;
    default:
      return false;
  }
}

}  // namespace

Flags& Flags::String(absl::string_view name) { return Add(name, FlagSpec::STRING); }
Flags& Flags::Int(absl::string_view name) { return Add(name, FlagSpec::INT); }
Flags& Flags::Bool(absl::string_view name) { return Add(name, FlagSpec::BOOL); }
Flags& Flags::StringList(absl::string_view name) { return Add(name, FlagSpec::STRING_LIST); }

Flags& Flags::Add(absl::string_view name, FlagSpec::Type type) {
  FlagSpec& spec = specs_.emplace_back();
  spec.set_name(std::string(name));
  spec.set_type(type);
  limits_.emplace_back();
  return *this;
}

Flags& Flags::Usage(absl::string_view usage) {
  specs_.back().set_usage(std::string(usage));
  return *this;
}

Flags& Flags::Env(absl::string_view name) {
  specs_.back().add_env_vars(std::string(name));
  return *this;
}

Flags& Flags::Default(absl::string_view value) {
  OptionValue& option = *specs_.back().mutable_default_value();
  option.set_name(specs_.back().name());
  option.set_string_value(std::string(value));
  return *this;
}

Flags& Flags::Default(int64_t value) {
  OptionValue& option = *specs_.back().mutable_default_value();
  option.set_name(specs_.back().name());
  option.set_int_value(value);
  return *this;
}

Flags& Flags::DefaultTrue() {
  OptionValue& option = *specs_.back().mutable_default_value();
  option.set_name(specs_.back().name());
  option.set_bool_value(true);
  return *this;
}

Flags& Flags::Required() {
  specs_.back().set_required(true);
  return *this;
}

Flags& Flags::Secret() {
  specs_.back().set_secret(true);
  return *this;
}

Flags& Flags::OneOf(std::initializer_list<absl::string_view> values) {
  for (const absl::string_view value : values) {
    specs_.back().add_allowed_values(std::string(value));
  }
  return *this;
}

Flags& Flags::Range(int64_t least, int64_t greatest) {
  limits_.back() = Limits{least, greatest};
  return *this;
}

Flags& Flags::Unit(absl::string_view unit) {
  specs_.back().set_unit(std::string(unit));
  return *this;
}

Flags& Flags::Alias(absl::string_view name) {
  specs_.back().add_aliases(std::string(name));
  return *this;
}

Flags& Flags::DeprecatedBy(absl::string_view advice) {
  specs_.back().set_deprecated_by(std::string(advice));
  return *this;
}

Flags& Flags::ContentTo(absl::string_view option) {
  specs_.back().set_content_option(std::string(option));
  return *this;
}

Flags& Flags::SshPrivateKey() {
  specs_.back().set_ssh_private_key(true);
  return *this;
}

std::optional<size_t> Flags::IndexOf(absl::string_view name) const {
  for (size_t i = 0; i < specs_.size(); ++i) {
    if (specs_[i].name() == name) return i;
    for (const std::string& alias : specs_[i].aliases()) {
      if (alias == name) return i;
    }
  }
  return std::nullopt;
}

absl::Status Flags::CheckText(size_t index, absl::string_view value) const {
  const FlagSpec& spec = specs_[index];
  if (spec.allowed_values().empty()) return absl::OkStatus();
  for (const std::string& allowed : spec.allowed_values()) {
    if (allowed == value) return absl::OkStatus();
  }
  const std::string shown = spec.secret() ? "this value" : absl::StrCat("\"", value, "\"");
  return BadOption(spec.name(), absl::StrCat(shown, " is not one of ",
                                             absl::StrJoin(spec.allowed_values(), ", ")));
}

absl::Status Flags::CheckValue(size_t index, const OptionValue& value) const {
  const FlagSpec& spec = specs_[index];
  const auto kind = value.value_case();
  if (kind == OptionValue::kSecretRef) {
    return BadOption(spec.name(), "its secret value did not arrive");
  }
  if (spec.type() == FlagSpec::STRING && kind == OptionValue::kStringValue) {
    return CheckText(index, value.string_value());
  }
  if (spec.type() == FlagSpec::STRING && spec.secret() && kind == OptionValue::kSecretValue) {
    return CheckText(index, value.secret_value());
  }
  if (spec.type() == FlagSpec::INT && kind == OptionValue::kIntValue) {
    const std::optional<Limits>& limits = limits_[index];
    if (!limits.has_value() ||
        (value.int_value() >= limits->least && value.int_value() <= limits->greatest)) {
      return absl::OkStatus();
    }
    return BadOption(spec.name(), absl::StrCat(value.int_value(), " is not from ", limits->least,
                                               " to ", limits->greatest));
  }
  if (spec.type() == FlagSpec::BOOL && kind == OptionValue::kBoolValue) return absl::OkStatus();
  if (spec.type() == FlagSpec::STRING_LIST && kind == OptionValue::kListValue) {
    for (const std::string& element : value.list_value().values()) {
      DM_RETURN_IF_ERROR(CheckText(index, element));
    }
    return absl::OkStatus();
  }
  return BadOption(spec.name(), absl::StrCat("takes ", TypeText(spec.type())));
}

absl::StatusOr<Options> Flags::Complete(absl::string_view driver,
                                        absl::Span<const OptionValue> values,
                                        Strictness strictness) const {
  Options options;
  for (const FlagSpec& spec : specs_) {
    Options::Entry& entry = options.entries_.emplace_back();
    entry.type = spec.type();
    entry.secret = spec.secret();
    entry.set = spec.has_default_value();
    entry.value = spec.default_value();
    entry.value.set_name(spec.name());
  }
  for (const OptionValue& value : values) {
    const std::optional<size_t> index = IndexOf(value.name());
    if (!index.has_value()) {
      if (strictness == Strictness::kExisting) continue;
      return common::InvalidField(value.name(),
                                  absl::StrCat(driver, " driver has no option --", value.name()),
                                  machine::v1::ERROR_REASON_UNKNOWN_DRIVER_OPTION);
    }
    if (IsEmpty(value)) continue;
    if (const absl::Status status = CheckValue(*index, value); !status.ok()) {
      if (strictness == Strictness::kExisting) continue;
      return status;
    }
    Options::Entry& entry = options.entries_[*index];
    entry.set = true;
    entry.value = value;
    entry.value.set_name(specs_[*index].name());
    if (entry.secret && value.has_string_value())
      entry.value.set_secret_value(value.string_value());
  }
  if (strictness == Strictness::kExisting) return options;
  for (size_t i = 0; i < specs_.size(); ++i) {
    if (specs_[i].required() && !options.entries_[i].set) return MissingOption(driver, specs_[i]);
  }
  return options;
}

absl::Status Flags::CheckSchema() const {
  std::set<std::string> names;
  for (size_t i = 0; i < specs_.size(); ++i) {
    const FlagSpec& spec = specs_[i];
    const auto bad = [&spec](absl::string_view what) {
      return absl::InternalError(absl::StrCat("flag --", spec.name(), " ", what));
    };
    if (!names.insert(spec.name()).second) return bad("exists twice");
    for (const std::string& alias : spec.aliases()) {
      if (!names.insert(alias).second) return bad(absl::StrCat("has alias ", alias, " twice"));
    }
    if (spec.usage().empty()) return bad("has no usage");
    if (spec.secret() && spec.type() != FlagSpec::STRING) return bad("is secret, but not a text");
    if (spec.has_default_value()) {
      if (spec.required()) return bad("is required, but has a default");
      if (spec.secret()) return bad("is secret, but has a default");
      if (!CheckValue(i, spec.default_value()).ok()) return bad("has a default it does not allow");
    }
    if (!spec.content_option().empty()) {
      const std::optional<size_t> content = IndexOf(spec.content_option());
      if (!content.has_value() || specs_[*content].type() != FlagSpec::STRING) {
        return bad("has a content option that is not a flag with text");
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace machine::driver
