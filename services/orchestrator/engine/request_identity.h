// What makes two requests the same: for request_id, and for a create that is resumed.
#ifndef SERVICES_ORCHESTRATOR_ENGINE_REQUEST_IDENTITY_H_
#define SERVICES_ORCHESTRATOR_ENGINE_REQUEST_IDENTITY_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "machine/v1/machines.pb.h"
#include "services/orchestrator/store/store.h"

namespace machine::orchestrator {

/// SHA-256 of a request but for its field `request_id`: the same for equal requests of one type,
/// whatever process hashes them, and another for every other type.
std::string BodyHash(const google::protobuf::Message& request);

/// SHA-256 of the machine that a create asks for, with the options as the driver has normalized
/// them: not of how it is asked for (request_id, on_failure, resume).
std::string CreateSpecHash(
    const machine::v1::CreateMachineRequest& request,
    const google::protobuf::RepeatedPtrField<machine::v1::OptionValue>& normalized_options);

/// The request that `caller` made before with the same request_id and body; nullopt for a new one
/// and for an empty request_id. Errors: INVALID_ARGUMENT REQUEST_ID_REUSED for another body.
absl::StatusOr<std::optional<RequestRecord>> FindRepeated(StoreReader& reader,
                                                          const std::string& caller,
                                                          const std::string& request_id,
                                                          const std::string& body_hash);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_ENGINE_REQUEST_IDENTITY_H_
