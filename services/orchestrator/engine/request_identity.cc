#include "services/orchestrator/engine/request_identity.h"

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "services/common/crypto/digest.h"
#include "services/common/status/status.h"

namespace machine::orchestrator {
namespace {

// Maps have no order of their own: without one, equal messages would have different bytes.
std::string Bytes(const google::protobuf::Message& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  return bytes;
}

}  // namespace

std::string BodyHash(const google::protobuf::Message& request) {
  const std::unique_ptr<google::protobuf::Message> body(request.New());
  body->CopyFrom(request);
  const auto* const field = body->GetDescriptor()->FindFieldByName("request_id");
  if (field != nullptr) body->GetReflection()->ClearField(body.get(), field);
  return common::Sha256(absl::StrCat(request.GetTypeName(), "\n", Bytes(*body)));
}

std::string CreateSpecHash(
    const machine::v1::CreateMachineRequest& request,
    const google::protobuf::RepeatedPtrField<machine::v1::OptionValue>& normalized_options) {
  machine::v1::CreateMachineRequest spec = request;
  spec.clear_request_id();
  spec.clear_on_failure();
  spec.clear_resume();
  auto& options = *spec.mutable_machine()->mutable_driver_options();
  options = normalized_options;
  std::sort(options.begin(), options.end(),
            [](const auto& a, const auto& b) { return a.name() < b.name(); });
  return common::Sha256(Bytes(spec));
}

absl::StatusOr<std::optional<RequestRecord>> FindRepeated(StoreReader& reader,
                                                          const std::string& caller,
                                                          const std::string& request_id,
                                                          const std::string& body_hash) {
  if (request_id.empty()) return std::nullopt;
  DM_ASSIGN_OR_RETURN(auto request, reader.FindRequest(caller, request_id));
  if (request.has_value() && request->body_hash != body_hash) {
    return common::InvalidField("request_id",
                                "this request_id was used before with another request",
                                machine::v1::ERROR_REASON_REQUEST_ID_REUSED);
  }
  return request;
}

}  // namespace machine::orchestrator
