#include "services/orchestrator/api/field_selection.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"

namespace machine::orchestrator {

using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Reflection;

absl::StatusOr<FieldSelection> FieldSelection::FromMask(const google::protobuf::FieldMask& mask) {
  FieldSelection selection;
  for (const std::string& path : mask.paths()) {
    if (path == "*") return FieldSelection();
    const FieldDescriptor* const field =
        machine::v1::Machine::descriptor()->FindFieldByName(path.substr(0, path.find('.')));
    if (field == nullptr) {
      return common::InvalidField("read_mask", absl::StrCat("a machine has no field ", path));
    }
    selection.fields_.push_back(field);
  }
  return selection;
}

bool FieldSelection::Has(int field_number) const {
  return fields_.empty() || std::any_of(fields_.begin(), fields_.end(), [&](const auto* field) {
           return field->number() == field_number;
         });
}

void FieldSelection::Copy(const machine::v1::Machine& from, machine::v1::Machine& to) const {
  if (fields_.empty()) {
    to = from;
    return;
  }
  const Reflection& reflection = *machine::v1::Machine::GetReflection();
  for (const FieldDescriptor* field : fields_) {
    if (field->is_repeated()) {
      // Only labels and options; both are few.
      if (field->number() == machine::v1::Machine::kLabelsFieldNumber) {
        *to.mutable_labels() = from.labels();
      } else {
        *to.mutable_driver_options() = from.driver_options();
      }
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      std::string scratch;
      reflection.SetString(&to, field, reflection.GetStringReference(from, field, &scratch));
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
      reflection.SetEnumValue(&to, field, reflection.GetEnumValue(from, field));
    } else if (reflection.HasField(from, field)) {
      reflection.MutableMessage(&to, field)->CopyFrom(reflection.GetMessage(from, field));
    }
  }
}

}  // namespace machine::orchestrator
