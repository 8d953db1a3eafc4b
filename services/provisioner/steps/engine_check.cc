#include "services/provisioner/steps/engine_check.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "services/common/status/status.h"
#include "services/provisioner/host/shell_text.h"

namespace machine::provisioner {
namespace {

using ::machine::common::Error;

struct ApiVersion {
  int major = 0;
  int minor = 0;

  friend bool operator<(const ApiVersion& a, const ApiVersion& b) {
    return std::pair(a.major, a.minor) < std::pair(b.major, b.minor);
  }
};

// The range that clients of today speak: engine 29 has dropped everything below 1.44, and engine
// 20.10 of Debian 12 ends at 1.41.
constexpr ApiVersion kOldest{1, 24};
constexpr ApiVersion kNewest{1, 51};

constexpr absl::Duration kFirstDelay = absl::Milliseconds(100);
constexpr absl::Duration kLongestDelay = absl::Seconds(1);

std::optional<ApiVersion> ParseApiVersion(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '.');
  ApiVersion version;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &version.major) ||
      !absl::SimpleAtoi(parts[1], &version.minor)) {
    return std::nullopt;
  }
  return version;
}

absl::Status Unusable(absl::string_view message) {
  return Error(absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_ENGINE_UNREACHABLE,
               message);
}

std::string TextAt(const nlohmann::json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end()) return "";
  const auto* text = found->get_ptr<const std::string*>();
  return text == nullptr ? "" : PrintableText(*text, 100);
}

}  // namespace

absl::StatusOr<EngineVersion> ReadVersionAnswer(absl::string_view text) {
  const auto json = nlohmann::json::parse(text.begin(), text.end(), nullptr,
                                          /*allow_exceptions=*/false);
  if (!json.is_object() || TextAt(json, "ApiVersion").empty()) {
    return Unusable("what answers there is not a Docker Engine");
  }
  EngineVersion version;
  version.version = TextAt(json, "Version");
  if (version.version.size() > 1 && version.version[0] == 'v') version.version.erase(0, 1);
  const std::optional<ApiVersion> newest = ParseApiVersion(TextAt(json, "ApiVersion"));
  // Engines before 1.12 do not say what their oldest is.
  const ApiVersion oldest =
      ParseApiVersion(TextAt(json, "MinAPIVersion")).value_or(ApiVersion{1, 0});
  if (!newest.has_value() || *newest < kOldest || kNewest < oldest) {
    return Unusable(absl::StrCat("engine ", version.version, " speaks API ",
                                 TextAt(json, "MinAPIVersion"), " to ", TextAt(json, "ApiVersion"),
                                 ", this program ", kOldest.major, ".", kOldest.minor, " to ",
                                 kNewest.major, ".", kNewest.minor));
  }
  const ApiVersion agreed = std::min(*newest, kNewest);
  version.api_version = absl::StrCat(agreed.major, ".", agreed.minor);
  return version;
}

absl::StatusOr<EngineVersion> CheckEngine(common::CallScope& call, const EngineProbe& probe,
                                          absl::string_view docker_url,
                                          const std::optional<EngineTls>& tls,
                                          absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  absl::Duration delay = kFirstDelay;
  while (true) {
    DM_RETURN_IF_ERROR(call.Check());
    absl::StatusOr<EngineVersion> version = probe.Ask(call, docker_url, tls);
    if (version.ok() || !absl::IsUnavailable(version.status())) return version;
    if (absl::Now() + delay > deadline) {
      return Unusable(version.status().message());
    }
    DM_RETURN_IF_ERROR(call.Sleep(delay));
    delay = std::min(delay * 2, kLongestDelay);
  }
}

}  // namespace machine::provisioner
