#include "cli/commands/message_data.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/json_util.h"

namespace machine::cli {

absl::StatusOr<nlohmann::ordered_json> MessageData(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string text;
  const auto status = google::protobuf::util::MessageToJsonString(message, &text, options);
  if (!status.ok()) {
    return absl::InternalError(absl::StrCat("the answer cannot be shown: ", status.ToString()));
  }
  auto data = nlohmann::ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (data.is_discarded()) return absl::InternalError("the answer cannot be shown");
  return data;
}

}  // namespace machine::cli
