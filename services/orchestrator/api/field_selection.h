// The read_mask of reads.
#ifndef SERVICES_ORCHESTRATOR_API_FIELD_SELECTION_H_
#define SERVICES_ORCHESTRATOR_API_FIELD_SELECTION_H_

#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/field_mask.pb.h"
#include "machine/v1/machine.pb.h"

namespace machine::orchestrator {

/// Which top-level fields of a machine a read returns. Resolved once for a whole page, because a
/// page has thousands of machines.
class FieldSelection {
 public:
  /// An empty mask selects everything. A path into a message selects the whole message.
  /// Errors: INVALID_ARGUMENT naming the path.
  static absl::StatusOr<FieldSelection> FromMask(const google::protobuf::FieldMask& mask);

  bool Has(int field_number) const;

  /// Copies the selected fields of `from` into `to`.
  void Copy(const machine::v1::Machine& from, machine::v1::Machine& to) const;

 private:
  std::vector<const google::protobuf::FieldDescriptor*> fields_;  // Empty: all.
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_API_FIELD_SELECTION_H_
