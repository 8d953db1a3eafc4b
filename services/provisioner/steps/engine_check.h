// Asking an engine whether it is up, over TLS, from here.
#ifndef SERVICES_PROVISIONER_STEPS_ENGINE_CHECK_H_
#define SERVICES_PROVISIONER_STEPS_ENGINE_CHECK_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/common/rpc/call_scope.h"

namespace machine::provisioner {

/// What proves both sides to each other.
struct EngineTls {
  std::string ca_pem;
  std::string client_cert_pem;
  std::string client_key_pem;
};

struct EngineVersion {
  std::string version;      ///< Without a leading "v".
  std::string api_version;  ///< Agreed: the highest that both sides speak.
};

/// An answer of an engine's API, whatever its status.
struct EngineAnswer {
  int status = 0;
  std::string body;
};

/// The way to engines.
class EngineProbe {
 public:
  virtual ~EngineProbe() = default;

  /// Asks once for the version. `docker_url` is "tcp://HOST:PORT"; without `tls` the engine is
  /// spoken to in the clear. Blocks. UNAVAILABLE while it may still come up, FAILED_PRECONDITION
  /// when asking again will not help, both ENGINE_UNREACHABLE with the cause; UNAUTHENTICATED
  /// SERVER_NOT_TRUSTED for a certificate that `tls` does not vouch for; INVALID_ARGUMENT for a URL
  /// of another form.
  virtual absl::StatusOr<EngineVersion> Ask(common::CallScope& call, absl::string_view docker_url,
                                            const std::optional<EngineTls>& tls) const = 0;

  /// One call of the engine's API, with a JSON body or none. Blocks as long as the engine works on
  /// it, at most until the call's deadline. Errors as Ask().
  virtual absl::StatusOr<EngineAnswer> Send(common::CallScope& call, absl::string_view docker_url,
                                            const std::optional<EngineTls>& tls,
                                            absl::string_view method, absl::string_view path,
                                            const std::string& body) const = 0;
};

/// Asks again while that may help, for at most `timeout`; zero means once. FAILED_PRECONDITION
/// ENGINE_UNREACHABLE with the last cause; UNAUTHENTICATED SERVER_NOT_TRUSTED; INVALID_ARGUMENT;
/// CANCELLED or DEADLINE_EXCEEDED.
absl::StatusOr<EngineVersion> CheckEngine(common::CallScope& call, const EngineProbe& probe,
                                          absl::string_view docker_url,
                                          const std::optional<EngineTls>& tls,
                                          absl::Duration timeout);

/// Reads the engine's answer to GET /version. FAILED_PRECONDITION ENGINE_UNREACHABLE when it is
/// none, or when there is no API version that both sides speak.
absl::StatusOr<EngineVersion> ReadVersionAnswer(absl::string_view json);

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_STEPS_ENGINE_CHECK_H_
