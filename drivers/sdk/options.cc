#include "drivers/sdk/options.h"

#include "absl/base/macros.h"

namespace machine::driver {
namespace {

using machine::v1::FlagSpec;
using machine::v1::OptionValue;

}  // namespace

const std::string& Options::GetString(absl::string_view name) const {
  return Find(name, FlagSpec::STRING, /*secret=*/false).value.string_value();
}

int64_t Options::GetInt(absl::string_view name) const {
  return Find(name, FlagSpec::INT, /*secret=*/false).value.int_value();
}

bool Options::GetBool(absl::string_view name) const {
  return Find(name, FlagSpec::BOOL, /*secret=*/false).value.bool_value();
}

std::vector<std::string> Options::GetList(absl::string_view name) const {
  const auto& values =
      Find(name, FlagSpec::STRING_LIST, /*secret=*/false).value.list_value().values();
  return {values.begin(), values.end()};
}

const std::string& Options::GetSecret(absl::string_view name) const {
  return Find(name, FlagSpec::STRING, /*secret=*/true).value.secret_value();
}

bool Options::Has(absl::string_view name) const {
  for (const Entry& entry : entries_) {
    if (entry.value.name() == name) return entry.set;
  }
  return false;
}

void Options::SetString(absl::string_view name, absl::string_view value) {
  Entry& entry = FindMutable(name, FlagSpec::STRING);
  entry.set = true;
  if (entry.secret) {
    entry.value.set_secret_value(std::string(value));
  } else {
    entry.value.set_string_value(std::string(value));
  }
}

void Options::SetInt(absl::string_view name, int64_t value) {
  Entry& entry = FindMutable(name, FlagSpec::INT);
  entry.set = true;
  entry.value.set_int_value(value);
}

std::vector<OptionValue> Options::ToProto() const {
  std::vector<OptionValue> values;
  for (const Entry& entry : entries_) {
    if (entry.set) values.push_back(entry.value);
  }
  return values;
}

const Options::Entry& Options::Find(absl::string_view name, FlagSpec::Type type,
                                    bool secret) const {
  const Entry* found = nullptr;
  for (const Entry& entry : entries_) {
    if (entry.value.name() == name && entry.type == type && entry.secret == secret) found = &entry;
  }
  ABSL_HARDENING_ASSERT(found != nullptr && "the schema has no such flag of this type");
  return *found;
}

Options::Entry& Options::FindMutable(absl::string_view name, FlagSpec::Type type) {
  Entry* found = nullptr;
  for (Entry& entry : entries_) {
    if (entry.value.name() == name && entry.type == type) found = &entry;
  }
  ABSL_HARDENING_ASSERT(found != nullptr && "the schema has no such flag of this type");
  return *found;
}

}  // namespace machine::driver
