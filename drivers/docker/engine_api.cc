#include "drivers/docker/engine_api.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "services/common/status/status.h"

namespace machine::driver::docker {
namespace {

using Json = nlohmann::json;

// What this file was written for and tested with. 1.41 (engine 20.10) is the first that knows
// private control group namespaces. Engine 29 speaks 1.44 and newer only.
constexpr int kLeastMinor = 41;
constexpr int kNewestMinor = 44;
constexpr size_t kMaxQuotedBytes = 2000;

Json Parse(absl::string_view text) {
  return Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
}

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

// Members of anything that may be no object, or have another type there.
const Json& Member(const Json& json, const char* key) {
  static const Json* const kNothing = new Json();
  if (!json.is_object()) return *kNothing;
  const auto it = json.find(key);
  return it == json.end() ? *kNothing : *it;
}

std::string Text(const Json& json, const char* key) {
  const Json& member = Member(json, key);
  return member.is_string() ? member.get<std::string>() : "";
}

int64_t Number(const Json& json, const char* key) {
  const Json& member = Member(json, key);
  return member.is_number_integer() ? member.get<int64_t>() : 0;
}

std::optional<int> MinorOf(absl::string_view version) {
  int32_t minor = 0;
  if (!absl::ConsumePrefix(&version, "1.") || !absl::SimpleAtoi(version, &minor)) {
    return std::nullopt;
  }
  return minor;
}

// Keeps bytes of a broken or hostile answer out of messages.
std::string Printable(absl::string_view text) {
  std::string result(text.substr(0, kMaxQuotedBytes));
  for (char& c : result) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = ' ';
  }
  absl::StripAsciiWhitespace(&result);
  return result;
}

std::string MessageOf(const EngineResponse& response) {
  const std::string message = Text(Parse(response.body), "message");
  return message.empty() ? absl::StrCat("the engine answered with HTTP status ", response.status)
                         : Printable(message);
}

absl::Status ErrorOf(const EngineResponse& response) {
  const std::string message = MessageOf(response);
  switch (response.status) {
    case 400:
      return common::Error(absl::StatusCode::kInvalidArgument,
                           machine::v1::ERROR_REASON_OPTION_OUT_OF_RANGE, message);
    case 401:
    case 403:
      return common::Error(absl::StatusCode::kPermissionDenied,
                           machine::v1::ERROR_REASON_PROVIDER_POLICY, message);
    case 404:
      return common::Error(absl::StatusCode::kNotFound, machine::v1::ERROR_REASON_INSTANCE_GONE,
                           message);
    case 409:
      return common::Error(absl::StatusCode::kAlreadyExists,
                           machine::v1::ERROR_REASON_INSTANCE_DIFFERS, message);
    case 503:
      return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN,
                           message);
    default:
      return common::Error(absl::StatusCode::kFailedPrecondition,
                           machine::v1::ERROR_REASON_HOST_COMMAND_FAILED, message);
  }
}

// The system's words in "Failed to connect to … (Connection refused)"; else all of it.
absl::string_view CauseIn(absl::string_view message) {
  const size_t open = message.rfind('(');
  if (!absl::EndsWith(message, ")") || open == absl::string_view::npos) return message;
  return message.substr(open + 1, message.size() - open - 2);
}

std::string LabelFilter(const Labels& labels) {
  Json list = Json::array();
  for (const auto& [key, value] : labels) list.push_back(absl::StrCat(key, "=", value));
  return PercentEncode(Dump(Json{{"label", list}}));
}

Container ContainerOf(const Json& json) {
  Container container;
  container.id = Text(json, "Id");
  container.status = Text(json, "State");
  const Json& names = Member(json, "Names");
  if (names.is_array() && !names.empty() && names.front().is_string()) {
    container.name =
        std::string(absl::StripPrefix(names.front().get_ref<const std::string&>(), "/"));
  }
  const Json& labels = Member(json, "Labels");
  if (labels.is_object()) {
    for (const auto& [key, value] : labels.items()) {
      if (value.is_string()) container.labels[key] = value.get<std::string>();
    }
  }
  container.network = Text(Member(json, "HostConfig"), "NetworkMode");
  const Json& networks = Member(Member(json, "NetworkSettings"), "Networks");
  if (networks.is_object()) {
    for (const auto& [name, network] : networks.items()) {
      const std::string address = Text(network, "IPAddress");
      if (!address.empty()) container.addresses[name] = address;
    }
  }
  const Json& ports = Member(json, "Ports");
  if (ports.is_array()) {
    for (const Json& port : ports) {
      container.ports.push_back({static_cast<int>(Number(port, "PrivatePort")),
                                 static_cast<int>(Number(port, "PublicPort"))});
    }
  }
  return container;
}

