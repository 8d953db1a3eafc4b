// Compute Engine's resources between JSON and types. For this folder only.
#ifndef DRIVERS_GOOGLE_GOOGLE_JSON_H_
#define DRIVERS_GOOGLE_GOOGLE_JSON_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "drivers/google/google_api.h"

namespace machine::driver::gce {

MachineType MachineTypeOf(const Json& json);
Image ImageOf(const Json& json);
Network NetworkOf(const Json& json);
Address AddressOf(const Json& json);
Instance InstanceOf(const Json& json);
Disk DiskOf(const Json& json);
/// Errors: UNAVAILABLE PROVIDER_DOWN where it is none.
absl::StatusOr<Operation> OperationOf(const Json& json);

Json BodyOf(const InstanceSpec& spec);
Json BodyOf(const FirewallSpec& spec);
Json MetadataOf(const MetadataItems& items);

/// The error for `reason`, Google's word for what went wrong ("quotaExceeded", or of an operation
/// "QUOTA_EXCEEDED"); `otherwise` for a word that says no more than the status does.
absl::Status ErrorFor(absl::string_view reason, const absl::Status& otherwise);

}  // namespace machine::driver::gce

#endif  // DRIVERS_GOOGLE_GOOGLE_JSON_H_
