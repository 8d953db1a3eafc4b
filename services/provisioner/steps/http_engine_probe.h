// An engine asked over HTTP.
#ifndef SERVICES_PROVISIONER_STEPS_HTTP_ENGINE_PROBE_H_
#define SERVICES_PROVISIONER_STEPS_HTTP_ENGINE_PROBE_H_

#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/common/http/http_client.h"
#include "services/provisioner/steps/engine_check.h"

namespace machine::provisioner {

/// The real one. Thread-safe.
class HttpEngineProbe final : public EngineProbe {
 public:
  /// `http` must outlive it.
  explicit HttpEngineProbe(common::HttpClient& http) : http_(http) {}

  absl::StatusOr<EngineVersion> Ask(common::CallScope& call, absl::string_view docker_url,
                                    const std::optional<EngineTls>& tls) const override;
  absl::StatusOr<EngineAnswer> Send(common::CallScope& call, absl::string_view docker_url,
                                    const std::optional<EngineTls>& tls, absl::string_view method,
                                    absl::string_view path, const std::string& body) const override;

 private:
  common::HttpClient& http_;
};

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_STEPS_HTTP_ENGINE_PROBE_H_