EngineInfo InfoOf(const Json& json) {
  EngineInfo info;
  info.os_type = Text(json, "OSType");
  info.memory_bytes = Number(json, "MemTotal");
  info.cpus = Number(json, "NCPU");
  info.storage_driver = Text(json, "Driver");
  const Json& rows = Member(json, "DriverStatus");
  if (rows.is_array()) {
    for (const Json& row : rows) {
      if (row.is_array() && row.size() == 2 && row[0] == "Backing Filesystem" &&
          row[1].is_string()) {
        info.backing_file_system = row[1].get<std::string>();
      }
    }
  }
  return info;
}

}  // namespace

std::string PercentEncode(absl::string_view text) {
  std::string encoded;
  for (const char c : text) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains("-._~", c)) {
      encoded += c;
    } else {
      absl::StrAppendFormat(&encoded, "%%%02X", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

absl::StatusOr<std::string> AgreeOnVersion(absl::string_view least, absl::string_view newest) {
  const std::optional<int> newest_minor = MinorOf(newest);
  if (!newest_minor.has_value()) {
    return common::Error(absl::StatusCode::kFailedPrecondition,
                         machine::v1::ERROR_REASON_UNSUPPORTED_HOST,
                         "the engine does not say which API it speaks");
  }
  if (*newest_minor < kLeastMinor) {
    return common::Error(absl::StatusCode::kFailedPrecondition,
                         machine::v1::ERROR_REASON_UNSUPPORTED_HOST,
                         absl::StrCat("the engine is too old: it speaks API ", newest, ", and 1.",
                                      kLeastMinor, " (Docker 20.10) is needed"));
  }
  // An engine that has given up our newest version is spoken to in its own oldest one: what this
  // driver uses has not changed for years.
  const int wanted = std::max(kNewestMinor, MinorOf(least).value_or(0));
  return absl::StrCat("1.", std::min(wanted, *newest_minor));
}

EngineApi::EngineApi(std::string name, std::unique_ptr<EngineTransport> transport)
    : name_(std::move(name)), transport_(std::move(transport)) {}

absl::StatusOr<EngineResponse> EngineApi::Send(const common::CallScope& call,
                                               const EngineRequest& request) {
  absl::StatusOr<EngineResponse> response = transport_->Send(call, request);
  if (absl::IsUnavailable(response.status())) {
    const absl::string_view cause = CauseIn(response.status().message());
    // A fatal alert of TLS 1.3 comes when the client thinks itself connected.
    if (absl::StrContains(cause, "SSL") && absl::StrContains(cause, " alert ")) {
      return common::Error(
          absl::StatusCode::kUnauthenticated, machine::v1::ERROR_REASON_PROVIDER_CREDENTIALS,
          absl::StrCat("the Docker Engine at ", name_, " refused the client certificate (", cause,
                       "): see --docker-tls-cert"));
    }
    return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN,
                         absl::StrCat("no Docker Engine answers at ", name_, " (", cause,
                                      "): start it there, or name another with --docker-endpoint"));
  }
  if (common::ReasonOf(response.status()) == machine::v1::ERROR_REASON_SERVER_NOT_TRUSTED) {
    return common::Error(
        absl::StatusCode::kUnauthenticated, machine::v1::ERROR_REASON_SERVER_NOT_TRUSTED,
        absl::StrCat("the certificate of the Docker Engine at ", name_, " is not trusted (",
                     common::ErrorMetadataOf(response.status(), "cause"),
                     "): name the CA that signed it with --docker-tls-ca-cert, and the engine as "
                     "its certificate does with --docker-endpoint"));
  }
  if (absl::IsPermissionDenied(response.status())) {
    return common::Error(
        absl::StatusCode::kPermissionDenied, machine::v1::ERROR_REASON_PROVIDER_POLICY,
        absl::StrCat("this user may not use the Docker Engine at ", name_,
                     ": add the user to the group docker, or name another engine with "
                     "--docker-endpoint"));
  }
  if (!response.ok() && !absl::IsCancelled(response.status())) {
    return common::Annotate(std::move(response), absl::StrCat("Docker Engine at ", name_));
  }
  return response;
}

absl::Status EngineApi::NotAnEngine() const {
  return common::Error(absl::StatusCode::kFailedPrecondition,
                       machine::v1::ERROR_REASON_UNSUPPORTED_HOST,
                       absl::StrCat("what answers at ", name_, " is not a Docker Engine"));
}

absl::StatusOr<std::string> EngineApi::Version(const common::CallScope& call) {
  {
    absl::MutexLock lock(&mu_);
    if (!version_.empty()) return version_;
  }
  DM_ASSIGN_OR_RETURN(const EngineResponse response,
                      Send(call, {.method = "GET", .target = "/version"}));
  const Json json = Parse(response.body);
  if (response.status >= 400 && json.is_object()) return ErrorOf(response);
  if (response.status != 200 || Text(json, "ApiVersion").empty()) return NotAnEngine();
  DM_ASSIGN_OR_RETURN(const std::string version,
                      AgreeOnVersion(Text(json, "MinAPIVersion"), Text(json, "ApiVersion")));
  absl::MutexLock lock(&mu_);
  version_ = version;
  return version;
}

absl::StatusOr<EngineResponse> EngineApi::Ask(const common::CallScope& call,
                                              absl::string_view method, absl::string_view path,
                                              std::string body, absl::string_view content_type,
                                              absl::Duration timeout) {
  DM_ASSIGN_OR_RETURN(std::string version, Version(call));
  EngineRequest request{.method = std::string(method),
                        .target = absl::StrCat("/v", version, path),
                        .content_type = std::string(content_type),
                        .body = std::move(body),
                        .timeout = timeout};
  DM_ASSIGN_OR_RETURN(EngineResponse response, Send(call, request));
  if (response.status != 400 || !absl::StrContains(response.body, "client version")) {
    return response;
  }
  // The engine was replaced by one that does not speak the version agreed on with the former. It
  // has refused the request before doing anything.
  {
    absl::MutexLock lock(&mu_);
    if (version_ == version) version_.clear();
  }
  DM_ASSIGN_OR_RETURN(version, Version(call));
  request.target = absl::StrCat("/v", version, path);
  return Send(call, request);
}

absl::StatusOr<EngineResponse> EngineApi::Do(const common::CallScope& call,
                                             absl::string_view method, absl::string_view path,
                                             std::string body, std::optional<int> also_ok) {
  // Starting and removing may take the engine long on a busy disk.
  const absl::Duration timeout = method == "GET" ? absl::Seconds(30) : absl::Minutes(2);
  DM_ASSIGN_OR_RETURN(EngineResponse response,
                      Ask(call, method, path, std::move(body), "application/json", timeout));
  if (response.status == also_ok) return response;
  if (response.status >= 400) return ErrorOf(response);
  if (response.status < 200) return NotAnEngine();
  return response;
}

absl::Status EngineApi::Connect(const common::CallScope& call) { return Version(call).status(); }

absl::StatusOr<EngineInfo> EngineApi::Info(const common::CallScope& call) {
  DM_ASSIGN_OR_RETURN(const EngineResponse response, Do(call, "GET", "/info"));
  return InfoOf(Parse(response.body));
}

absl::StatusOr<bool> EngineApi::Exists(const common::CallScope& call, absl::string_view path) {
  DM_ASSIGN_OR_RETURN(const EngineResponse response, Do(call, "GET", path, "", 404));
  return response.status != 404;
}

absl::StatusOr<bool> EngineApi::HasImage(const common::CallScope& call, absl::string_view image) {
  return Exists(call, absl::StrCat("/images/", PercentEncode(image), "/json"));
}

absl::StatusOr<bool> EngineApi::HasNetwork(const common::CallScope& call,
                                           absl::string_view network) {
  return Exists(call, absl::StrCat("/networks/", PercentEncode(network)));
}

absl::StatusOr<std::vector<Container>> EngineApi::List(const common::CallScope& call,
                                                       const Labels& labels) {
  DM_ASSIGN_OR_RETURN(
      const EngineResponse response,
      Do(call, "GET", absl::StrCat("/containers/json?all=1&filters=", LabelFilter(labels))));
  const Json json = Parse(response.body);
  if (!json.is_array()) return NotAnEngine();
  std::vector<Container> containers;
  for (const Json& element : json) containers.push_back(ContainerOf(element));
  return containers;
}

absl::StatusOr<std::string> EngineApi::CreateContainer(const common::CallScope& call,
                                                       absl::string_view name,
                                                       std::string specification) {
  DM_ASSIGN_OR_RETURN(
      const EngineResponse response,
      Do(call, "POST", absl::StrCat("/containers/create?name=", PercentEncode(name)),
         std::move(specification)));
  std::string id = Text(Parse(response.body), "Id");
  if (id.empty()) return NotAnEngine();
  return id;
}

absl::Status EngineApi::Start(const common::CallScope& call, absl::string_view id) {
  return Do(call, "POST", absl::StrCat("/containers/", id, "/start")).status();
}

absl::Status EngineApi::Unpause(const common::CallScope& call, absl::string_view id) {
  return Do(call, "POST", absl::StrCat("/containers/", id, "/unpause")).status();
}

absl::Status EngineApi::Signal(const common::CallScope& call, absl::string_view id,
                               absl::string_view signal) {
  return Do(call, "POST", absl::StrCat("/containers/", id, "/kill?signal=", PercentEncode(signal)),
            "", 409)
      .status();
}

absl::Status EngineApi::StopNow(const common::CallScope& call, absl::string_view id) {
  return Do(call, "POST", absl::StrCat("/containers/", id, "/stop?t=0")).status();
}

absl::Status EngineApi::RemoveContainer(const common::CallScope& call, absl::string_view id) {
  DM_ASSIGN_OR_RETURN(const EngineResponse response,
                      Ask(call, "DELETE", absl::StrCat("/containers/", id, "?force=1&v=1"), "",
                          "application/json", absl::Minutes(2)));
  if (response.status < 300 || response.status == 404) return absl::OkStatus();
  if (response.status == 409 && absl::StrContains(response.body, "already in progress")) {
    return absl::OkStatus();
  }
  return ErrorOf(response);
}

absl::StatusOr<int64_t> EngineApi::Wait(const common::CallScope& call, absl::string_view id) {
  DM_ASSIGN_OR_RETURN(const EngineResponse response,
                      Do(call, "POST", absl::StrCat("/containers/", id, "/wait")));
  return Number(Parse(response.body), "StatusCode");
}

absl::StatusOr<std::string> EngineApi::Logs(const common::CallScope& call, absl::string_view id,
                                            int lines) {
  DM_ASSIGN_OR_RETURN(
      const EngineResponse response,
      Do(call, "GET", absl::StrCat("/containers/", id, "/logs?stdout=1&stderr=1&tail=", lines)));
  return response.body;
}

absl::Status EngineApi::PutArchive(const common::CallScope& call, absl::string_view id,
                                   std::string archive) {
  DM_ASSIGN_OR_RETURN(const EngineResponse response,
                      Ask(call, "PUT", absl::StrCat("/containers/", id, "/archive?path=%2F"),
                          std::move(archive), "application/x-tar", absl::Minutes(2)));
  return response.status < 300 ? absl::OkStatus() : ErrorOf(response);
}

absl::StatusOr<std::string> EngineApi::GetArchive(const common::CallScope& call,
                                                  absl::string_view id, absl::string_view path) {
  DM_ASSIGN_OR_RETURN(
      const EngineResponse response,
      Do(call, "GET", absl::StrCat("/containers/", id, "/archive?path=", PercentEncode(path))));
  return response.body;
}

absl::Status EngineApi::CreateVolume(const common::CallScope& call, absl::string_view name,
                                     const Labels& labels, int64_t size_mib) {
  Json body = {{"Name", std::string(name)}, {"Labels", labels}};
  if (size_mib > 0) body["DriverOpts"] = {{"size", absl::StrCat(size_mib, "M")}};
  return Do(call, "POST", "/volumes/create", Dump(body)).status();
}

absl::StatusOr<std::vector<std::string>> EngineApi::ListVolumes(const common::CallScope& call,
                                                                const Labels& labels) {
  DM_ASSIGN_OR_RETURN(const EngineResponse response,
                      Do(call, "GET", absl::StrCat("/volumes?filters=", LabelFilter(labels))));
  const Json json = Parse(response.body);
  const Json& volumes = Member(json, "Volumes");
  if (!json.is_object()) return NotAnEngine();
  std::vector<std::string> names;
  if (!volumes.is_array()) return names;  // "null" stands for none.
  for (const Json& volume : volumes) names.push_back(Text(volume, "Name"));
  return names;
}

absl::Status EngineApi::RemoveVolume(const common::CallScope& call, absl::string_view name) {
  return Do(call, "DELETE", absl::StrCat("/volumes/", PercentEncode(name)), "", 404).status();
}

}  // namespace machine::driver::docker
