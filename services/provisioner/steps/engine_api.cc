#include "services/provisioner/steps/engine_api.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/common/status/status.h"
#include "services/provisioner/host/shell_text.h"

namespace machine::provisioner {
namespace {

using Json = nlohmann::json;

std::string MessageIn(const Json& json, absl::string_view key) {
  if (!json.is_object()) return "";
  const auto found = json.find(std::string(key));
  return found == json.end() || !found->is_string() ? "" : found->get<std::string>();
}

}  // namespace

std::string TextAt(const Json& json, const char* pointer) {
  const Json::json_pointer place(pointer);
  return json.contains(place) && json[place].is_string() ? json[place].get<std::string>() : "";
}

bool ManagesSwarm(const Json& info) {
  const Json::json_pointer control("/Swarm/ControlAvailable");
  return info.contains(control) && info[control] == true;
}

absl::Status SwarmError(absl::string_view message) {
  return common::Error(absl::StatusCode::kFailedPrecondition,
                       machine::v1::ERROR_REASON_HOST_COMMAND_FAILED, message, {{"step", "swarm"}});
}

absl::StatusOr<Json> EngineApi::Send(absl::string_view method, absl::string_view path,
                                     const std::string& body, absl::string_view doing) {
  DM_ASSIGN_OR_RETURN(const EngineAnswer answer,
                      probe_.Send(call_, engine_.docker_url, engine_.tls, method, path, body));
  Json json = Json::parse(answer.body, nullptr, /*allow_exceptions=*/false);
  if (answer.status < 400) return json.is_discarded() ? Json() : json;
  const std::string words = MessageIn(json, "message");
  const std::string message = absl::StrCat(
      doing, " failed: ",
      words.empty() ? absl::StrCat("HTTP status ", answer.status) : PrintableText(words, 1000));
  if (answer.status == 404) return absl::NotFoundError(message);
  return SwarmError(message);
}

absl::StatusOr<Json> EngineApi::Get(absl::string_view path, absl::string_view doing) {
  return Send("GET", path, "", doing);
}

absl::StatusOr<Json> EngineApi::Post(absl::string_view path, const Json& body,
                                     absl::string_view doing) {
  return Send("POST", path, body.is_null() ? "" : body.dump(), doing);
}

absl::Status EngineApi::Delete(absl::string_view path, absl::string_view doing) {
  return Send("DELETE", path, "", doing).status();
}

absl::Status EngineApi::Pull(absl::string_view image) {
  const std::string doing = absl::StrCat("pulling ", image);
  DM_ASSIGN_OR_RETURN(const EngineAnswer answer,
                      probe_.Send(call_, engine_.docker_url, engine_.tls, "POST",
                                  absl::StrCat("/images/create?fromImage=", image), ""));
  // One object a line; what went wrong after the answer began is in the last.
  std::string words;
  for (absl::string_view line : absl::StrSplit(answer.body, '\n', absl::SkipWhitespace())) {
    const Json json = Json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
    for (const char* key : {"error", "message"}) {
      if (const std::string found = MessageIn(json, key); !found.empty()) words = found;
    }
  }
  if (answer.status < 400 && words.empty()) return absl::OkStatus();
  return SwarmError(absl::StrCat(doing, " failed: ", PrintableText(words, 1000)));
}

}  // namespace machine::provisioner
